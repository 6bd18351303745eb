//! Conflicts: who wins, who loses, and who is not concerned.

use event_log::{Append, AppendError, EventLog};
use futures::future::join_all;

use crate::support::{
    TestLog, append, assert_gapless, claimed, claims, conflict, count, eventually, name_stream,
    release,
};

/// Has all of these waiting together before the appender takes any of them: one batch.
async fn in_one_batch(
    log: &TestLog,
    process: &EventLog,
    appends: Vec<Append>,
) -> Vec<Result<event_log::append::Appended, AppendError>> {
    let holder = log.hold_head().await;
    let many = appends.len();
    let plug = process.append(claims("plug", 0, 1));
    let batch = async {
        log.waiting_for_locks(1).await;
        let batch = join_all(appends.into_iter().map(|append| process.append(append)));
        let release = async {
            eventually("all of them wait", async || process.queue_depth() == many).await;
            release(holder).await;
        };
        tokio::join!(batch, release).0
    };
    let (plug, results) = tokio::join!(plug, batch);
    plug.expect("the plug is in nobody's way");
    results
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_concurrent_appends_on_the_same_sequence_wins() {
    let log = TestLog::new().await;
    let processes = [log.open().await, log.open().await];
    for sequence in 0..5 {
        let tasks = (0..24).map(|n| {
            let process = processes[n % 2].clone();
            tokio::spawn(async move { process.append(claims("contended", sequence, 1)).await })
        });
        let results = join_all(tasks.collect::<Vec<_>>()).await;
        let (won, lost): (Vec<_>, Vec<_>) =
            results.into_iter().map(Result::unwrap).partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        assert!(lost.into_iter().all(|r| conflict(r) == name_stream("contended")));
    }
    assert_eq!(count(&log.entries().await), 5);
}

#[tokio::test]
async fn a_conflict_does_not_fail_its_batch_neighbours() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, claims("taken", 0, 1)).await;
    let batch = vec![claims("a", 0, 2), claims("taken", 0, 1), claims("b", 0, 1)];
    let mut results = in_one_batch(&log, &process, batch).await;
    assert_eq!(conflict(results.remove(1)), name_stream("taken"));
    let (a, b) = (results.remove(0).unwrap(), results.remove(0).unwrap());
    assert_eq!((a.first_position, a.last_position, b.first_position), (3, 4, 5));
    assert_eq!(a.recorded_at, b.recorded_at, "they were one batch");
    assert_gapless(&log.entries().await);
}

#[tokio::test]
async fn within_a_batch_the_first_one_wins() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let reads_a = Append {
        events: vec![claimed("b", "x")],
        expected: vec![(name_stream("b"), 0), (name_stream("a"), 0)],
        claims: Vec::new(),
        ..Append::default()
    };
    let batch = vec![claims("a", 0, 1), claims("a", 0, 1), reads_a, claims("a", 1, 1)];
    let mut results = in_one_batch(&log, &process, batch).await;
    assert!(results.pop().unwrap().is_ok(), "it expected what the first one left");
    assert_eq!(conflict(results.pop().unwrap()), name_stream("a"));
    assert_eq!(conflict(results.pop().unwrap()), name_stream("a"));
    assert!(results.pop().unwrap().is_ok());
    assert_eq!(count(&log.entries().await), 3);
}

#[tokio::test]
async fn a_stream_that_was_only_read_must_not_have_moved() {
    let log = TestLog::new().await;
    let [one, other] = [log.open().await, log.open().await];
    append(&one, claims("roster", 0, 1)).await;
    let decided_at = |roster| Append {
        events: vec![claimed("key", "x")],
        expected: vec![(name_stream("key"), 0), (name_stream("roster"), roster)],
        claims: Vec::new(),
        ..Append::default()
    };
    // The permission is withdrawn by another process, of which this one has heard nothing.
    append(&other, claims("roster", 1, 1)).await;
    assert_eq!(conflict(one.append(decided_at(1)).await), name_stream("roster"));
    assert_eq!(count(&log.entries().await), 2);
    append(&one, decided_at(2)).await;
}

#[tokio::test]
async fn an_appender_sees_streams_that_another_process_moved() {
    let log = TestLog::new().await;
    let [one, other] = [log.open().await, log.open().await];
    append(&one, claims("a", 0, 1)).await;
    append(&other, claims("a", 1, 1)).await;
    append(&other, claims("b", 0, 1)).await;
    assert_eq!(conflict(one.append(claims("a", 1, 1)).await), name_stream("a"));
    append(&one, claims("a", 2, 1)).await;
    append(&one, claims("b", 1, 1)).await;
    assert_eq!(conflict(other.append(claims("a", 2, 1)).await), name_stream("a"));
    assert_gapless(&log.entries().await);
}

#[tokio::test]
async fn an_appender_sees_streams_that_another_process_moved_among_very_many() {
    let log = TestLog::new().await;
    let [one, other] = [log.open().await, log.open().await];
    append(&one, claims("a", 0, 1)).await;
    // More than an appender reads up on: it forgets what it knew.
    append(&other, claims("bulk", 0, 10_500)).await;
    append(&other, claims("a", 1, 1)).await;
    assert_eq!(conflict(one.append(claims("a", 1, 1)).await), name_stream("a"));
    append(&one, claims("a", 2, 1)).await;
    append(&one, claims("bulk", 10_500, 1)).await;
}

#[tokio::test]
async fn a_stream_from_the_future_is_a_conflict_too() {
    let log = TestLog::new().await;
    let process = log.open().await;
    assert_eq!(conflict(process.append(claims("a", 1, 1)).await), name_stream("a"));
    append(&process, claims("a", 0, 1)).await;
}
