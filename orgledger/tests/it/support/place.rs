//! Where the binary runs: a data directory of a test's own, or databases that it is told of.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use embedded::DataDir;
use embedded::testing::{TestServers, programs_dir, temporary_data_dir};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::{CREDENTIAL, MASTER_KEY, PEPPER, Service, within};

/// These say where programs are; everything else that the binary listens to is the test's to say.
const INHERITED: [&str; 2] = ["ORGLEDGER_POSTGRES_BIN", "ORGLEDGER_NATS_SERVER"];

/// The root of the checkout, which commands run in.
pub(crate) fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The environment that commands run in.
#[derive(Clone, Default)]
pub(crate) struct Place {
    variables: Vec<(&'static str, String)>,
}

impl Place {
    /// A data directory.
    pub(crate) fn data_dir(path: &Path) -> Self {
        Self::default().with("ORGLEDGER_DATA_DIR", path.to_str().unwrap())
    }

    /// A database that somebody runs, and the secrets that go with it.
    pub(crate) fn database(url: &str) -> Self {
        Self::default()
            .with("DATABASE_URL", url)
            .with("ORGLEDGER_OPERATOR_CREDENTIAL", CREDENTIAL)
            .with("ORGLEDGER_KEY_PEPPER", PEPPER)
            .with("ORGLEDGER_MASTER_KEY", MASTER_KEY)
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(there, _)| *there != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(there, _)| *there != name);
        self
    }

    /// The command, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orgledger"));
        for (name, _) in std::env::vars_os() {
            if is_ours(&name) {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .envs(self.variables.iter().map(|(name, value)| (*name, value)))
            .current_dir(workspace_root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        let line = arguments.join(" ");
        let output = within(&line, self.command(arguments).output()).await.unwrap();
        Ended {
            line,
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a command that succeeds; what it printed.
    pub(crate) async fn print(&self, arguments: &[&str]) -> String {
        self.run(arguments).await.succeeded()
    }

    /// Runs a command that succeeds; the JSON that it printed.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let text = self.print(arguments).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Starts a service and waits until it is ready.
    pub(crate) async fn start(&self, arguments: &[&str]) -> Service {
        Service::start(self, arguments).await
    }
}

fn is_ours(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    let is_read = name.starts_with("ORGLEDGER_") && !INHERITED.contains(&&*name);
    is_read || matches!(&*name, "DATABASE_URL" | "NATS_URL" | "RUST_LOG")
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) line: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Asserts that it succeeded; what it printed.
    pub(crate) fn succeeded(self) -> String {
        let Self { line, status, stdout, stderr } = self;
        assert!(status.success(), "orgledger {line}: {status}\n{stdout}\n{stderr}");
        stdout
    }

    /// Asserts that it failed, in one line; that line.
    pub(crate) fn refused(self) -> String {
        let Self { line, status, stdout, stderr } = self;
        assert_eq!(status.code(), Some(1), "orgledger {line}\n{stdout}\n{stderr}");
        assert_eq!(stdout, "", "orgledger {line}");
        let said = stderr.lines().find_map(|said| said.strip_prefix("orgledger: "));
        said.unwrap_or_else(|| panic!("orgledger {line} says nothing: {stderr}")).to_owned()
    }
}

/// A data directory that nothing runs on yet; removed with its servers.
pub(crate) struct Directory {
    path: PathBuf,
    _temporary: TempDir,
}

impl Directory {
    pub(crate) fn new() -> Self {
        let temporary = temporary_data_dir();
        Self { path: temporary.path().join("data"), _temporary: temporary }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn place(&self) -> Place {
        Place::data_dir(&self.path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let data_dir = DataDir::new(&self.path).with_programs(programs_dir());
        // A runtime of its own: this one may be about to end.
        let removed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(data_dir.remove()).map_err(std::io::Error::other)
        });
        if let Ok(Err(error)) = removed.join() {
            eprintln!("a test's data directory was not removed: {error}");
        }
    }
}

/// Servers on which commands run with a data directory, as long as this value lives: nothing waits
/// for servers to start and stop around every command.
pub(crate) async fn installation() -> (TestServers, Place) {
    let servers = TestServers::start_postgres_only().await.unwrap();
    let place = Place::data_dir(servers.data_dir().path());
    (servers, place)
}
