//! Aggregates: folded streams, cached, behind cqrs-es's `EventStore`.
//!
//! Loading gives the cached state or, on a miss, folds the stream as postgres-es reads it. A cached
//! state may be stale: whoever decides on it names the sequence it stood at, and the appender finds
//! out. A refusal never passes the appender, so before one is given the state is brought up to the
//! log with [`Aggregates::refresh`].

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use cqrs_es::persist::{EventUpcaster, PersistedEventRepository, SerializedEvent};
use cqrs_es::{
    Aggregate, AggregateContext, AggregateError, DomainEvent, EventEnvelope, EventStore,
};
use event_schemas::upcast::{upcast, upcasters};
use event_schemas::{OrganizationEvent, OrganizationId, StreamEvent};
use postgres_es::PostgresEventRepository;
use quick_cache::sync::Cache;
use serde::Deserialize;
use uuid::Uuid;

use crate::append::{Append, AppendError, EventLog, NewEvent, StreamKey, new_event_id};
use crate::clock;
use crate::vault::{Opening, VaultError};

/// How many folded streams are kept.
const CACHED_MAX: usize = 100_000;

/// The key in cqrs-es's metadata under which an event's organization travels.
pub const ORGANIZATION_ID: &str = "organization_id";

/// Why a stream could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database failed, or holds an event that this program cannot read.
    #[error("reading stream {} {} failed: {source}", stream.aggregate_type, stream.aggregate_id)]
    Read {
        /// The stream.
        stream: StreamKey,
        /// What failed.
        source: cqrs_es::persist::PersistenceError,
    },
    /// A payload is not what its type and version promise.
    #[error("event {sequence} of stream {} {} cannot be read: {source}", stream.aggregate_type, stream.aggregate_id)]
    Payload {
        /// The stream.
        stream: StreamKey,
        /// The event's place in it.
        sequence: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// What is a person's cannot be opened.
    #[error("stream {} {} cannot be opened: {source}", stream.aggregate_type, stream.aggregate_id)]
    Vault {
        /// The stream.
        stream: StreamKey,
        /// What failed.
        source: VaultError,
    },
}

/// What the view that streams are read from puts around an event's metadata.
#[derive(Deserialize)]
struct Envelope {
    event_id: Uuid,
    organization_id: Option<OrganizationId>,
    metadata: serde_json::Value,
}

/// A folded stream and the sequence it stands at; 0 where it has no events.
#[derive(Debug)]
pub struct Loaded<A> {
    /// The stream's id.
    pub aggregate_id: Arc<str>,
    /// The state.
    pub state: Arc<A>,
    /// The sequence of the last event folded into it.
    pub sequence: i64,
}

impl<A> Clone for Loaded<A> {
    fn clone(&self) -> Self {
        Self {
            aggregate_id: Arc::clone(&self.aggregate_id),
            state: Arc::clone(&self.state),
            sequence: self.sequence,
        }
    }
}

impl<A: Aggregate + Clone> AggregateContext<A> for Loaded<A> {
    fn aggregate(&mut self) -> &mut A {
        Arc::make_mut(&mut self.state)
    }
}

#[derive(Clone)]
struct Cached {
    state: Arc<dyn Any + Send + Sync>,
    sequence: i64,
}

/// The log's streams as aggregates.
#[derive(Clone)]
pub struct Aggregates {
    log: EventLog,
    repository: Arc<PostgresEventRepository>,
    cache: Arc<Cache<StreamKey, Cached>>,
    upcasters: Arc<Vec<Box<dyn EventUpcaster>>>,
}

impl Aggregates {
    /// The streams of a log.
    pub fn new(log: EventLog) -> Self {
        let repository = PostgresEventRepository::new(log.pool().clone())
            .with_tables("log.stream_events", "log.snapshots_are_not_used");
        let cache = Arc::new(Cache::new(CACHED_MAX));
        let weak = Arc::downgrade(&cache);
        log.vault().tell_of_erasures(Box::new(move |organization_id| {
            if let Some(cache) = weak.upgrade() {
                forget(&cache, organization_id);
            }
        }));
        Self { log, repository: Arc::new(repository), cache, upcasters: Arc::new(upcasters()) }
    }

