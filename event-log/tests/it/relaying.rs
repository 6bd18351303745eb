//! What the relay's tests share: streams of their own, relays that run, and what a stream holds.

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::{self, stream::Stream};
use async_nats::{ConnectOptions, ServerAddr};
use embedded::testing::{test_nats_url, unique_name};
use event_log::HeadWatch;
use event_log::database::{Role, pool};
use event_log::relay::{JetStreamConfig, JetStreamReader, Refused, Relay, RelayConfig, StreamPage};
use event_log::usage::UsageWriter;
use event_log::{Append, EventLog};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{
    Entry, TestLog, append, claims, eventually, in_time, organization, usage, usage_write,
};

/// A stream of this test's own on the shared server.
pub(crate) fn own_stream() -> JetStreamConfig {
    let name = unique_name();
    JetStreamConfig {
        stream: name.to_uppercase(),
        subject_prefix: name,
        ..JetStreamConfig::new(test_nats_url())
    }
}

/// A relay at work.
pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Refused>>,
}

pub(crate) async fn start(log: &PgConnectOptions, jetstream: &JetStreamConfig) -> Running {
    let reading = pool(log, Role::Relay, 2).await.expect("the log is there");
    let relay = Relay::new(RelayConfig {
        log: log.clone(),
        jetstream: jetstream.clone(),
        head: HeadWatch::start(reading, None),
    });
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(relay.run(async {
        let _ = stopped.await;
    }));
    Running { stop, task }
}

impl Running {
    /// Stops it, and waits until it has stopped.
    pub(crate) async fn stop(self) {
        self.stop.send(()).expect("it runs");
        let ended = in_time("the relay stops", self.task).await;
        ended.expect("it did not panic").expect("nothing was refused");
    }

    /// Waits until it gives up, and gives the reason.
    pub(crate) async fn refused(self) -> Refused {
        let ended = in_time("the relay refuses", self.task).await;
        ended.expect("it did not panic").expect_err("refused")
    }
}

/// Appends events and usage records by turns; the log stands at 10 more than before.
pub(crate) async fn append_some(log: &EventLog, label: &str) {
    append(log, claims(&format!("{label} a"), 0, 3)).await;
    let record = |n| usage(&format!("{label} {n}"), "2026-03-01T12:00:00Z");
    let write = usage_write(organization(1), (0..5).map(record).collect());
    UsageWriter::new(log).write(&write).await.expect("it is fresh");
    append(log, claims(&format!("{label} b"), 0, 2)).await;
}

/// Writes one batch of that many usage records, of some size each.
pub(crate) async fn append_batch(log: &EventLog, label: &str, records: usize) {
    let record = |n| {
        let mut record = usage(&format!("{label} {n}"), "2026-03-01T12:00:00Z");
        record.tags.insert("note".to_owned(), "x".repeat(300));
        record
    };
    let write = usage_write(organization(2), (0..records).map(record).collect());
    UsageWriter::new(log).write(&write).await.expect("it is fresh");
}

/// An append of one event of about that many bytes.
pub(crate) fn large(id: &str, bytes: usize) -> Append {
    Append { events: vec![crate::support::claimed(id, &"x".repeat(bytes))], ..Append::default() }
}

pub(crate) async fn context(config: &JetStreamConfig) -> jetstream::Context {
    let server: ServerAddr = config.url.parse().expect("an address");
    let [user, password] =
        [server.username(), server.password()].map(|word| word.unwrap_or_default().to_owned());
    let options = ConnectOptions::with_user_and_password(user, password);
    jetstream::new(options.connect(server).await.expect("the server answers"))
}

pub(crate) async fn stream(config: &JetStreamConfig) -> Stream {
    context(config).await.get_stream(&config.stream).await.expect("the stream is there")
}

/// Waits until the stream has a position.
pub(crate) async fn published(config: &JetStreamConfig, position: i64) {
    let context = context(config).await;
    eventually("the position is in the stream", async || {
        let Ok(stream) = context.get_stream(&config.stream).await else { return false };
        match stream.get_last_raw_message_by_subject(&format!("{}.>", config.subject_prefix)).await
        {
            Ok(message) => span(&message).1 >= position,
            Err(_) => false,
        }
    })
    .await;
}

/// Every message of the stream.
pub(crate) async fn messages(config: &JetStreamConfig) -> Vec<StreamMessage> {
    let stream = stream(config).await;
    let state = &stream.cached_info().state;
    let mut messages = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        messages.push(stream.get_raw_message(sequence).await.expect("nothing was removed"));
    }
    messages
}

pub(crate) fn json(message: &StreamMessage) -> Value {
    serde_json::from_slice(&message.payload).expect("JSON")
}

/// The first and last position of a message.
pub(crate) fn span(message: &StreamMessage) -> (i64, i64) {
    let json = json(message);
    let number = |field: &Value| field.as_str().map(|text| text.parse().expect("a position"));
    let first = number(&json["position"]).expect("every message has one");
    (first, number(&json["lastposition"]).unwrap_or(first))
}

/// That every position up to one is in the stream once and in order.
pub(crate) async fn assert_complete(config: &JetStreamConfig, upto: i64) {
    let mut next = 1;
    for message in messages(config).await {
        let (first, last) = span(&message);
        assert_eq!(first, next, "message {}", message.sequence);
        next = last + 1;
    }
    assert_eq!(next - 1, upto);
}

/// What a page carries, as entries of the log.
pub(crate) fn entries_of(page: &StreamPage) -> Vec<Entry> {
    let mut entries: Vec<Entry> = page.events.iter().cloned().map(Entry::Event).collect();
    for batch in &page.usage {
        let records = (batch.first_position..).zip(batch.records.iter().cloned());
        entries.extend(records.map(|(position, record)| Entry::Usage(position, record)));
    }
    entries.sort_by_key(Entry::position);
    entries
}

/// Reads on until a position has come.
pub(crate) async fn read_upto(
    reader: &mut JetStreamReader,
    events_max: usize,
    position: i64,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    loop {
        let page = in_time("the next page", reader.next_page(events_max)).await.expect("no gap");
        let read = entries_of(&page);
        assert!(!read.is_empty());
        assert_eq!(read[0].position(), page.after + 1);
        entries.extend(read);
        assert_eq!(entries.last().map(Entry::position), Some(page.upto));
        if page.upto >= position {
            return entries;
        }
    }
}

/// A log and a stream that has all of it, with the relay that filled it.
pub(crate) async fn relayed() -> (TestLog, EventLog, JetStreamConfig, Running) {
    let log = TestLog::new().await;
    let process = log.open().await;
    let config = own_stream();
    append_some(&process, "first").await;
    let relay = start(&log.options(), &config).await;
    published(&config, 10).await;
    (log, process, config, relay)
}
