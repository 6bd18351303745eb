//! The stream: making it, checking it, and finding where it stands.

use std::time::Duration;

use async_nats::jetstream::stream::{
    Config, DiscardPolicy, Info, LastRawMessageErrorKind, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{ErrorCode, context::AccountErrorKind};
use uuid::Uuid;

use super::connection::{JetStreamConfig, Link};
use super::message::Stamp;
use crate::database::DatabaseError;
use crate::read::ReadError;

/// How long the server remembers message ids.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Why the relay does not publish. Somebody has to change something first.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The URL names no server.
    #[error("NATS_URL is not like nats://user:password@host:4222: {error}")]
    Url {
        /// What is wrong with it.
        error: String,
    },
    /// The server lacks what the relay relies on.
    #[error("nats-server {found} is too old: orgledger needs 2.12 or later")]
    TooOld {
        /// The server's version.
        found: String,
    },
    /// The server or the account has no `JetStream`.
    #[error(
        "JetStream is not enabled on the nats-server ({0}): start it with -js, or add a jetstream \
         block to its configuration"
    )]
    NoJetStream(String),
    /// A stream of that name is there and cannot carry the log.
    #[error("the JetStream stream {stream} cannot carry the log: {reason}")]
    Unfit {
        /// The stream.
        stream: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The stream was filled from another log.
    #[error(
        "the JetStream stream {stream} carries the log {found}, and this is the log {log_id}: name \
         another stream, or delete that one (`nats stream rm {stream}`) to have it filled again"
    )]
    OtherLog {
        /// The stream.
        stream: String,
        /// The log that it was filled from.
        found: Uuid,
        /// This log.
        log_id: Uuid,
    },
    /// The stream holds what the log does not: the log was restored to an older state.
    #[error(
        "the JetStream stream {stream} stands at position {position}, and the log's head is at \
         {head}: the log was restored to an older state. Its readers have seen events that are no \
         longer there. Delete the stream (`nats stream rm {stream}`) to have it filled again, and \
         rebuild what was read from it"
    )]
    Ahead {
        /// The stream.
        stream: String,
        /// The last position in the stream.
        position: i64,
        /// The last position in the log.
        head: i64,
    },
    /// A message does not fit through the server.
    #[error(
        "the message for {what} at position {position} has {bytes} bytes, and the nats-server takes \
         at most {bytes_max}: raise max_payload in its configuration"
    )]
    TooLarge {
        /// What the message carries.
        what: String,
        /// Its position.
        position: i64,
        /// How large the message is, headers included.
        bytes: usize,
        /// The server's limit.
        bytes_max: usize,
    },
    /// The log has lost entries.
    #[error(transparent)]
    Log(ReadError),
}

