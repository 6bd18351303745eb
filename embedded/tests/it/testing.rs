//! The tools for other crates' tests.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use embedded::testing::{test_database, test_nats};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::support::{eventually, is_alive};

#[tokio::test]
async fn every_test_database_is_empty_and_gone_afterwards() {
    let database = test_database().await;
    let pool = database.pool().await;
    sqlx::query("create table t (id int)").execute(&pool).await.expect("it is ours");
    let name: String =
        sqlx::query_scalar("select current_database()").fetch_one(&pool).await.expect("it tells");
    let url = database.url().to_owned();
    assert!(url.contains(&name), "{url}");

    let other = test_database().await;
    assert_ne!(other.url(), url);
    drop(database);
    PgConnection::connect(&url).await.expect_err("dropped, though the pool was open");
}

#[tokio::test]
async fn the_shared_nats_server_answers() {
    let client = test_nats().await;
    assert_eq!(client.server_info().max_payload, 8 << 20);
}

fn with_servers(script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_with-servers"));
    command.args(["sh", "-c", script]).stdout(Stdio::piped());
    command
}

/// The temporary directory, from the socket's path in the URL.
fn directory_of(url: &str) -> PathBuf {
    let (_, rest) = url.trim().split_once('@').expect("a URL");
    let (host, _) = rest.split_once(':').expect("a port");
    let socket_dir = PathBuf::from(host.replace("%2F", "/"));
    let directory = socket_dir.ancestors().nth(3).expect("<temporary>/data/postgres/socket");
    directory.to_path_buf()
}

#[test]
fn with_servers_passes_the_exit_code_on_and_leaves_nothing() {
    let output = with_servers("echo $ORGLEDGER_TEST_DATABASE_URL; exit 7").output().expect("runs");
    assert_eq!(output.status.code(), Some(7));
    let url = String::from_utf8(output.stdout).expect("text");
    assert!(!directory_of(&url).exists());
}

#[test]
fn a_killed_with_servers_leaves_nothing_either() {
    let mut child =
        with_servers("echo $ORGLEDGER_TEST_DATABASE_URL; exec cat").spawn().expect("runs");
    let mut url = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    stdout.read_line(&mut url).expect("the command has its servers");
    let directory = directory_of(&url);
    let pids = ["postgres/data/postmaster.pid", "nats/data/nats.pid"].map(|file| {
        let text = std::fs::read_to_string(directory.join("data").join(file)).expect("it runs");
        text.lines().next().and_then(|pid| pid.parse().ok()).expect("a process id")
    });
    assert!(pids.into_iter().all(is_alive));
    child.kill().and_then(|()| child.wait()).expect("kill -9");
    eventually("the directory is removed", || !directory.exists());
    eventually("the servers end", || !pids.into_iter().any(is_alive));
}
