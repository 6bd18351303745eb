//! Reading the log from `JetStream` alone, for read models without reach to the log's database.

use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use async_nats::jetstream::stream::{Info, LastRawMessageErrorKind, Stream};
use chrono::{DateTime, Utc};
use event_schemas::{RecordedEvent, RepricedUsage, UsageBatch};
use futures::{FutureExt as _, StreamExt as _};
use uuid::Uuid;

use super::connection::{JetStreamConfig, Link};
use super::message::{self, Carried, Stamp};
use super::stream::{self, Interrupted, Refused};

/// How often a reader that hears nothing looks whether its stream is still the same.
const IDLE_CHECK: Duration = Duration::from_secs(2);

/// How many messages are asked for at once. A message of usage records may have half a megabyte.
const MESSAGES_ASKED_MAX: i64 = 200;

/// How many usage records one page may have, so that a page bounds a reader's memory and time.
const PAGE_USAGE_MAX: usize = 50_000;

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// Entries are missing in the stream: the relay has not got there yet after the stream was
    /// wiped, or the stream drops old messages. Reading again finds out.
    #[error("the JetStream stream lacks positions {expected} to {}: it goes on at {found}", found - 1)]
    Gap {
        /// The position that should have come.
        expected: i64,
        /// The position that came.
        found: i64,
    },
    /// The stream carries another log than before.
    #[error("the JetStream stream carries the log {found} now, and {log_id} was read so far")]
    OtherLog {
        /// The log whose events are in the stream.
        found: Uuid,
        /// The log that was read so far.
        log_id: Uuid,
    },
    /// A message is not one of the log's.
    #[error("message {stream_sequence} of the JetStream stream cannot be read: {error}")]
    Message {
        /// Where it stands in the stream.
        stream_sequence: u64,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// The server or the stream cannot be used.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The server is away, or has failed. Reading again is the remedy.
    #[error("NATS: {0}")]
    Nats(async_nats::Error),
}

impl From<Interrupted> for ReaderError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Refused(refused) => Self::Refused(refused),
            other @ (Interrupted::Fenced(_)
            | Interrupted::Nats { .. }
            | Interrupted::Database(_)
            | Interrupted::Json(_)) => Self::Nats(other.into()),
        }
    }
}

/// All that stands in the log after one position and up to another, as the stream carries it.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamPage {
    /// The events, in order of position.
    pub events: Vec<RecordedEvent>,
    /// The usage records, in order of position. A batch may come in several runs.
    pub usage: Vec<UsageBatch>,
    /// What its `usage.repriced` events correct, by their positions.
    pub corrections: Vec<(i64, Vec<RepricedUsage>)>,
    /// The position that it was read after.
    pub after: i64,
    /// The position of its last entry.
    pub upto: i64,
    /// When the log learned of its last entry.
    pub recorded_at: DateTime<Utc>,
    /// Where its last entry stands in the stream: the hint with which to open a reader again.
    pub stream_sequence: u64,
}

impl StreamPage {
    fn entries(&self) -> usize {
        self.events.len() + self.usage.len()
    }

    fn records(&self) -> usize {
        let records = self.usage.iter().map(|batch| batch.records.len()).sum::<usize>();
        records + self.corrections.iter().map(|(_, corrected)| corrected.len()).sum::<usize>()
    }
}

/// The subscription, and what it was opened on.
struct Feed {
    messages: Ordered,
    /// When the stream was made: a later time says that it is another one.
    created: String,
    /// How often the client had connected when it was opened.
    connects: u64,
}

/// Reads the log from a stream.
pub struct JetStreamReader {
    config: JetStreamConfig,
    link: Link,
    stream: Stream,
    feed: Option<Feed>,
    log_id: Option<Uuid>,
    /// The position up to which pages were given out.
    position: i64,
    /// Where that position ends in the stream, as far as known.
    stream_sequence: Option<u64>,
    /// The page that is being filled.
    page: Option<StreamPage>,
}

impl JetStreamReader {
    /// Opens the stream after a position. The hint says which message of the stream ended there; it
    /// is verified, and where it does not hold, the stream is read from its first message.
    pub async fn open(
        config: &JetStreamConfig,
        after_position: i64,
        stream_sequence_hint: Option<u64>,
    ) -> Result<Self, ReaderError> {
        let link = Link::connect(config, "orgledger reader").await?;
        let stream = link
            .context
            .get_stream(&config.stream)
            .await
            .map_err(|error| Interrupted::nats("opening the stream", error))?;
        let mut reader = Self {
            config: config.clone(),
            link,
            stream,
            feed: None,
            log_id: None,
            position: after_position,
            stream_sequence: stream_sequence_hint,
            page: None,
        };
        reader.feed = Some(reader.subscribe().await?);
        Ok(reader)
    }

    /// The log that the stream carries, once something was read.
    pub fn log_id(&self) -> Option<Uuid> {
        self.log_id
    }

    /// The last position in the stream; 0 where it is empty.
    pub async fn head(&self) -> Result<i64, ReaderError> {
        Ok(stream::tail(&self.stream, &self.config).await?.position())
    }

    /// Waits until at least one entry is there and gives what has arrived, at most `events_max`
    /// events or runs of usage records. Nothing is lost when the waiting is given up.
    pub async fn next_page(&mut self, events_max: usize) -> Result<StreamPage, ReaderError> {
        loop {
            if self.feed.is_none() {
                let feed = self.subscribe().await?;
                self.feed = Some(feed);
            }
            match self.fill(events_max).await {
                Ok(()) => {}
                Err(error) => {
                    // Whatever it was, the next try starts from a verified place.
                    self.feed = None;
                    if self.page.is_none() {
                        return Err(error);
                    }
                }
            }
            if let Some(page) = self.page.take() {
                self.position = page.upto;
                self.stream_sequence = Some(page.stream_sequence);
                return Ok(page);
            }
        }
    }