    /// The log.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// The stream's state: cached, or folded from its events.
    pub async fn load<A>(&self, stream: &StreamKey) -> Result<Loaded<A>, LoadError>
    where
        A: Aggregate + Clone + 'static,
    {
        match self.cached::<A>(stream) {
            Some(loaded) => Ok(loaded),
            None => self.fold(stream, Arc::new(A::default()), 0).await,
        }
    }

    /// The stream's state with everything that the log holds of it by now.
    pub async fn refresh<A>(&self, stream: &StreamKey) -> Result<Loaded<A>, LoadError>
    where
        A: Aggregate + Clone + 'static,
    {
        match self.cached::<A>(stream) {
            Some(Loaded { state, sequence, .. }) => self.fold(stream, state, sequence).await,
            None => self.fold(stream, Arc::new(A::default()), 0).await,
        }
    }

    /// Keeps a state that has just been committed, unless a newer one is there already.
    pub fn keep<A>(&self, stream: StreamKey, state: Arc<A>, sequence: i64)
    where
        A: Aggregate + 'static,
    {
        if self.cache.get(&stream).is_none_or(|cached| cached.sequence <= sequence) {
            self.cache.insert(stream, Cached { state, sequence });
        }
    }

    /// Takes a stream out of the cache: its holder can then change the state without a copy. Another
    /// caller folds it from the log meanwhile.
    pub fn take(&self, stream: &StreamKey) {
        self.cache.remove(stream);
    }

    fn cached<A: Aggregate + 'static>(&self, stream: &StreamKey) -> Option<Loaded<A>> {
        let cached = self.cache.get(stream)?;
        let state = cached.state.downcast::<A>().ok()?;
        let aggregate_id = Arc::clone(&stream.aggregate_id);
        Some(Loaded { aggregate_id, state, sequence: cached.sequence })
    }

    /// Folds what follows `sequence` into `state`, and keeps the result.
    async fn fold<A>(
        &self,
        stream: &StreamKey,
        mut state: Arc<A>,
        mut sequence: i64,
    ) -> Result<Loaded<A>, LoadError>
    where
        A: Aggregate + Clone + 'static,
    {
        for event in self.stored::<A>(stream, sequence).await? {
            sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
            let payload = self.payload::<A>(stream, event)?.1;
            Arc::make_mut(&mut state).apply(payload);
        }
        let aggregate_id = Arc::clone(&stream.aggregate_id);
        // A stream without events is not kept: a stranger's guesses must not fill the cache.
        if sequence > 0 {
            self.keep(stream.clone(), Arc::clone(&state), sequence);
        }
        Ok(Loaded { aggregate_id, state, sequence })
    }

    async fn stored<A: Aggregate>(
        &self,
        stream: &StreamKey,
        after: i64,
    ) -> Result<Vec<SerializedEvent>, LoadError> {
        let after = usize::try_from(after).unwrap_or(0);
        let read = if after == 0 {
            self.repository.get_events::<A>(&stream.aggregate_id).await
        } else {
            self.repository.get_last_events::<A>(&stream.aggregate_id, after).await
        };
        let mut stored =
            read.map_err(|source| LoadError::Read { stream: stream.clone(), source })?;
        self.open_texts(stream, &mut stored).await?;
        Ok(stored)
    }

    /// Opens what is a person's, and leaves each event its own metadata alone.
    async fn open_texts(
        &self,
        stream: &StreamKey,
        stored: &mut [SerializedEvent],
    ) -> Result<(), LoadError> {
        let mut openings = Vec::with_capacity(stored.len());
        for event in stored {
            let sequence = event.sequence;
            let envelope: Envelope =
                serde_json::from_value(std::mem::take(&mut event.metadata)).map_err(|source| {
                    LoadError::Payload { stream: stream.clone(), sequence, source }
                })?;
            event.metadata = envelope.metadata;
            openings.push(Opening {
                organization_id: envelope.organization_id,
                event_id: envelope.event_id,
                event_type: &event.event_type,
                payload: &mut event.payload,
                metadata: &mut event.metadata,
            });
        }
        let opened = self.log.vault().open_all(openings).await;
        opened.map_err(|source| LoadError::Vault { stream: stream.clone(), source })
    }

    fn payload<A: Aggregate>(
        &self,
        stream: &StreamKey,
        event: SerializedEvent,
    ) -> Result<(serde_json::Value, A::Event), LoadError> {
        let event = upcast(event, &self.upcasters);
        let payload = serde_json::from_value(event.payload).map_err(|source| {
            LoadError::Payload { stream: stream.clone(), sequence: event.sequence, source }
        })?;
        Ok((event.metadata, payload))
    }
}

