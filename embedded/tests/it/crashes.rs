//! `kill -9` of anything at any time.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use embedded::Postgres;
use embedded::testing::TestServers;

use crate::support::{Holder, count, data_dir, eventually, is_alive, kill, write_one};

#[tokio::test]
async fn a_killed_postmaster_is_started_again_with_nothing_lost() {
    let (_directory, data_dir) = data_dir();
    let postgres = Postgres::start(&data_dir).await.expect("starts");
    write_one(&postgres).await;
    kill(postgres.pid().expect("it runs"));
    // At once: its children are still there.
    let again = Postgres::start(&data_dir).await.expect("starts again");
    assert_eq!(count(&again).await, 1);
    assert_eq!(postgres.pid(), again.pid(), "the first user has the new server");
}

#[tokio::test]
async fn a_killed_user_leaves_a_server_that_the_next_one_joins_and_stops() {
    let (_directory, data_dir) = data_dir();
    let mut holder = Holder::spawn(&data_dir, &[]);
    let pid = holder.postgres_pid();
    holder.kill();

    let next = Postgres::start(&data_dir).await.expect("joins");
    assert_eq!(next.pid(), Some(pid));
    next.stop().await.expect("it is the last user");
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_server_outlives_this_user_while_another_process_uses_it() {
    let (_directory, data_dir) = data_dir();
    let mut holder = Holder::spawn(&data_dir, &[]);
    let pid = holder.postgres_pid();
    let joined = Postgres::start(&data_dir).await.expect("joins");
    joined.stop().await.expect("gives its share back");
    assert!(is_alive(pid));
    holder.kill();
    data_dir.remove().await.expect("nobody uses it: stopped and removed");
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn a_process_id_that_somebody_else_has_by_now_does_not_stop_a_start() {
    let (_directory, data_dir) = data_dir();
    let postgres = Postgres::start(&data_dir).await.expect("starts");
    write_one(&postgres).await;
    let pid_file = data_dir.path().join("postgres/data/postmaster.pid");
    let left = std::fs::read_to_string(&pid_file).expect("the server writes it");
    let owner = pid_file.metadata().expect("it is there");
    postgres.stop().await.expect("stops");

    // As after a reboot: a living process of the server's own user has the id.
    let sleeping = |seconds: &str| {
        let mut sleep = std::process::Command::new("sleep");
        if rustix::process::geteuid().is_root() {
            use std::os::unix::fs::MetadataExt as _;
            use std::os::unix::process::CommandExt as _;
            sleep.uid(owner.uid()).gid(owner.gid());
        }
        sleep.arg(seconds).spawn().expect("sleep runs")
    };
    let (_, rest) = left.split_once('\n').expect("several lines");
    let socket_lock = data_dir.path().join("postgres/socket/.s.PGSQL.5432.lock");
    let starts = async |pid: u32| {
        for file in [&pid_file, &socket_lock] {
            std::fs::create_dir_all(file.parent().expect("in a directory")).expect("it is there");
            std::fs::write(file, format!("{pid}\n{rest}")).expect("writable for us");
            own_like(file, &owner);
        }
        let again = Postgres::start(&data_dir).await.expect("starts again");
        assert_eq!(count(&again).await, 1);
        again.stop().await.expect("stops");
    };
    let mut other = sleeping("600");
    starts(other.id()).await;
    assert!(is_alive(other.id()), "the other process is left alone");
    other.kill().and_then(|()| other.wait()).expect("sleep ends");
    // As after a kill, while the parent has not asked for its end: a zombie, for as long as it likes.
    let mut zombie = sleeping("0");
    eventually("it is a zombie", || !is_alive(zombie.id()));
    starts(zombie.id()).await;
    zombie.wait().expect("it has ended");
}

fn own_like(path: &Path, model: &std::fs::Metadata) {
    use std::os::unix::fs::MetadataExt as _;
    std::os::unix::fs::chown(path, Some(model.uid()), Some(model.gid())).expect("may give it");
}

#[tokio::test]
async fn an_initdb_cut_short_is_begun_anew() {
    let (directory, data_dir) = data_dir();
    let bin = directory.path().join("bin");
    install_halting_initdb(&bin);
    let holder = Holder::spawn(&data_dir, &[("ORGLEDGER_POSTGRES_BIN", &bin)]);
    let home = data_dir.path().join("postgres");
    let halted = || {
        std::fs::read_dir(&home)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.path().join("halted").exists())
    };
    eventually("initdb is halfway", halted);
    holder.kill();

    let postgres = Postgres::start(&data_dir).await.expect("makes the cluster anew");
    write_one(&postgres).await;
    assert!(!halted(), "the half cluster is gone");
}

/// An `initdb` that stays halfway until whoever started it is gone.
fn install_halting_initdb(bin: &Path) {
    std::fs::create_dir(bin).expect("ours to create");
    let scripts = [
        ("postgres", "echo 'postgres (PostgreSQL) 99.1'\n"),
        (
            "initdb",
            "echo 99 > \"$2/PG_VERSION\"; touch \"$2/halted\"\n\
             while [ -d /proc/$PPID ]; do sleep 0.05; done\n",
        ),
    ];
    for (name, script) in scripts {
        let path = bin.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}")).expect("ours to write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
    }
}

#[tokio::test]
async fn a_tests_own_servers_can_be_killed_and_started_again() {
    let mut servers = TestServers::start().await.expect("starts");
    let (database_url, nats_url) = (servers.postgres().url("postgres"), servers.nats().url());
    write_one(servers.postgres()).await;
    servers.kill_postgres().await.expect("ends");
    servers.kill_nats().await.expect("ends");
    servers.start_postgres().await.expect("starts again");
    servers.start_nats().await.expect("starts again");
    assert_eq!(count(servers.postgres()).await, 1);
    assert_eq!(servers.postgres().url("postgres"), database_url);
    assert_eq!(servers.nats().url(), nats_url);
}