    /// Fills the page with what comes next, and all else that is there already.
    async fn fill(&mut self, events_max: usize) -> Result<(), ReaderError> {
        let Some(feed) = &mut self.feed else { return Ok(()) };
        if self.page.is_none() {
            let arrived = tokio::select! {
                arrived = feed.messages.next() => Some(arrived),
                () = self.link.connected_again(feed.connects) => None,
                () = tokio::time::sleep(IDLE_CHECK) => {
                    let state = stream::info(&self.stream).await?;
                    if created(&state) == feed.created
                        && Some(state.state.last_sequence) >= self.stream_sequence
                    {
                        return Ok(());
                    }
                    None
                }
            };
            let Some(arrived) = arrived else {
                // The connection was lost, or the stream is another one: verify the place.
                self.feed = None;
                return Ok(());
            };
            self.accept(arrived)?;
        }
        while self
            .page
            .as_ref()
            .is_none_or(|page| page.entries() < events_max && page.records() < PAGE_USAGE_MAX)
        {
            let Some(feed) = &mut self.feed else { break };
            let Some(arrived) = feed.messages.next().now_or_never() else { break };
            self.accept(arrived)?;
        }
        Ok(())
    }

    /// Takes a message into the page, unless all it carries was given out before.
    fn accept<E: Into<async_nats::Error>>(
        &mut self,
        arrived: Option<Result<async_nats::jetstream::Message, E>>,
    ) -> Result<(), ReaderError> {
        let message = arrived
            .ok_or_else(|| ReaderError::Nats("the subscription ended".into()))?
            .map_err(|error| ReaderError::Nats(error.into()))?;
        let stream_sequence = message.info().map_err(ReaderError::Nats)?.stream_sequence;
        let (stamp, carried) = message::read(&message.payload)
            .map_err(|error| ReaderError::Message { stream_sequence, error })?;
        let log_id = *self.log_id.get_or_insert(stamp.log_id);
        if log_id != stamp.log_id {
            return Err(ReaderError::OtherLog { found: stamp.log_id, log_id });
        }
        let upto = self.page.as_ref().map_or(self.position, |page| page.upto);
        if stamp.last_position <= upto {
            return Ok(());
        }
        if stamp.first_position > upto + 1 {
            return Err(ReaderError::Gap { expected: upto + 1, found: stamp.first_position });
        }
        let recorded_at = match &carried {
            Carried::Event(event, _) => event.recorded_at,
            Carried::Usage(batch) => batch.recorded_at,
        };
        let page = self.page.get_or_insert_with(|| StreamPage {
            events: Vec::new(),
            usage: Vec::new(),
            corrections: Vec::new(),
            after: upto,
            upto,
            recorded_at,
            stream_sequence,
        });
        match carried {
            Carried::Event(event, corrections) => {
                if !corrections.is_empty() {
                    page.corrections.push((event.position, corrections));
                }
                page.events.push(*event);
            }
            Carried::Usage(batch) => page.usage.push(without_known(batch, upto)),
        }
        (page.upto, page.recorded_at) = (stamp.last_position, recorded_at);
        page.stream_sequence = stream_sequence;
        Ok(())
    }

    /// Subscribes after the hinted message where it ends at the position, and else to all.
    async fn subscribe(&self) -> Result<Feed, ReaderError> {
        let connects = self.link.connects();
        let created = created(&stream::info(&self.stream).await?);
        let known = match self.stream_sequence {
            Some(sequence) if sequence > 0 => {
                let stamp = self.stamp(sequence).await?;
                stamp
                    .filter(|stamp| self.log_id.is_none_or(|log_id| stamp.log_id == log_id))
                    .filter(|stamp| stamp.last_position == self.position)
                    .map(|_| sequence)
            }
            Some(_) | None => None,
        };
        let deliver_policy = match known {
            Some(sequence) => DeliverPolicy::ByStartSequence { start_sequence: sequence + 1 },
            None => DeliverPolicy::All,
        };
        let config = OrderedConfig {
            deliver_policy,
            max_batch: MESSAGES_ASKED_MAX,
            ..OrderedConfig::default()
        };
        let consumer = self
            .stream
            .create_consumer(config)
            .await
            .map_err(|error| Interrupted::nats("subscribing to the stream", error))?;
        let messages = consumer
            .messages()
            .await
            .map_err(|error| Interrupted::nats("subscribing to the stream", error))?;
        Ok(Feed { messages, created, connects })
    }

    /// What the message at a sequence carries; none where there is no such message, or another.
    async fn stamp(&self, sequence: u64) -> Result<Option<Stamp>, ReaderError> {
        match self.stream.get_raw_message(sequence).await {
            Ok(message) => Ok(Stamp::read(&message.payload).ok()),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(Interrupted::nats("reading a message of the stream", error).into()),
        }
    }
}

fn created(info: &Info) -> String {
    info.created.to_string()
}

/// The batch without the records up to a position.
fn without_known(mut batch: UsageBatch, upto: i64) -> UsageBatch {
    if let Ok(known @ 1..) = usize::try_from(upto + 1 - batch.first_position) {
        batch.records.drain(..known.min(batch.records.len()));
        batch.first_position = upto + 1;
    }
    batch
}
