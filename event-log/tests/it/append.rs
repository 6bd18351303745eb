//! Appending: positions, sequences, times, and a full queue.

use std::collections::HashMap;

use event_log::database::Role;
use event_log::read::read_page;
use event_log::usage::UsageWriter;
use event_log::{Append, AppendError};
use event_schemas::RecordedEvent;
use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt as _};
use sqlx::Executor as _;

use crate::support::{
    Entry, TestLog, append, assert_gapless, claimed, claims, count, eventually, in_time,
    name_stream, organization, release, usage, usage_write,
};

fn events(entries: &[Entry]) -> Vec<&RecordedEvent> {
    let events = entries.iter().filter_map(|entry| match entry {
        Entry::Event(event) => Some(event),
        Entry::Usage(..) => None,
    });
    events.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn positions_are_gapless_and_in_commit_order_under_many_appenders() {
    const TASKS: usize = 8;
    const APPENDS: usize = 40;
    let log = TestLog::new().await;
    let processes = [log.open().await, log.open().await];
    let tasks = (0..TASKS).map(|task| {
        let process = processes[task % 2].clone();
        tokio::spawn(async move {
            let (id, mut sequence) = (format!("name-{task}"), 0);
            for n in 0..APPENDS {
                let events = n % 3 + 1;
                let appended = append(&process, claims(&id, sequence, events)).await;
                sequence += i64::try_from(events).unwrap();
                let span = appended.last_position - appended.first_position + 1;
                assert_eq!(span, i64::try_from(events).unwrap());
            }
            sequence
        })
    });
    let writing = join_all(tasks.collect::<Vec<_>>());
    // A reader that follows meanwhile never sees a position before the one in front of it.
    let following = async {
        let mut connection = log.connect(Role::Projector).await;
        let mut after = 0;
        loop {
            let page = read_page(&mut connection, after, 1_000).await.expect("no hole, ever");
            after = page.upto;
            tokio::task::yield_now().await;
        }
    };
    let written: i64 = tokio::select! {
        written = writing => written.into_iter().map(Result::unwrap).sum(),
        () = following => unreachable!(),
    };
    let entries = log.entries().await;
    assert_gapless(&entries);
    assert_eq!(count(&entries), written);
    let mut sequences: HashMap<&str, i64> = HashMap::new();
    for event in events(&entries) {
        let sequence = sequences.entry(&event.aggregate_id).or_default();
        *sequence += 1;
        assert_eq!(event.sequence, *sequence, "{}", event.aggregate_id);
    }
}

#[tokio::test]
async fn an_append_is_one_run_of_positions_with_its_events_in_order() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, claims("a", 0, 2)).await;
    let both = Append {
        events: vec![claimed("b", "0"), claimed("a", "1"), claimed("b", "2")],
        expected: vec![(name_stream("a"), 2), (name_stream("b"), 0)],
        claims: Vec::new(),
        ..Append::default()
    };
    let ids: Vec<_> = both.events.iter().map(|event| event.event_id).collect();
    let appended = append(&process, both).await;
    assert_eq!((appended.first_position, appended.last_position), (3, 5));
    let entries = log.entries().await;
    let written = &events(&entries)[2..];
    assert_eq!(written.iter().map(|event| event.event_id).collect::<Vec<_>>(), ids);
    let places: Vec<_> = written.iter().map(|e| (&*e.aggregate_id, e.sequence)).collect();
    assert_eq!(places, [("b", 1), ("a", 3), ("b", 2)]);
    assert_eq!(written[0].recorded_at, appended.recorded_at);
    assert_eq!(written[0].payload, serde_json::json!({"type": "name.claimed", "holder_id": "0"}));
    assert_eq!(written[0].metadata["actor_id"], "test");
}

#[tokio::test]
async fn a_stream_that_was_not_named_as_expected_goes_on_where_it_stands() {
    let log = TestLog::new().await;
    append(&log.open().await, claims("a", 0, 2)).await;
    let unconditional = Append { events: vec![claimed("a", "x")], ..Append::default() };
    append(&log.open().await, unconditional).await;
    assert_eq!(events(&log.entries().await)[2].sequence, 3);
}

#[tokio::test]
async fn an_append_without_events_stands_at_the_head() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, claims("a", 0, 3)).await;
    let appended = append(&process, Append::default()).await;
    assert_eq!((appended.first_position, appended.last_position), (4, 3));
    assert_eq!(process.head().await.unwrap(), 3);
}

#[tokio::test]
async fn recorded_at_never_goes_back_when_the_clock_does() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let mut owner = log.owner().await;
    // As if the machine's clock had been an hour ahead until now.
    (&mut owner)
        .execute(
            "set session_replication_role = replica;
             update log.head set recorded_at = clock_timestamp() + interval '1 hour'",
        )
        .await
        .unwrap();
    let ahead: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select recorded_at from log.head").fetch_one(&mut owner).await.unwrap();
    assert_eq!(append(&process, claims("a", 0, 1)).await.recorded_at, ahead);
    let write = usage_write(organization(1), vec![usage("r", "2026-03-01T12:00:00Z")]);
    UsageWriter::new(&process).write(&write).await.unwrap();
    assert_eq!(append(&process, claims("a", 1, 1)).await.recorded_at, ahead);
    let page = read_page(&mut owner, 0, 10).await.unwrap();
    assert_eq!(page.usage[0].recorded_at, ahead);
}

#[tokio::test]
async fn a_full_queue_is_overloaded_at_once_and_loses_nothing() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let holder = log.hold_head().await;
    let plug = append(&process, claims("plug", 0, 1));
    let crowd = async {
        // The appender has taken the first and waits for the head.
        log.waiting_for_locks(1).await;
        let mut waiting: FuturesUnordered<_> =
            (0..20_000).map(|n| process.append(claims(&format!("n{n}"), 0, 1))).collect();
        let refused = in_time("a refusal", waiting.next()).await.unwrap();
        assert!(matches!(refused, Err(AppendError::Overloaded)), "{refused:?}");
        release(holder).await;
        let mut done = 0;
        while let Some(result) = waiting.next().await {
            match result {
                Ok(_) => done += 1,
                Err(AppendError::Overloaded) => {}
                Err(other) => panic!("{other}"),
            }
        }
        done
    };
    let (_, done) = tokio::join!(plug, crowd);
    assert!(done >= 8_192, "{done}");
    assert_eq!(process.head().await.unwrap(), done + 1);
    eventually("the queue is empty", async || process.queue_depth() == 0).await;
}

#[tokio::test]
async fn what_the_database_refuses_fails_alone() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let first = claimed("a", "x");
    let again = first.clone();
    append(&process, Append { events: vec![first], ..Append::default() }).await;
    let holder = log.hold_head().await;
    let plug = process.append(claims("plug", 0, 1));
    let batch = async {
        log.waiting_for_locks(1).await;
        // An event id that is there already: no check of ours looks for that.
        let refused = Append { events: vec![again], ..Append::default() };
        let batch =
            join_all([claims("b", 0, 1), refused, claims("c", 0, 1)].map(|a| process.append(a)));
        let release = async {
            eventually("all three wait", async || process.queue_depth() == 3).await;
            release(holder).await;
        };
        tokio::join!(batch, release).0
    };
    let (plug, batch) = tokio::join!(plug, batch);
    plug.unwrap();
    assert!(batch[0].is_ok() && batch[2].is_ok(), "{batch:?}");
    assert!(matches!(batch[1], Err(AppendError::Database(_))), "{batch:?}");
    assert_gapless(&log.entries().await);
}
