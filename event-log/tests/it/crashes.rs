//! Connections and servers that die: what was acknowledged is there once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use embedded::testing::TestServers;
use event_log::database::{Holds, Role, connect, migrate};
use event_log::{AppendError, EventLog, HeadWatch};
use sqlx::Executor as _;
use uuid::Uuid;

use crate::support::{
    Entry, TestLog, append, assert_gapless, claims, entries, eventually, in_time,
};

/// What became of an append: what its caller heard.
enum Heard {
    Done,
    Nothing,
    NotKnown,
}

/// Appends to a stream of its own until told to stop, and notes what it heard of each event.
async fn keep_appending(log: EventLog, id: String, stop: Arc<AtomicBool>) -> HashMap<Uuid, Heard> {
    let mut heard = HashMap::new();
    let mut sequence = 0;
    while !stop.load(Ordering::Relaxed) {
        let next = claims(&id, sequence, 1);
        let event_id = next.events[0].event_id;
        let what = match log.append(next).await {
            Ok(_) => {
                sequence += 1;
                Heard::Done
            }
            Err(AppendError::Database(_)) => Heard::Nothing,
            Err(AppendError::Unknown(_)) => Heard::NotKnown,
            // The append of which nothing was known had happened after all.
            Err(AppendError::Conflict(_)) => {
                sequence += 1;
                Heard::Nothing
            }
            Err(other) => panic!("{other}"),
        };
        heard.insert(event_id, what);
    }
    heard
}

fn assert_kept(entries: &[Entry], heard: &HashMap<Uuid, Heard>) {
    let mut times: HashMap<Uuid, usize> = HashMap::new();
    for entry in entries {
        if let Entry::Event(event) = entry {
            *times.entry(event.event_id).or_default() += 1;
        }
    }
    for (event_id, what) in heard {
        let times = times.get(event_id).copied().unwrap_or(0);
        match what {
            Heard::Done => assert_eq!(times, 1, "acknowledged"),
            Heard::Nothing => assert_eq!(times, 0, "refused"),
            Heard::NotKnown => assert!(times <= 1),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_killed_under_load_lose_nothing_acknowledged() {
    let log = TestLog::new().await;
    let processes = [log.open().await, log.open().await];
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let process = processes[n % 2].clone();
            tokio::spawn(keep_appending(process, format!("name-{n}"), Arc::clone(&stop)))
        })
        .collect();
    let mut owner = log.owner().await;
    let mut head = 0;
    for _ in 0..12 {
        eventually("the log grows again", async || {
            let now: i64 = sqlx::query_scalar("select position from log.head")
                .fetch_one(&mut owner)
                .await
                .unwrap();
            now >= head + 40
        })
        .await;
        let killed: i64 = sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .fetch_one(&mut owner)
        .await
        .unwrap();
        assert!(killed > 0);
        head = sqlx::query_scalar("select position from log.head")
            .fetch_one(&mut owner)
            .await
            .unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let mut heard = HashMap::new();
    for task in tasks {
        heard.extend(in_time("the task ends", task).await.unwrap());
    }
    let entries = log.entries().await;
    assert_gapless(&entries);
    assert_kept(&entries, &heard);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_killed_under_load_loses_nothing_acknowledged() {
    let mut servers = TestServers::start_postgres_only().await.expect("it starts");
    let options = servers.postgres().connect_options();
    migrate(&options, Holds::LogAndReadModels).await.unwrap();
    let log = EventLog::open(&options, crate::support::master_keys()).await.unwrap();
    let mut watch = HeadWatch::start(log.pool().clone(), None);
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..4)
        .map(|n| tokio::spawn(keep_appending(log.clone(), format!("name-{n}"), Arc::clone(&stop))))
        .collect();
    for _ in 0..2 {
        let head = watch.head();
        in_time("the log grows", watch.beyond(head + 20)).await;
        servers.kill_postgres().await.unwrap();
        servers.start_postgres().await.unwrap();
    }
    let head = watch.head();
    in_time("the log grows again, and its watch hears of it", watch.beyond(head + 20)).await;
    stop.store(true, Ordering::Relaxed);
    let mut heard = HashMap::new();
    for task in tasks {
        heard.extend(in_time("the task ends", task).await.unwrap());
    }
    let mut reader = connect(&options, Role::Projector).await.unwrap();
    let entries = entries(&mut reader, 1_000).await;
    assert_gapless(&entries);
    assert_kept(&entries, &heard);
}

#[tokio::test]
async fn an_appender_finds_its_way_back_after_its_connection_was_killed() {
    let log = TestLog::new().await;
    let [process, other] = [log.open().await, log.open().await];
    append(&process, claims("a", 0, 1)).await;
    (&mut log.owner().await)
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    append(&other, claims("a", 1, 1)).await;
    append(&process, claims("a", 2, 1)).await;
}
