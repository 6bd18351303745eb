//! Usage out of a JetStream work queue: the same records, published to NATS.
//!
//! A message is acknowledged after its records are committed, so one that was not is delivered
//! again, and what it repeats counts once. What cannot be recorded is no reason to deliver it again:
//! it is put into a stream of its own, with the reason, and that is when its message is done with.
//!
//! Who may publish for which organization is NATS' to say: a permission to publish to
//! `<prefix>.usage.<organization_id>`.

mod message;
mod stream;

use std::future::Future;
use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::{self, AckKind, Message};
use event_log::relay::{Refused, nats_client};
use futures::StreamExt as _;
use futures::future::join_all;

use self::message::{Done, Read};
use super::{Gate, UsageRecorder};

/// How many messages are taken at once. Each is of at most the server's `max_payload`.
const MESSAGES_MAX: usize = 32;

/// How long to wait for messages before asking again.
const FETCH_TIME: Duration = Duration::from_secs(5);

/// How long after a failure a message is delivered again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long to wait after NATS has failed.
const PAUSE: Duration = Duration::from_secs(2);

/// Where usage is published to.
#[derive(Debug, Clone)]
pub struct UsageQueueConfig {
    /// The servers, separated by commas, credentials included.
    pub url: String,
    /// The work queue's name; what cannot be recorded is in the stream `<name>-rejected`.
    pub stream: String,
    /// The first word of every subject. No other stream may carry it.
    pub subject_prefix: String,
    /// How many servers of a cluster keep the streams: 1 or 3. Used when they are created.
    pub replicas: usize,
    /// The most bytes that wait. Then publishers are told, and nothing is thrown away. The server sets
    /// that much aside, and a quarter more for what is rejected. Used when the streams are created.
    pub bytes_max: i64,
    /// How long a message may take until it is delivered again. Used when the consumer is created.
    pub ack_wait: Duration,
}

impl UsageQueueConfig {
    /// The stream `orgledger-usage-in` with subjects `orgledger-in.usage.*`, on one server.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            stream: "orgledger-usage-in".to_owned(),
            subject_prefix: "orgledger-in".to_owned(),
            replicas: 1,
            bytes_max: 1024 * 1024 * 1024,
            ack_wait: Duration::from_secs(30),
        }
    }
}

/// Records what is published.
pub struct UsageQueue {
    recorder: UsageRecorder,
    config: UsageQueueConfig,
    /// The room for what is unpacked.
    gate: Gate,
}

impl UsageQueue {
    /// Records what is published there.
    pub fn new(recorder: UsageRecorder, config: UsageQueueConfig) -> Self {
        Self { recorder, config, gate: Gate::default() }
    }

    /// Records until `shutdown`. Where NATS is away it says so once and tries again.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Refused> {
        let client = nats_client(&self.config.url, "orgledger usage").await?;
        let context = jetstream::new(client);
        tokio::select! {
            () = shutdown => {}
            () = self.record_all(&context) => {}
        }
        Ok(())
    }

    async fn record_all(&self, context: &jetstream::Context) {
        let mut has_failed = false;
        loop {
            let tried = async {
                let consumer = stream::consumer(context, &self.config).await?;
                // One stream for as long as it goes: what has been delivered to one that is given up
                // comes again only after its time.
                let asking = consumer.stream().max_messages_per_batch(MESSAGES_MAX);
                let mut messages = asking.expires(FETCH_TIME).messages().await?;
                loop {
                    self.record_some(context, &mut messages).await?;
                }
            };
            let failed: Result<(), async_nats::Error> = tried.await;
            if let Err(error) = failed
                && !has_failed
            {
                tracing::warn!(%error, "no usage is taken from NATS at the moment; trying again");
                has_failed = true;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Takes some messages, and records all of them side by side: they are committed together.
    async fn record_some(
        &self,
        context: &jetstream::Context,
        messages: &mut pull::Stream,
    ) -> Result<(), async_nats::Error> {
        // The first is waited for; those that are there by then come along.
        let Some(first) = messages.next().await else { return Err("the consumer is gone".into()) };
        let mut taken = vec![first?];
        while taken.len() < MESSAGES_MAX
            && let Some(message) = futures::FutureExt::now_or_never(messages.next()).flatten()
        {
            taken.push(message?);
        }
        let settled = join_all(taken.iter().map(|message| self.settle(context, message))).await;
        settled.into_iter().collect()
    }

    async fn settle(
        &self,
        context: &jetstream::Context,
        message: &Message,
    ) -> Result<(), async_nats::Error> {
        let read = Read::of(message, &self.config.subject_prefix, &self.gate).await;
        let done = match read {
            Ok(read) => read.record(&self.recorder).await,
            Err(done) => done,
        };
        let outcome = done.label();
        metrics::counter!("orgledger_usage_queue_messages_total", "outcome" => outcome)
            .increment(1);
        match done {
            Done::Recorded => message.double_ack().await,
            Done::PartlyRejected(rejected) | Done::Rejected(rejected) => {
                tracing::warn!(
                    subject = %message.subject, why = %rejected,
                    "usage from NATS cannot be recorded; it is kept in the stream {}-rejected: \
                     correct it and publish it again", self.config.stream
                );
                stream::reject(context, &self.config, message, &rejected).await?;
                message.double_ack().await
            }
            Done::NotNow(error) => {
                tracing::warn!(%error, "usage from NATS could not be recorded; it comes again");
                message.ack_with(AckKind::Nak(Some(AGAIN_AFTER))).await
            }
        }
    }
}
