//! The streams: the work queue, and what could not be recorded.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Message};

use super::UsageQueueConfig;
use super::message::{Rejected, header};

/// The one consumer, whichever process asks: each message goes to one of them.
const CONSUMER: &str = "command-api";

/// How many messages may be at work in all processes together.
const IN_WORK_MAX: i64 = 256;

/// How long it can be found what could not be recorded.
const REJECTED_FOR: Duration = Duration::from_secs(14 * 24 * 3_600);

/// Why a message was rejected, beside its text.
const REASON_HEADER: &str = "Orgledger-Rejected";

/// Which part it is of a message that was kept in several.
const PART_HEADER: &str = "Orgledger-Part";

/// The longest header of a sender's that is kept, in bytes.
const HEADER_BYTES_MAX: usize = 256;

/// The room that all headers of what is kept may take, in bytes.
const HEADERS_BYTES_MAX: usize = 20 * 1024;

/// The consumer of the work queue; both streams are made where they are not there.
pub(super) async fn consumer(
    context: &jetstream::Context,
    config: &UsageQueueConfig,
) -> Result<PullConsumer, async_nats::Error> {
    let queue = context
        .get_or_create_stream(Config {
            name: config.stream.clone(),
            description: Some("Usage to be recorded by orgledger".to_owned()),
            subjects: vec![format!("{}.usage.*", config.subject_prefix)],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            max_bytes: config.bytes_max,
            num_replicas: config.replicas,
            ..Config::default()
        })
        .await?;
    context
        .get_or_create_stream(Config {
            name: format!("{}-rejected", config.stream),
            description: Some("Usage that orgledger could not record, and why".to_owned()),
            subjects: vec![format!("{}.rejected.*", config.subject_prefix)],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            max_age: REJECTED_FOR,
            max_bytes: config.bytes_max / 4,
            num_replicas: config.replicas,
            ..Config::default()
        })
        .await?;
    let consumer = pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: config.ack_wait,
        max_ack_pending: IN_WORK_MAX,
        ..pull::Config::default()
    };
    Ok(queue.get_or_create_consumer(CONSUMER, consumer).await?)
}

/// Keeps a message that cannot be recorded, with the reason: in two parts, where it leaves no room for that.
pub(super) async fn reject(
    context: &jetstream::Context,
    config: &UsageQueueConfig,
    message: &Message,
    why: &Rejected,
) -> Result<(), async_nats::Error> {
    let word = message.subject.as_str().rsplit('.').next().unwrap_or("unknown");
    let subject = format!("{}.rejected.{word}", config.subject_prefix);
    let mut headers = async_nats::HeaderMap::new();
    // Of the sender's those that say how to read it: the others may take all the room that there is.
    for name in ["Content-Type", "Content-Encoding"] {
        if let Some(value) = header(message, name).filter(|value| value.len() <= HEADER_BYTES_MAX) {
            headers.insert(name, value);
        }
    }
    headers.insert(REASON_HEADER, serde_json::to_string(why)?.as_str());
    let bytes_max = context.client().server_info().max_payload;
    let room = bytes_max.saturating_sub(HEADERS_BYTES_MAX).max(bytes_max.div_ceil(2)).max(1);
    let mut rest = message.payload.clone();
    let parts = rest.len().div_ceil(room).max(1);
    for part in 1..=parts {
        let mut headers = headers.clone();
        if parts > 1 {
            headers.insert(PART_HEADER, format!("{part} of {parts}").as_str());
        }
        // What comes again because it could not be acknowledged is kept once.
        if let Ok(info) = message.info() {
            let id = format!("{}:{}:{part}", info.stream, info.stream_sequence);
            headers.insert(async_nats::header::NATS_MESSAGE_ID, id.as_str());
        }
        let payload = rest.split_to(rest.len().min(room));
        context.publish_with_headers(subject.clone(), headers, payload).await?.await?;
    }
    Ok(())
}
