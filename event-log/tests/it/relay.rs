//! The relay: what it publishes, and that every position is in the stream once and in order.

use std::collections::HashSet;

use async_nats::header;
use event_log::relay::JetStreamReader;
use event_schemas::{NameEvent, OrganizationId, StreamEvent as _};
use uuid::Uuid;

use crate::relaying::{
    append_batch, append_some, assert_complete, json, messages, own_stream, published, read_upto,
    relayed, span, start, stream,
};
use crate::support::{Entry, TestLog, append, claims, id, named, organization};
use event_log::Append;

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
    let log_id: Uuid = sqlx::query_scalar("select log_id from log.identity")
        .fetch_one(&mut log.owner().await)
        .await
        .unwrap();
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
    assert_eq!(second.headers.get(header::NATS_EXPECTED_LAST_MESSAGE_ID).unwrap().as_str(), "1");
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

#[tokio::test]
async fn a_relay_goes_on_where_the_stream_ends_even_within_a_batch() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append_batch(&process, "large", 3_000).await;
    append_some(&process, "some").await;
    // The stream as a relay would have left it that died within the batch: with the first run.
    let (whole, config) = (own_stream(), own_stream());
    let relay = start(&log.options(), &whole).await;
    published(&whole, 3_010).await;
    relay.stop().await;
    let relay = start(&log.options(), &config).await;
    published(&config, 3_010).await;
    relay.stop().await;
    let first = messages(&whole).await.remove(0);
    assert!(span(&first).1 < 3_000);
    let context = crate::relaying::context(&config).await;
    context.delete_stream(&config.stream).await.unwrap();
    let settings = async_nats::jetstream::stream::Config {
        name: config.stream.clone(),
        subjects: vec![format!("{}.>", config.subject_prefix)],
        ..Default::default()
    };
    context.create_stream(settings).await.unwrap();
    let subject = first.subject.replace(&whole.subject_prefix, &config.subject_prefix);
    context.publish(subject, first.payload).await.unwrap().await.unwrap();
    let relay = start(&log.options(), &config).await;
    published(&config, 3_010).await;
    assert_complete(&config, 3_010).await;
    append_some(&process, "more").await;
    published(&config, 3_020).await;
    relay.stop().await;
    assert_complete(&config, 3_020).await;
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
    crate::relaying::context(&config).await.create_stream(settings).await.unwrap();
    let relay = start(&log.options(), &config).await;
    published(&config, 10).await;
    relay.stop().await;
    assert_eq!(stream(&config).await.cached_info().config.max_age.as_secs(), 3_600);
}
