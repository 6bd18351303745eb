//! Appending: what an append names, and the handle through which everybody appends.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use event_schemas::personal::erased;
use event_schemas::{OrganizationId, PersonEvent, PersonId, StreamEvent};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::appender::{Appender, Submission};
use crate::database::{self, DatabaseError, Role};
use crate::read::read_person;
use crate::usage::NewCorrection;
use crate::vault::{MasterKeys, Vault, VaultError};

/// How many appends may wait. One more is refused as [`AppendError::Overloaded`]: memory stays
/// bounded, and the caller learns at once.
const QUEUE_MAX: usize = 8_192;

/// A stream: its type and id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey {
    /// The stream's type.
    pub aggregate_type: &'static str,
    /// The stream's id.
    pub aggregate_id: Arc<str>,
}

impl StreamKey {
    /// The stream of that type and id.
    pub fn new(aggregate_type: &'static str, aggregate_id: &str) -> Self {
        Self { aggregate_type, aggregate_id: aggregate_id.into() }
    }
}

/// An event to append. Its position, sequence and `recorded_at` come from the log.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id.
    pub event_id: Uuid,
    /// The organization that it belongs to.
    pub organization_id: Option<OrganizationId>,
    /// Its stream.
    pub stream: StreamKey,
    /// What happened.
    pub event_type: String,
    /// The version of its payload's schema.
    pub event_version: String,
    /// The payload as JSON text, in the clear: what is a person's is sealed when it is appended.
    pub payload: String,
    /// The metadata as JSON text, likewise.
    pub metadata: Arc<str>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
}

impl NewEvent {
    /// A stream's event, serialised.
    pub fn new<E: StreamEvent>(
        event: &E,
        aggregate_id: Arc<str>,
        organization_id: Option<OrganizationId>,
        metadata: Arc<str>,
        occurred_at: DateTime<Utc>,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            event_id: new_event_id(),
            organization_id,
            stream: StreamKey { aggregate_type: E::STREAM, aggregate_id },
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload: serde_json::to_string(event)?,
            metadata,
            occurred_at,
        })
    }
}

/// A fresh id for an event, growing with time so that its index stays local.
#[allow(clippy::disallowed_methods)] // The edge: ids of events are made where they are appended.
pub fn new_event_id() -> Uuid {
    Uuid::now_v7()
}

/// A command's claim on its idempotency key, stored with its outcome in the append's transaction.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Whose keys these are: two actors may use the same key.
    pub scope: Arc<str>,
    /// The key.
    pub key: String,
    /// What was asked, hashed: the same key with another request is a mistake.
    pub fingerprint: [u8; 32],
    /// What is answered, now and whenever the same is asked again, as JSON text.
    pub outcome: String,
    /// How many of the append's events came about up to and with this command. Its position is that
    /// of the last of them.
    pub events_upto: usize,
}

/// Everything that commits together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Append {
    /// The events, in order. Those of one stream take its next sequences.
    pub events: Vec<NewEvent>,
    /// Every stream that the decision wrote or read, with the sequence it stood at.
    pub expected: Vec<(StreamKey, i64)>,
    /// The idempotency keys.
    pub claims: Vec<Claim>,
    /// What the append's `usage.repriced` events correct.
    pub corrections: Vec<NewCorrection>,
}

/// What an append came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The position of its first event; for an append without events, the head plus one.
    pub first_position: i64,
    /// The position of its last event; for an append without events, the head.
    pub last_position: i64,
    /// When the log learned of it.
    pub recorded_at: DateTime<Utc>,
}

/// What a command with the same idempotency key answered before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Whose key it is.
    pub scope: String,
    /// The key.
    pub key: String,
    /// What was asked then, hashed.
    pub fingerprint: Vec<u8>,
    /// What was answered then, as JSON text.
    pub outcome: String,
    /// The position answered then.
    pub position: i64,
}

/// Why nothing was appended. But for [`AppendError::Unknown`], nothing at all happened.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another append got there first: decide again on the newer state.
    #[error("stream {} {} has moved on", .0.aggregate_type, .0.aggregate_id)]
    Conflict(StreamKey),
    /// An idempotency key was used before.
    #[error("the idempotency key was used before")]
    Replayed(Box<Replay>),
    /// Too many appends are waiting.
    #[error("too many commands are waiting; try again in a moment")]
    Overloaded,
    /// The database refused or was not there; nothing was written.
    #[error("the log's database failed: {0}")]
    Database(Arc<sqlx::Error>),
    /// The connection broke while committing: whether it was written is not known. Asking again
    /// with the same idempotency key finds out.
    #[error("the connection to the log's database broke during a commit: {0}")]
    Unknown(Arc<sqlx::Error>),
    /// What is a person's could not be sealed; nothing was written.
    #[error(transparent)]
    Vault(Arc<VaultError>),
    /// The log is shutting down.
    #[error("the log is shutting down")]
    Closed,
}