/// Why publishing stopped for now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Interrupted {
    /// It must not go on.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The stream does not stand where it was believed to stand.
    #[error("the stream has moved on without this relay: {0}")]
    Fenced(String),
    /// NATS failed.
    #[error("{doing}: {error}")]
    Nats { doing: &'static str, error: async_nats::Error },
    /// The log's database failed.
    #[error("reading the log: {0}")]
    Database(#[from] DatabaseError),
    /// A message of the log could not be written as JSON.
    #[error("encoding a message: {0}")]
    Json(#[from] serde_json::Error),
}

impl Interrupted {
    pub(super) fn nats(doing: &'static str, error: impl Into<async_nats::Error>) -> Self {
        Self::Nats { doing, error: error.into() }
    }
}

impl From<sqlx::Error> for Interrupted {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<ReadError> for Interrupted {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Sqlx(error) => error.into(),
            not_all @ (ReadError::Hole { .. }
            | ReadError::Corrections { .. }
            | ReadError::Archived { .. }) => Refused::Log(not_all).into(),
        }
    }
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    /// The stream's sequence: that of the last message that it was ever given.
    pub(super) sequence: u64,
    /// The last message that it holds; none in an empty stream.
    pub(super) last: Option<Stamp>,
}

impl Tail {
    /// The last position in the stream.
    pub(super) fn position(&self) -> i64 {
        self.last.map_or(0, |stamp| stamp.last_position)
    }
}

/// Opens the stream, or makes it.
pub(super) async fn open(link: &Link, config: &JetStreamConfig) -> Result<Stream, Interrupted> {
    match link.context.query_account().await {
        Ok(_) => {}
        Err(error) => {
            return Err(match error.kind() {
                AccountErrorKind::JetStreamUnavailable => {
                    Refused::NoJetStream(link.client.server_info().server_name).into()
                }
                AccountErrorKind::JetStream(refused)
                    if [
                        ErrorCode::JETSTREAM_NOT_ENABLED,
                        ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT,
                    ]
                    .contains(&refused.error_code()) =>
                {
                    Refused::NoJetStream(refused.to_string()).into()
                }
                AccountErrorKind::JetStream(_)
                | AccountErrorKind::TimedOut
                | AccountErrorKind::Other => Interrupted::nats("asking for JetStream", error),
            });
        }
    }
    let stream = link
        .context
        .get_or_create_stream(new_stream(config))
        .await
        .map_err(|error| Interrupted::nats("opening the stream", error))?;
    check(&stream.cached_info().config, config)?;
    Ok(stream)
}

fn new_stream(config: &JetStreamConfig) -> Config {
    Config {
        name: config.stream.clone(),
        description: Some("The log of orgledger, filled from Postgres by its relay.".to_owned()),
        subjects: vec![config.subjects()],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_bytes: -1,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        duplicate_window: DUPLICATE_WINDOW,
        num_replicas: config.replicas,
        // Who wants it filled again deletes the stream; one without its beginning helps nobody.
        deny_delete: true,
        deny_purge: true,
        ..Config::default()
    }
}

/// Checks only what would make the stream lose or change messages; limits are the operator's.
fn check(found: &Config, config: &JetStreamConfig) -> Result<(), Refused> {
    let subjects = config.subjects();
    let covers = found.subjects.iter().any(|subject| *subject == subjects || subject == ">");
    let wrong = [
        (!covers, format!("its subjects are {:?} and lack {subjects}", found.subjects)),
        (
            found.retention != RetentionPolicy::Limits,
            format!("its retention is {:?}, so messages go once they are read", found.retention),
        ),
        (found.no_ack, "it does not acknowledge messages (no_ack)".to_owned()),
        (found.sealed, "it is sealed".to_owned()),
        (found.mirror.is_some(), "it mirrors another stream".to_owned()),
        (found.subject_transform.is_some(), "it changes subjects".to_owned()),
    ];
    match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
        Some((_, reason)) => Err(Refused::Unfit { stream: found.name.clone(), reason }),
        None => Ok(()),
    }
}

/// Asks the stream for its state.
pub(super) async fn info(stream: &Stream) -> Result<Info, Interrupted> {
    stream
        .get_info()
        .await
        .map_err(|error| Interrupted::nats("asking for the stream's state", error))
}

/// Reads where the stream stands.
pub(super) async fn tail(stream: &Stream, config: &JetStreamConfig) -> Result<Tail, Interrupted> {
    // The last message may have been removed, so its sequence alone does not tell what comes next.
    let sequence = info(stream).await?.state.last_sequence;
    let message = match stream.get_last_raw_message_by_subject(&config.subjects()).await {
        Ok(message) => message,
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
            return Ok(Tail { sequence, last: None });
        }
        Err(error) => return Err(Interrupted::nats("reading the stream's last message", error)),
    };
    let last = Stamp::read(&message.payload).map_err(|error| Refused::Unfit {
        stream: config.stream.clone(),
        reason: format!("its message {} is not one of the log's: {error}", message.sequence),
    })?;
    // Another relay may have added messages between the two requests. With the lower number, all
    // that is sent would stand one or more places too early: the first would be refused, and a
    // later one could pass the fence where it does not belong.
    Ok(Tail { sequence: sequence.max(message.sequence), last: Some(last) })
}
