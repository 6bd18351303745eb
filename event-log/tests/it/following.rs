//! Following: everybody hears when the head has moved.

use event_log::HeadWatch;
use event_log::usage::UsageWriter;
use sqlx::Executor as _;

use crate::support::{TestLog, append, claims, in_time, organization, usage, usage_write};

#[tokio::test]
async fn a_watch_hears_of_other_processes_appends_and_of_both_lanes() {
    let log = TestLog::new().await;
    let [here, there] = [log.open().await, log.open().await];
    let mut watch = HeadWatch::start(here.pool().clone(), Some(here.own_head()));
    assert_eq!(watch.head(), 0);
    append(&there, claims("a", 0, 2)).await;
    in_time("another process's append", watch.beyond(1)).await;
    assert_eq!(watch.head(), 2);
    append(&here, claims("b", 0, 1)).await;
    in_time("its own append", watch.beyond(2)).await;
    let write = usage_write(organization(1), vec![usage("r", "2026-03-01T12:00:00Z")]);
    UsageWriter::new(&there).write(&write).await.unwrap();
    in_time("usage", watch.beyond(3)).await;
    assert_eq!(watch.head(), 4);
}

#[tokio::test]
async fn a_watch_starts_at_the_head_and_survives_its_connection() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, claims("a", 0, 5)).await;
    let mut watch = HeadWatch::start(process.pool().clone(), None);
    in_time("what was there before", watch.beyond(4)).await;
    (&mut log.owner().await)
        .execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    append(&log.open().await, claims("b", 0, 1)).await;
    in_time("an append after that", watch.beyond(5)).await;
}
