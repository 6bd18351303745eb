//! Cleans up after a test process that could not do it itself.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::EmbeddedError;

/// Waits for the end of its standard input, which comes however we end, then ends what runs on the
/// directory and removes it. After an orderly end the directory is gone, and there is nothing to do.
const SCRIPT: &str = r#"
cat
pid=$(head -n 1 "$0/data/postgres/data/postmaster.pid") && kill -QUIT "$pid"
pid=$(head -n 1 "$0/data/nats/data/nats.pid") && kill -KILL "$pid"
[ ! -d "$0" ] || { sleep 1; rm -rf "$0"; }
"#;

/// A shell that outlives us for a moment.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
    stdin: Option<ChildStdin>,
}

impl Watchdog {
    pub(crate) fn start(directory: &Path) -> Result<Self, EmbeddedError> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .arg(directory)
            // Its own group: whoever kills ours must not reach it.
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(EmbeddedError::io("run", Path::new("/bin/sh")))?;
        let stdin = shell.stdin.take();
        Ok(Self { shell, stdin })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.shell.wait();
    }
}
