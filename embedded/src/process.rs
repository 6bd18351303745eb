//! Processes: spawning as the right user, signals, and the end of a log.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::EmbeddedError;
use crate::unprivileged::RunAs;

/// A log that has grown beyond this is put aside at the next start; one older is kept.
const LOG_BYTES_MAX: u64 = 16 << 20;
/// How much of a log's end goes into an error.
const TAIL_BYTES: u64 = 2 << 10;

/// A command that runs as `run_as` (or as ourselves) from a directory that everybody can enter,
/// without the caller's Postgres settings and in English.
pub(crate) fn command(program: &Path, run_as: Option<&RunAs>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    if let Some(user) = run_as {
        // Setting a user id as root also drops the supplementary groups.
        command.uid(user.uid).gid(user.gid).env("HOME", "/");
    }
    command
}

/// Spawns a server that outlives us: in its own process group, so that Ctrl-C in the terminal
/// does not reach it, holding `server_lock` as its standard input, writing to `log`.
pub(crate) fn spawn_server(
    mut command: Command,
    server_lock: File,
    log: &Path,
) -> Result<Child, EmbeddedError> {
    rotate(log)?;
    let stdout = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(log)
        .map_err(EmbeddedError::io("open", log))?;
    let stderr = stdout.try_clone().map_err(EmbeddedError::io("open", log))?;
    let program = command.get_program().to_owned();
    command
        .process_group(0)
        .stdin(Stdio::from(server_lock))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::from(stderr))
        .spawn()
        .map_err(EmbeddedError::io("run", Path::new(&program)))
}

/// Collects the child's exit status whenever it ends, so that it does not stay as a zombie.
pub(crate) fn reap(mut child: Child) {
    std::thread::spawn(move || child.wait());
}

fn rotate(log: &Path) -> Result<(), EmbeddedError> {
    if log.metadata().is_ok_and(|file| file.len() > LOG_BYTES_MAX) {
        let aside = log.with_extension("log.1");
        std::fs::rename(log, &aside).map_err(EmbeddedError::io("rename", log))?;
    }
    Ok(())
}

/// The last lines of a log, from `since_byte` on; empty when there are none.
pub(crate) fn tail(log: &Path, since_byte: u64) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(since_byte.min(length).max(length.saturating_sub(TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

/// The process id on the first line of a file.
pub(crate) fn read_pid(file: &Path) -> Option<u32> {
    std::fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}

/// Sends a signal; a process that is gone is fine.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    if let Err(error) = kill_process(pid, signal) {
        tracing::debug!(pid = pid.as_raw_nonzero().get(), %error, "signal not delivered");
    }
}

/// Whether a process with this id exists; a zombie does not count.
pub(crate) fn is_alive(pid: u32) -> bool {
    // Where there is no /proc (macOS), "exists" has to do.
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        return !matches!(state, Some('Z' | 'X'));
    }
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}
