//! The relay: what it publishes, and that every position is in the stream once and in order.

use std::collections::HashSet;

use async_nats::header;
use event_log::relay::{JetStreamConfig, JetStreamReader};
use event_schemas::{NameEvent, OrganizationId, StreamEvent as _};
use uuid::Uuid;

use crate::relaying::{
    append_batch, append_some, assert_complete, context, json, messages, own_stream, published,
    read_upto, relayed, span, start, stream,
};
use crate::support::{Entry, TestLog, append, claims, id, named, organization};
use event_log::Append;

async fn log_id(log: &TestLog) -> Uuid {
    sqlx::query_scalar("select log_id from log.identity")
        .fetch_one(&mut log.owner().await)
        .await
        .expect("every log has one")
}

#[tokio::test]
async fn an_event_is_a_cloudevent_with_all_that_it_takes_to_rebuild_it() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let mut event = named("a name", &NameEvent::Released {});
    event.organization_id = Some(OrganizationId(id(5)));
    append(&process, Append { events: vec![event], ..Append::default() }).await;
    append(&process, claims("global", 0, 1)).await;
    let config = own_stream();
    let relay = start(&log.options(), &config).await;
    published(&config, 2).await;
    relay.stop().await;
    let messages = messages(&config).await;
    let [first, second] = &messages[..] else { panic!("{messages:?}") };
    let entries = log.entries().await;
    let Entry::Event(event) = &entries[0] else { panic!("{entries:?}") };
    let log_id = log_id(&log).await;
    let expected = serde_json::json!({
        "specversion": "1.0",
        "id": event.event_id,
        "source": "/orgledger",
        "type": "name.released",
        "time": "2026-03-01T12:00:00.123456Z",
        "subject": "a name",
        "datacontenttype": "application/json",
        "logid": log_id,
        "position": "1",
        "organizationid": id(5),
        "aggregatetype": NameEvent::STREAM,
        "sequence": "1",
        "eventversion": "1",
        "recordedat": event.recorded_at,
        "data": { "payload": event.payload, "metadata": event.metadata },
    });
    assert_eq!(json(first), expected);
    let prefix = &config.subject_prefix;
    assert_eq!(first.subject.as_str(), format!("{prefix}.{}.name.name.released", id(5)));
    assert_eq!(second.subject.as_str(), format!("{prefix}.global.name.name.claimed"));
    assert_eq!(json(second)["organizationid"], serde_json::Value::Null);
    let header_of = |name: &str| first.headers.get(name).map(ToString::to_string);
    assert_eq!(header_of("content-type").unwrap(), "application/cloudevents+json");
    assert_eq!(first.headers.get(header::NATS_MESSAGE_ID).unwrap().as_str(), "1");
    assert_eq!(first.headers.get(header::NATS_EXPECTED_LAST_SEQUENCE).unwrap().as_str(), "0");
    assert_eq!(second.headers.get(header::NATS_EXPECTED_LAST_SEQUENCE).unwrap().as_str(), "1");
    // In a cluster, a mismatch of this one stops the stream.
    assert!(second.headers.get(header::NATS_EXPECTED_LAST_MESSAGE_ID).is_none());
}

#[tokio::test]
async fn usage_travels_in_batches_and_large_ones_in_runs() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append_some(&process, "some").await;
    append_batch(&process, "large", 2_500).await;
    let config = own_stream();
    let relay = start(&log.options(), &config).await;
    published(&config, 2_510).await;
    relay.stop().await;
    assert_complete(&config, 2_510).await;
    let messages = messages(&config).await;
    let usage: Vec<_> =
        messages.iter().filter(|message| message.subject.ends_with(".usage.recorded")).collect();
    assert!(usage.len() > 4, "{}", usage.len());
    assert!(messages.iter().all(|message| message.payload.len() < 600 * 1024));
    let first = json(usage[0]);
    assert_eq!(span(usage[0]), (4, 8));
    assert_eq!(first["id"], format!("{}:4", first["subject"].as_str().unwrap()));
    assert_eq!(first["organizationid"], serde_json::json!(organization(1)));
    assert_eq!(first["data"]["first_position"], 4);
    assert_eq!(first["data"]["records"].as_array().unwrap().len(), 5);
    assert_eq!(usage[0].headers.get(header::NATS_MESSAGE_ID).unwrap().as_str(), "4-8");
    let ids: HashSet<_> = messages.iter().map(|message| json(message)["id"].to_string()).collect();
    assert_eq!(ids.len(), messages.len(), "every message has its own id");
    let mut reader = JetStreamReader::open(&config, 0, None).await.unwrap();
    assert_eq!(read_upto(&mut reader, 1_000, 2_510).await, log.entries().await);
}

