//! Reading the log from its stream: exactly the log, and never past a gap.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use event_log::relay::{JetStreamConfig, JetStreamReader, ReaderError};

use crate::relaying::{
    append_batch, append_some, assert_complete, context, entries_of, messages, own_stream,
    published, read_upto, relayed, start,
};
use crate::support::{TestLog, append, claims, in_time};

#[tokio::test]
async fn pages_of_any_size_are_exactly_the_log() {
    let (log, process, config, relay) = relayed().await;
    append_batch(&process, "batch", 3).await;
    append_some(&process, "second").await;
    published(&config, 23).await;
    let whole = log.entries().await;
    for size in [1, 2, 3, 7, 100] {
        let mut reader = JetStreamReader::open(&config, 0, None).await.unwrap();
        assert_eq!(reader.head().await.unwrap(), 23);
        assert_eq!(read_upto(&mut reader, size, 23).await, whole);
        assert!(reader.log_id().is_some());
    }
    relay.stop().await;
}

#[tokio::test]
async fn a_reader_waits_for_what_is_not_there_yet_and_may_stop_waiting() {
    let (log, process, config, relay) = relayed().await;
    let mut reader = JetStreamReader::open(&config, 0, None).await.unwrap();
    let mut read = read_upto(&mut reader, 100, 10).await;
    for n in 0..20 {
        append(&process, claims(&format!("n{n}"), 0, 1)).await;
        // Given up again and again, at any moment.
        in_time("the event", async {
            loop {
                let wait = Duration::from_micros(50 + 40 * n);
                if let Ok(page) = tokio::time::timeout(wait, reader.next_page(100)).await {
                    return read.extend(entries_of(&page.unwrap()));
                }
            }
        })
        .await;
    }
    relay.stop().await;
    assert_eq!(read, log.entries().await);
}

#[tokio::test]
async fn a_reader_starts_after_a_position_with_a_hint_or_without() {
    let (log, _process, config, relay) = relayed().await;
    relay.stop().await;
    let rest = log.entries().await.split_off(8);
    // Six messages: three events, a batch, two events. The fourth ends at position 8.
    for hint in [Some(4), None, Some(0), Some(3), Some(6), Some(999)] {
        let mut reader = JetStreamReader::open(&config, 8, hint).await.unwrap();
        let page = in_time("a page", reader.next_page(1)).await.unwrap();
        assert_eq!(entries_of(&page), rest[..1], "{hint:?}");
        assert_eq!((page.after, page.upto, page.stream_sequence), (8, 9, 5), "{hint:?}");
        assert_eq!(read_upto(&mut reader, 100, 10).await, rest[1..], "{hint:?}");
    }
}

#[tokio::test]
async fn a_reader_that_stands_within_a_run_gets_the_rest_of_it() {
    let (log, _process, config, relay) = relayed().await;
    relay.stop().await;
    let mut reader = JetStreamReader::open(&config, 5, None).await.unwrap();
    assert_eq!(read_upto(&mut reader, 1, 10).await, log.entries().await.split_off(5));
}

/// A stream with some of the messages of another.
async fn copy(from: &JetStreamConfig, without: &[usize]) -> JetStreamConfig {
    let to = own_stream();
    let context = context(&to).await;
    let subjects = vec![format!("{}.>", to.subject_prefix)];
    let settings = Config { name: to.stream.clone(), subjects, ..Config::default() };
    context.create_stream(settings).await.expect("the server makes it");
    fill(&to, from, without).await;
    to
}

async fn fill(to: &JetStreamConfig, from: &JetStreamConfig, without: &[usize]) {
    let context = context(to).await;
    for (number, message) in messages(from).await.into_iter().enumerate() {
        if !without.contains(&number) {
            let subject = message.subject.replace(&from.subject_prefix, &to.subject_prefix);
            let ack = context.publish(subject, message.payload).await.expect("it is sent");
            ack.await.expect("it is stored");
        }
    }
}

fn gap(result: Result<event_log::relay::StreamPage, ReaderError>) -> (i64, i64) {
    match result {
        Err(ReaderError::Gap { expected, found }) => (expected, found),
        other => panic!("a gap was expected: {other:?}"),
    }
}

#[tokio::test]
async fn a_gap_is_told_and_never_read_over() {
    let (log, _process, config, relay) = relayed().await;
    relay.stop().await;
    // Without the batch at positions 4 to 8.
    let gapped = copy(&config, &[3]).await;
    let mut reader = JetStreamReader::open(&gapped, 0, None).await.unwrap();
    let before = read_upto(&mut reader, 100, 3).await;
    for _ in 0..3 {
        assert_eq!(gap(in_time("an answer", reader.next_page(100)).await), (4, 9));
    }
    let mut late = JetStreamReader::open(&gapped, 5, Some(3)).await.unwrap();
    assert_eq!(gap(in_time("an answer", late.next_page(100)).await), (6, 9));
    // Somebody has the stream filled again: the caller who tries again gets the rest.
    let stream = context(&gapped).await.get_stream(&gapped.stream).await.unwrap();
    stream.purge().await.unwrap();
    fill(&gapped, &config, &[]).await;
    let mut read = before;
    read.extend(read_upto(&mut reader, 100, 10).await);
    assert_eq!(read, log.entries().await);
}

#[tokio::test]
async fn a_reader_outlives_its_stream() {
    let (log, process, config, relay) = relayed().await;
    let mut reader = JetStreamReader::open(&config, 0, None).await.unwrap();
    let mut read = read_upto(&mut reader, 100, 10).await;
    context(&config).await.delete_stream(&config.stream).await.unwrap();
    append_some(&process, "second").await;
    published(&config, 20).await;
    in_time("the rest", async {
        while read.len() < 20 {
            match reader.next_page(100).await {
                Ok(page) => read.extend(entries_of(&page)),
                // The stream was not there for a moment.
                Err(ReaderError::Nats(_)) => tokio::task::yield_now().await,
                Err(other) => panic!("{other}"),
            }
        }
    })
    .await;
    relay.stop().await;
    assert_eq!(read, log.entries().await);
    assert_complete(&config, 20).await;
}

#[tokio::test]
async fn a_stream_that_changes_hands_is_told() {
    let (_log, _process, config, relay) = relayed().await;
    let mut reader = JetStreamReader::open(&config, 0, None).await.unwrap();
    read_upto(&mut reader, 100, 10).await;
    relay.stop().await;
    context(&config).await.delete_stream(&config.stream).await.unwrap();
    let other = TestLog::new().await;
    append_some(&other.open().await, "some").await;
    append_some(&other.open().await, "more").await;
    let relay = start(&other.options(), &config).await;
    published(&config, 20).await;
    in_time("word of it", async {
        loop {
            match reader.next_page(100).await {
                Err(ReaderError::OtherLog { .. }) => return,
                Err(ReaderError::Nats(_)) => tokio::task::yield_now().await,
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    relay.stop().await;
}
