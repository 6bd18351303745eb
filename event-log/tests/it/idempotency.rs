//! Idempotency keys: whatever happens, one key is one set of events and one answer.

use event_log::append::{Appended, Replay};
use event_log::{Append, AppendError, EventLog};
use futures::future::join_all;

use crate::support::{
    TestLog, append, assert_gapless, claim, claimed, claims, count, eventually, name_stream,
    release,
};

/// An append to a fresh stream under a key.
fn keyed(stream: &str, key: &str) -> Append {
    Append { claims: vec![claim(key, 2)], ..claims(stream, 0, 2) }
}

fn replay(result: Result<Appended, AppendError>) -> Replay {
    match result {
        Err(AppendError::Replayed(replay)) => *replay,
        other => panic!("a replay was expected: {other:?}"),
    }
}

/// What a caller does: decides again on a conflict, here on the same.
async fn insist(log: EventLog, append: Append) -> Result<Appended, AppendError> {
    loop {
        match log.append(append.clone()).await {
            Err(AppendError::Conflict(_)) => {}
            answer => return answer,
        }
    }
}

#[tokio::test]
async fn the_same_key_again_gives_the_first_answer_even_after_a_restart() {
    let log = TestLog::new().await;
    let appended = append(&log.open().await, keyed("a", "k")).await;
    let process = log.open().await;
    append(&process, claims("other", 0, 3)).await;
    // Another body: whoever asked compares the fingerprints.
    let mut again = keyed("b", "k");
    again.claims[0].fingerprint = [8; 32];
    let replay = replay(process.append(again).await);
    assert_eq!(replay.position, appended.last_position);
    assert_eq!(replay.outcome, r#"{"key":"k"}"#);
    assert_eq!((&*replay.scope, &*replay.key), ("member:1", "k"));
    assert_eq!(replay.fingerprint, [7; 32]);
    let looked_up = process.replays("member:1", &["k".to_owned(), "unused".to_owned()]).await;
    assert_eq!(looked_up.unwrap(), [replay]);
    assert!(process.replays("member:2", &["k".to_owned()]).await.unwrap().is_empty());
    assert_eq!(count(&log.entries().await), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_in_many_tasks_of_two_processes_is_one_set_of_events() {
    let log = TestLog::new().await;
    let processes = [log.open().await, log.open().await];
    // Each on a stream of its own, so that the key alone is in their way.
    let tasks = (0..20).map(|n| {
        let append = keyed(&format!("stream-{n}"), "the key");
        tokio::spawn(insist(processes[n % 2].clone(), append))
    });
    let answers = join_all(tasks.collect::<Vec<_>>()).await;
    let (won, lost): (Vec<_>, Vec<_>) =
        answers.into_iter().map(Result::unwrap).partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    let position = won[0].as_ref().unwrap().last_position;
    assert!(lost.into_iter().all(|answer| replay(answer).position == position));
    assert_eq!(count(&log.entries().await), 2);
}

#[tokio::test]
async fn one_key_in_one_batch_is_one_set_of_events_and_neighbours_go_through() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&log.open().await, keyed("old", "used")).await;
    let holder = log.hold_head().await;
    let plug = process.append(claims("plug", 0, 1));
    let appends = [
        keyed("a", "k"),
        keyed("b", "k"),
        claims("c", 0, 1),
        keyed("d", "used"),
        claims("e", 0, 1),
    ];
    let batch = async {
        log.waiting_for_locks(1).await;
        let batch = join_all(appends.map(|append| process.append(append)));
        let release = async {
            eventually("all of them wait", async || process.queue_depth() == 5).await;
            release(holder).await;
        };
        tokio::join!(batch, release).0
    };
    let (plug, mut results) = tokio::join!(plug, batch);
    plug.unwrap();
    results.remove(4).unwrap();
    assert_eq!(replay(results.remove(3)).position, 2);
    results.remove(2).unwrap();
    assert!(
        matches!(results.remove(1), Err(AppendError::Conflict(_))),
        "it comes back, and finds:"
    );
    let first = results.remove(0).unwrap();
    assert_eq!(replay(process.append(keyed("b", "k")).await).position, first.last_position);
    let entries = log.entries().await;
    assert_gapless(&entries);
    assert_eq!(count(&entries), 2 + 1 + 2 + 1 + 1);
}

#[tokio::test]
async fn each_command_of_an_append_has_the_position_of_its_own_last_event() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, claims("before", 0, 4)).await;
    let events = ["a", "b", "c"].map(|id| claimed(id, "x")).to_vec();
    // Four commands: none, two, none and one event.
    let claims = vec![claim("k0", 0), claim("k1", 2), claim("k2", 2), claim("k3", 3)];
    let expected = ["a", "b", "c"].map(|id| (name_stream(id), 0)).to_vec();
    append(&process, Append { events, expected, claims, ..Append::default() }).await;
    let keys = ["k0", "k1", "k2", "k3"].map(str::to_owned);
    let mut replays = process.replays("member:1", &keys).await.unwrap();
    replays.sort_by(|a, b| a.key.cmp(&b.key));
    let positions: Vec<i64> = replays.iter().map(|replay| replay.position).collect();
    assert_eq!(positions, [4, 6, 6, 7]);
}

#[tokio::test]
async fn a_command_without_events_is_remembered_too() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, claims("a", 0, 3)).await;
    let nothing_to_do = Append { claims: vec![claim("k", 0)], ..Append::default() };
    append(&process, nothing_to_do.clone()).await;
    append(&process, claims("a", 3, 1)).await;
    assert_eq!(replay(process.append(nothing_to_do).await).position, 3);
}

#[tokio::test]
async fn one_key_twice_in_one_append_is_refused_and_blocks_nobody() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let twice = Append { claims: vec![claim("k", 1), claim("k", 2)], ..claims("a", 0, 2) };
    let refused = crate::support::in_time("an answer", process.append(twice)).await;
    assert!(matches!(refused, Err(AppendError::Conflict(_))), "{refused:?}");
    append(&process, keyed("a", "k")).await;
}

#[tokio::test]
async fn a_refused_append_leaves_its_key_unused() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, claims("a", 0, 1)).await;
    let refused = process.append(keyed("a", "k")).await;
    assert!(matches!(refused, Err(AppendError::Conflict(_))), "{refused:?}");
    append(&process, keyed("b", "k")).await;
}