/// A stream that ends with one message, which says that it carries what follows up to `last`.
async fn stream_upto(log: &TestLog, last: i64) -> JetStreamConfig {
    let config = own_stream();
    let settings = async_nats::jetstream::stream::Config {
        name: config.stream.clone(),
        subjects: vec![format!("{}.>", config.subject_prefix)],
        ..Default::default()
    };
    let context = context(&config).await;
    context.create_stream(settings).await.expect("the server makes it");
    let body = serde_json::json!({
        "logid": log_id(log).await,
        "position": "1",
        "lastposition": last.to_string(),
    });
    let subject = format!("{}.before", config.subject_prefix);
    let ack = context.publish(subject, body.to_string().into()).await.expect("it is sent");
    ack.await.expect("it is stored");
    config
}

#[tokio::test]
async fn a_relay_goes_on_where_the_stream_ends_and_cuts_batches_where_all_others_do() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append_some(&process, "some").await;
    append_batch(&process, "large", 4_500).await;
    append_some(&process, "more").await;
    let whole = own_stream();
    let relay = start(&log.options(), &whole).await;
    published(&whole, 4_520).await;
    relay.stop().await;
    assert_complete(&whole, 4_520).await;
    let all: Vec<_> = messages(&whole).await.iter().map(span).collect();
    for last in [3, 5, 8, 10, 11, 400, 2_009, 2_010, 2_011, 2_500, 4_510, 4_511] {
        let config = stream_upto(&log, last).await;
        let relay = start(&log.options(), &config).await;
        published(&config, 4_520).await;
        relay.stop().await;
        let spans: Vec<_> = messages(&config).await.iter().map(span).collect();
        // The rest of the message that it stands in, and from there on what others publish.
        let rest =
            all.iter().filter(|span| span.1 > last).map(|span| (span.0.max(last + 1), span.1));
        assert_eq!(spans[1..], rest.collect::<Vec<_>>(), "after {last}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_relays_at_once_do_no_harm() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let config = own_stream();
    append_batch(&process, "before", 4_000).await;
    let mut relays =
        vec![start(&log.options(), &config).await, start(&log.options(), &config).await];
    let mut position = 4_000;
    for round in 0..12 {
        append_some(&process, &format!("round {round}")).await;
        append_batch(&process, &format!("batch {round}"), 700).await;
        position += 710;
        if round % 3 == 2 {
            // One dies at any moment, and another starts: within a batch, as often as not.
            relays.remove(0).stop().await;
            relays.push(start(&log.options(), &config).await);
        }
    }
    published(&config, position).await;
    for relay in relays {
        relay.stop().await;
    }
    assert_complete(&config, position).await;
    let mut reader = JetStreamReader::open(&config, 0, None).await.unwrap();
    assert_eq!(read_upto(&mut reader, 100, position).await, log.entries().await);
}

#[tokio::test]
async fn the_stream_is_made_to_keep_everything() {
    use async_nats::jetstream::stream::{DiscardPolicy, RetentionPolicy, StorageType};
    let (_log, _process, config, relay) = relayed().await;
    relay.stop().await;
    let made = stream(&config).await.cached_info().config.clone();
    assert_eq!(made.subjects, [format!("{}.>", config.subject_prefix)]);
    assert_eq!(made.storage, StorageType::File);
    assert_eq!(made.retention, RetentionPolicy::Limits);
    assert_eq!(made.discard, DiscardPolicy::New);
    assert_eq!((made.max_bytes, made.max_messages, made.max_messages_per_subject), (-1, -1, -1));
    assert_eq!(made.max_age.as_secs(), 0);
    assert_eq!(made.duplicate_window.as_secs(), 120);
    assert_eq!(made.num_replicas, 1);
    assert!(made.deny_delete && made.deny_purge);
}

#[tokio::test]
async fn a_stream_that_is_there_keeps_its_settings() {
    let log = TestLog::new().await;
    append_some(&log.open().await, "some").await;
    let config = own_stream();
    let settings = async_nats::jetstream::stream::Config {
        name: config.stream.clone(),
        subjects: vec![format!("{}.>", config.subject_prefix)],
        max_age: std::time::Duration::from_secs(3_600),
        ..Default::default()
    };
    context(&config).await.create_stream(settings).await.unwrap();
    let relay = start(&log.options(), &config).await;
    published(&config, 10).await;
    relay.stop().await;
    assert_eq!(stream(&config).await.cached_info().config.max_age.as_secs(), 3_600);
}