impl<A: Aggregate + Clone + 'static> EventStore<A> for Aggregates
where
    A::Event: event_schemas::StreamEvent,
{
    type AC = Loaded<A>;

    async fn load_events(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let stream = StreamKey::new(A::TYPE, aggregate_id);
        let stored = self.stored::<A>(&stream, 0).await.map_err(unexpected)?;
        stored
            .into_iter()
            .map(|event| {
                let sequence = event.sequence;
                let (metadata, payload) = self.payload::<A>(&stream, event).map_err(unexpected)?;
                let metadata = serde_json::from_value(metadata).map_err(unexpected)?;
                Ok(EventEnvelope {
                    aggregate_id: aggregate_id.to_owned(),
                    sequence,
                    payload,
                    metadata,
                })
            })
            .collect()
    }

    async fn load_aggregate(
        &self,
        aggregate_id: &str,
    ) -> Result<Loaded<A>, AggregateError<A::Error>> {
        self.load(&StreamKey::new(A::TYPE, aggregate_id)).await.map_err(unexpected)
    }

    /// Commits the events of one stream. `metadata` may carry the organization's id under
    /// [`ORGANIZATION_ID`]; the rest is stored as it is.
    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: Loaded<A>,
        mut metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let organization_id = metadata.remove(ORGANIZATION_ID);
        let organization_id =
            organization_id.map(|id| id.parse()).transpose().map_err(unexpected)?;
        let stream = StreamKey { aggregate_type: A::TYPE, aggregate_id: context.aggregate_id };
        let stored_metadata: Arc<str> =
            serde_json::to_string(&metadata).map_err(unexpected)?.into();
        let occurred_at = clock::now();
        let mut append =
            Append { expected: vec![(stream.clone(), context.sequence)], ..Append::default() };
        for event in &events {
            append.events.push(NewEvent {
                event_id: new_event_id(),
                organization_id,
                stream: stream.clone(),
                event_type: event.event_type(),
                event_version: event.event_version(),
                payload: serde_json::to_string(event).map_err(unexpected)?,
                metadata: Arc::clone(&stored_metadata),
                occurred_at,
            });
        }
        self.log.append(append).await.map_err(|error| match error {
            AppendError::Conflict(_) => AggregateError::AggregateConflict,
            other @ (AppendError::Replayed(_)
            | AppendError::Overloaded
            | AppendError::Database(_)
            | AppendError::Unknown(_)
            | AppendError::Vault(_)
            | AppendError::Closed) => unexpected(other),
        })?;
        // cqrs-es has applied the events to its own copy; the cache is brought up at the next load.
        self.take(&stream);
        let first = usize::try_from(context.sequence).unwrap_or(0) + 1;
        Ok(events
            .into_iter()
            .zip(first..)
            .map(|(payload, sequence)| EventEnvelope {
                aggregate_id: stream.aggregate_id.to_string(),
                sequence,
                payload,
                metadata: metadata.clone(),
            })
            .collect())
    }
}

/// Lets go of an organization's roster, which has its members' texts, or of all streams.
fn forget(cache: &Cache<StreamKey, Cached>, organization_id: Option<OrganizationId>) {
    match organization_id {
        Some(id) => {
            cache.remove(&StreamKey::new(OrganizationEvent::STREAM, &id.to_string()));
        }
        None => cache.clear(),
    }
}

fn unexpected<T: std::error::Error>(
    error: impl std::error::Error + Send + Sync + 'static,
) -> AggregateError<T> {
    AggregateError::UnexpectedError(Box::new(error))
}
