//! The usage lane, many senders at once: every request counts once.

use std::collections::HashSet;

use event_log::usage::{Fate, NewUsage, UsageWriteError, UsageWriter, UsageWritten};
use futures::future::join_all;

use crate::support::{
    Entry, TestLog, append, assert_gapless, claims, count, differing, organization, release, usage,
    usage_write,
};

/// Writes until it gets through.
async fn insist(writer: UsageWriter, records: Vec<NewUsage>) -> UsageWritten {
    let write = usage_write(organization(1), records);
    loop {
        match writer.write(&write).await {
            Ok(written) => return written,
            Err(UsageWriteError::Contended) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

fn requests(entries: &[Entry]) -> Vec<&str> {
    let usage = entries.iter().filter_map(|entry| match entry {
        Entry::Usage(_, record) => Some(record.request_id.as_str()),
        Entry::Event(_) => None,
    });
    usage.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn overlapping_batches_of_many_senders_record_each_request_once() {
    const TASKS: usize = 8;
    const ROUNDS: usize = 6;
    let log = TestLog::new().await;
    let processes = [log.open().await, log.open().await];
    let writers = [UsageWriter::new(&processes[0]), UsageWriter::new(&processes[1])];
    let tasks = (0..TASKS).map(|task| {
        let (writer, process) = (writers[task % 2].clone(), processes[task % 2].clone());
        tokio::spawn(async move {
            let mut recorded = 0;
            for round in 0..ROUNDS {
                // 40 requests, of which the next sender has half, over two months.
                let numbers = (task * 20..task * 20 + 40).map(|n| n % (TASKS * 20));
                let day =
                    |n| if n % 2 == 0 { "2026-02-28T12:00:00Z" } else { "2026-03-01T12:00:00Z" };
                let records: Vec<_> =
                    numbers.map(|n| usage(&format!("{round}/{n}"), day(n))).collect();
                let written = insist(writer.clone(), records).await;
                assert_eq!(written.fates.len(), 40);
                assert!(!written.fates.contains(&Fate::Conflict));
                let fresh = |fate: &&Fate| matches!(fate, Fate::Recorded { .. });
                recorded += written.fates.iter().filter(fresh).count();
                append(&process, claims(&format!("{task}/{round}"), 0, 1)).await;
            }
            recorded
        })
    });
    let done = join_all(tasks.collect::<Vec<_>>()).await;
    let recorded: usize = done.into_iter().map(Result::unwrap).sum();
    let entries = log.entries().await;
    assert_gapless(&entries);
    let requests = requests(&entries);
    assert_eq!(requests.len(), TASKS * 20 * ROUNDS);
    assert_eq!(requests.iter().collect::<HashSet<_>>().len(), requests.len());
    assert_eq!(recorded, requests.len(), "each was told to exactly one sender");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn around_midnight_one_request_counts_once_whoever_is_first() {
    let log = TestLog::new().await;
    let writers = [UsageWriter::new(&log.open().await), UsageWriter::new(&log.open().await)];
    for round in 0..12 {
        let request = format!("r{round}");
        let sends =
            ["2026-02-28T23:59:00Z", "2026-03-01T00:01:00Z"].map(|time| usage(&request, time));
        let both = sends
            .into_iter()
            .zip(&writers)
            .map(|(record, writer)| tokio::spawn(insist(writer.clone(), vec![record])));
        let mut fates: Vec<Fate> = join_all(both.collect::<Vec<_>>())
            .await
            .into_iter()
            .map(|written| written.unwrap().fates[0])
            .collect();
        fates.sort_by_key(|fate| *fate == Fate::Duplicate);
        assert!(matches!(fates[..], [Fate::Recorded { .. }, Fate::Duplicate]), "{fates:?}");
    }
    assert_eq!(count(&log.entries().await), 12);
}

/// Two senders have copied their rows and wait for the head, the first one in front.
async fn overtaken(first: Vec<NewUsage>, second: Vec<NewUsage>) -> [UsageWritten; 2] {
    let log = TestLog::new().await;
    let writers = [UsageWriter::new(&log.open().await), UsageWriter::new(&log.open().await)];
    let holder = log.hold_head().await;
    let first = tokio::spawn(insist(writers[0].clone(), first));
    log.waiting_for_locks(1).await;
    let second = tokio::spawn(insist(writers[1].clone(), second));
    log.waiting_for_locks(2).await;
    release(holder).await;
    let written = [first, second].map(|task| async { task.await.expect("it ends") });
    let written: [UsageWritten; 2] = join_all(written).await.try_into().expect("two");
    let entries = log.entries().await;
    assert_gapless(&entries);
    written
}

#[tokio::test]
async fn whoever_is_overtaken_around_midnight_finds_out_at_the_head() {
    let evening = usage("r", "2026-02-28T23:59:00Z");
    let morning = usage("r", "2026-03-01T00:01:00Z");
    let [first, second] =
        overtaken(vec![evening.clone()], vec![morning.clone(), usage("s", "2026-03-01T00:01:00Z")])
            .await;
    assert_eq!(first.fates, [Fate::Recorded { position: 1 }]);
    assert_eq!(second.fates, [Fate::Duplicate, Fate::Recorded { position: 2 }]);
    // With other content it is a conflict, and so is what repeats that content in the batch.
    let again = vec![differing(morning.clone()), differing(morning), evening.clone()];
    let [first, second] = overtaken(vec![evening], again).await;
    assert_eq!(first.fates, [Fate::Recorded { position: 1 }]);
    assert_eq!(second.fates, [Fate::Conflict, Fate::Conflict, Fate::Duplicate]);
}

#[tokio::test]
async fn whoever_copies_a_request_that_is_being_written_finds_out_at_its_commit() {
    let record = usage("r", "2026-03-01T12:00:00Z");
    let [first, second] = overtaken(
        vec![record.clone()],
        vec![differing(record), usage("s", "2026-03-01T12:00:00Z")],
    )
    .await;
    assert_eq!(first.fates, [Fate::Recorded { position: 1 }]);
    assert_eq!(second.fates, [Fate::Conflict, Fate::Recorded { position: 2 }]);
}
