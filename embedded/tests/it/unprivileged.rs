//! Started as root. These tests say so and pass when they are not run as root.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use embedded::testing::programs_dir;
use embedded::{Nats, Postgres};
use tempfile::TempDir;

use crate::support::{count, data_dir_at, write_one};

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        println!("nothing to test: not root");
    }
    is_root
}

fn hidden_dir() -> TempDir {
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .expect("ours")
}

fn owner_of(pid: u32) -> u32 {
    Path::new(&format!("/proc/{pid}")).metadata().expect("it runs").uid()
}

#[tokio::test]
async fn a_data_directory_that_only_root_can_enter_gets_its_files_elsewhere() {
    if !is_root() {
        return;
    }
    let hidden = hidden_dir();
    let data_dir = data_dir_at(&hidden.path().join("data"));
    let postgres = Postgres::start(&data_dir).await.expect("starts");
    assert_ne!(owner_of(postgres.pid().expect("it runs")), 0);
    write_one(&postgres).await;
    postgres.stop().await.expect("stops");

    let location = std::fs::read_to_string(data_dir.path().join("postgres/location"));
    let home = PathBuf::from(location.expect("the place is recorded"));
    assert!(home.join("data/PG_VERSION").exists());

    let again = Postgres::start(&data_dir).await.expect("starts again");
    assert_eq!(count(&again).await, 1);
    again.stop().await.expect("stops");
    data_dir.remove().await.expect("removes both");
    assert!(!home.exists());
}

#[tokio::test]
async fn programs_that_only_root_can_reach_are_copied() {
    if !is_root() {
        return;
    }
    let hidden = hidden_dir();
    let data_dir = data_dir_at(&hidden.path().join("data"));
    let programs = hidden.path().join("data/programs");
    std::fs::create_dir_all(&programs).expect("ours");
    std::fs::copy(programs_dir().join("nats-server"), programs.join("nats-server"))
        .expect("`make test` has put it there");

    let nats = Nats::start(&data_dir).await.expect("starts");
    let pid = nats.pid().expect("it runs");
    assert_ne!(owner_of(pid), 0);
    let running = std::fs::read_link(format!("/proc/{pid}/exe")).expect("it runs");
    assert!(running.starts_with("/var/lib/orgledger"), "{}", running.display());
    nats.stop().await.expect("stops");
    data_dir.remove().await.expect("nobody uses it");
    std::fs::remove_file(&running).expect("this test's copy");
}