/// The handle through which everybody in this process appends.
#[derive(Clone)]
pub struct EventLog {
    queue: mpsc::Sender<Submission>,
    head: watch::Receiver<i64>,
    pool: sqlx::PgPool,
    options: Arc<PgConnectOptions>,
    vault: Vault,
}

impl EventLog {
    /// Connects and starts the appender. It ends when the last handle is dropped, after having
    /// committed all that was waiting. What is a person's is sealed under keys that these master keys
    /// wrap.
    pub async fn open(
        options: &PgConnectOptions,
        masters: MasterKeys,
    ) -> Result<Self, DatabaseError> {
        let pool = database::pool(options, Role::Writer, 9).await?;
        let vault = Vault::open(pool.clone(), masters).await?;
        let position: i64 =
            sqlx::query_scalar("select position from log.head").fetch_one(&pool).await?;
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let (moved, head) = watch::channel(position);
        tokio::spawn(Appender::new(options.clone(), waiting, moved).run());
        Ok(Self { queue, head, pool, options: Arc::new(options.clone()), vault })
    }

    /// Connects to read alone, as a role that may not write: every append is answered
    /// [`AppendError::Closed`].
    pub async fn reading(
        options: &PgConnectOptions,
        masters: MasterKeys,
    ) -> Result<Self, DatabaseError> {
        let pool = database::pool(options, Role::Projector, 9).await?;
        let vault = Vault::open(pool.clone(), masters).await?;
        let (queue, _) = mpsc::channel(1);
        let (_, head) = watch::channel(0);
        Ok(Self { queue, head, pool, options: Arc::new(options.clone()), vault })
    }

    /// Appends, and answers after the commit.
    pub async fn append(&self, mut append: Append) -> Result<Appended, AppendError> {
        let sealed = self.vault.seal(&mut append.events).await;
        sealed.map_err(|error| AppendError::Vault(Arc::new(error)))?;
        let erased: Vec<_> = append.events.iter().filter_map(erased_by).collect();
        let appended = self.append_sealed(append).await;
        // Also where it is not known whether it was written: a key that is there still is found again.
        for (person_id, organization_id) in erased {
            self.vault.forget(person_id, organization_id);
        }
        appended
    }

    async fn append_sealed(&self, append: Append) -> Result<Appended, AppendError> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Submission { append, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => AppendError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
        })?;
        answer.await.unwrap_or(Err(AppendError::Closed))
    }

    /// The head as this process's appender left it. Others may have appended since.
    pub fn own_head(&self) -> watch::Receiver<i64> {
        self.head.clone()
    }

    /// The head of the log now.
    pub async fn head(&self) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select position from log.head").fetch_one(&self.pool).await
    }

    /// What was answered to each of these keys before, where it was.
    pub async fn replays(&self, scope: &str, keys: &[String]) -> Result<Vec<Replay>, sqlx::Error> {
        let rows: Vec<(String, Vec<u8>, String, i64)> = sqlx::query_as(
            "select key, fingerprint, outcome::text, position
             from log.idempotency_keys where scope = $1 and key = any($2)",
        )
        .bind(scope)
        .bind(keys)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(key, fingerprint, outcome, position)| Replay {
                scope: scope.to_owned(),
                key,
                fingerprint,
                outcome,
                position,
            })
            .collect())
    }

    /// How many appends are waiting.
    pub fn queue_depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Connections that act as the log's writer.
    pub fn pool(&self) -> &sqlx::PgPool {
        &self.pool
    }

    /// Every login that a person has had in an organization, but for those that can no longer be read.
    pub async fn logins(
        &self,
        organization_id: OrganizationId,
        person_id: PersonId,
    ) -> Result<BTreeSet<String>, VaultError> {
        let mut events = read_person(&self.pool, organization_id, person_id).await?;
        self.vault.unseal(&mut events).await?;
        let gone = erased(person_id);
        let logins = events.iter().filter_map(|event| event.payload.get("login")?.as_str());
        Ok(logins.filter(|login| *login != gone).map(str::to_owned).collect())
    }

    /// The keys of persons.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// How to connect to the log's database.
    pub fn connect_options(&self) -> &PgConnectOptions {
        &self.options
    }
}

/// The person that an event erases, and where: their key is destroyed as it is written.
pub(crate) fn erased_by(event: &NewEvent) -> Option<(PersonId, Option<OrganizationId>)> {
    let erases = event.stream.aggregate_type == PersonEvent::STREAM
        && event.event_type == PersonEvent::ERASED;
    let person_id = erases.then(|| event.stream.aggregate_id.parse().ok()).flatten()?;
    Some((person_id, event.organization_id))
}
