//! What several tests need.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use embedded::testing::{programs_dir, temporary_data_dir};
use embedded::{DataDir, Postgres};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use tempfile::TempDir;

/// Names the data directory for [`hold_postgres`].
const HOLD_VARIABLE: &str = "EMBEDDED_TEST_HOLD";
const PATIENCE: Duration = Duration::from_secs(60);

/// A data directory of the test's own; it lives as long as the first value.
pub(crate) fn data_dir() -> (TempDir, DataDir) {
    let directory = temporary_data_dir();
    let data_dir = data_dir_at(&directory.path().join("data"));
    (directory, data_dir)
}

pub(crate) fn data_dir_at(path: &Path) -> DataDir {
    DataDir::new(path).with_programs(programs_dir())
}

pub(crate) async fn connect(postgres: &Postgres) -> PgConnection {
    PgConnection::connect_with(&postgres.connect_options())
        .await
        .expect("the server takes connections")
}

pub(crate) async fn write_one(postgres: &Postgres) {
    connect(postgres)
        .await
        .execute("create table if not exists kept (id int); insert into kept values (1)")
        .await
        .expect("the row is committed");
}

pub(crate) async fn count(postgres: &Postgres) -> i64 {
    sqlx::query_scalar("select count(*) from kept")
        .fetch_one(&mut connect(postgres).await)
        .await
        .expect("the table is there")
}

/// Waits for something that is certain to happen.
pub(crate) fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

pub(crate) fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a process id"), rustix::process::Signal::KILL)
        .expect("the process is there to be killed");
}

/// Another process that uses Postgres on a data directory until it is killed.
pub(crate) struct Holder(Child);

impl Holder {
    /// Starts it, with these environment variables too.
    pub(crate) fn spawn(data_dir: &DataDir, variables: &[(&str, &Path)]) -> Self {
        let child = Command::new(std::env::current_exe().expect("a test knows its program"))
            .args(["--exact", "support::hold_postgres", "--ignored", "--nocapture"])
            .env(HOLD_VARIABLE, data_dir.path())
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test program runs");
        Self(child)
    }

    /// Waits until it has its server, and returns that one's process id.
    pub(crate) fn postgres_pid(&mut self) -> u32 {
        BufReader::new(self.0.stdout.take().expect("stdout is piped"))
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("holding ")?.parse().ok())
            .expect("the holder tells its server's process id")
    }

    /// `kill -9`; also what becomes of it when the test fails.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
#[ignore = "not a test: other tests run it as a process of its own"]
async fn hold_postgres() {
    let path = std::env::var_os(HOLD_VARIABLE).expect("the data directory is named");
    let postgres = Postgres::start(&data_dir_at(Path::new(&path))).await.expect("it starts");
    println!("\nholding {}", postgres.pid().expect("it runs"));
    std::future::pending::<()>().await;
}
