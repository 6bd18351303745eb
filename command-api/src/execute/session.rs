//! A session: the states that commands decide on, and the events that they have decided, until all
//! of it is appended at once.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use api_conventions::authentication::Presented;
use domain::organization::Authority;
use domain::webhook::Addresses;
use domain::{Decider, Root};
use event_log::usage::NewCorrection;
use event_log::{Aggregates, EventLog, NewEvent, StreamKey};
use event_schemas::OrganizationId;
use uuid::Uuid;

use super::command::{Command, CommandContext, Secret};
use super::locks::{Guard, Locks};
use crate::api_keys::secret::Pepper;
use crate::credits::LotsLeft;
use crate::edge;
use crate::refusal::{ExecuteError, Refusal};

/// What a command that was not refused came to.
pub(super) struct Decided<O> {
    pub(super) outcome: O,
    /// How many events the session had decided up to and with this command.
    pub(super) events_upto: usize,
    pub(super) sequence: Option<i64>,
    pub(super) secrets: Vec<Secret>,
}

/// The states that a command decides on. Whatever it reads or writes here is named in the append,
/// so the decision holds only if none of it has moved.
pub struct Session<'a> {
    aggregates: &'a Aggregates,
    locks: &'a Locks,
    pepper: &'a Pepper,
    lots_left: Option<&'a dyn LotsLeft>,
    webhook_addresses: Addresses,
    /// Whether states are brought up to the log when they are first looked at.
    up_to_date: bool,
    guards: Vec<Guard>,
    streams: HashMap<StreamKey, Box<dyn Working>>,
    /// The events of the commands that were not refused.
    events: Vec<NewEvent>,
    /// What some of them correct.
    corrections: Vec<NewCorrection>,
    current: Option<Current<'a>>,
    /// Who reads, where no command runs, and their name.
    reader: Authority,
    reader_name: String,
    /// What the one who asks has proved themselves with.
    presented: Option<Presented>,
}

/// The command that is running.
struct Current<'a> {
    context: &'a CommandContext,
    metadata: Arc<str>,
    organization_id: Option<OrganizationId>,
    events: Vec<NewEvent>,
    corrections: Vec<NewCorrection>,
    first_written: Option<StreamKey>,
    secrets: Vec<Secret>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        aggregates: &'a Aggregates,
        locks: &'a Locks,
        pepper: &'a Pepper,
        up_to_date: bool,
        guards: Vec<Guard>,
    ) -> Self {
        Self {
            aggregates,
            locks,
            pepper,
            lots_left: None,
            webhook_addresses: Addresses::default(),
            up_to_date,
            guards,
            streams: HashMap::new(),
            events: Vec::new(),
            corrections: Vec::new(),
            current: None,
            reader: Authority::Nobody,
            reader_name: String::new(),
            presented: None,
        }
    }

    /// Says where what is left of lots is asked.
    pub(super) fn with_lots_left(self, lots_left: Option<&'a dyn LotsLeft>) -> Self {
        Self { lots_left, ..self }
    }

    /// Says which addresses webhooks may have.
    pub(super) fn with_webhook_addresses(self, webhook_addresses: Addresses) -> Self {
        Self { webhook_addresses, ..self }
    }

    /// Says in whose name it reads.
    pub(super) fn in_the_name_of(mut self, authority: Authority) -> Self {
        self.reader = authority;
        self
    }

    /// Says the name of who reads: an actor's id.
    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.reader_name);
        self
    }

    /// Runs one command. What a refused command has decided so far is undone. An error is one of
    /// the machinery, not of the command.
    pub(super) async fn run<C: Command>(
        &mut self,
        context: &'a CommandContext,
        command: &C,
    ) -> Result<Result<Decided<C::Outcome>, Refusal>, ExecuteError> {
        self.current = Some(Current {
            context,
            metadata: serde_json::to_string(&context.metadata)?.into(),
            organization_id: command.organization_id(),
            events: Vec::new(),
            corrections: Vec::new(),
            first_written: None,
            secrets: Vec::new(),
        });
        let handled = match self.vouch(context.presented.as_ref()).await {
            Ok(()) => command.handle(self).await,
            Err(refusal) => Err(refusal),
        };
        let current = self.current.take();
        let outcome = match handled {
            Ok(outcome) => outcome,
            Err(Refusal::Failed(error)) => return Err(*error),
            Err(refusal) => {
                self.streams.values_mut().for_each(|stream| stream.discard());
                let Some(outcome) = command.refused(&refusal) else { return Ok(Err(refusal)) };
                let events_upto = self.events.len();
                let secrets = Vec::new();
                return Ok(Ok(Decided { outcome, events_upto, sequence: None, secrets }));
            }
        };
        self.streams.values_mut().for_each(|stream| stream.accept());
        let mut sequence = None;
        let mut secrets = Vec::new();
        if let Some(current) = current {
            let first = current.first_written.and_then(|stream| self.streams.get(&stream));
            sequence = first.map(|stream| stream.sequence());
            secrets = current.secrets;
            let before = self.events.len();
            let of_all = |one: NewCorrection| NewCorrection { event: before + one.event, ..one };
            self.corrections.extend(current.corrections.into_iter().map(of_all));
            self.events.extend(current.events);
        }
        Ok(Ok(Decided { outcome, events_upto: self.events.len(), sequence, secrets }))
    }

    /// The state of a stream, with all that this session has decided on it.
    pub async fn read<D: Decider>(&mut self, id: impl ToString) -> Result<&D, Refusal> {
        let stream = StreamKey::new(D::STREAM, &id.to_string());
        self.load::<D>(&stream).await?;
        Ok(self.working::<D>(&stream)?.state())
    }

    /// Decides a command on a stream. Answers how many events that caused.
    pub async fn execute<D: Decider>(
        &mut self,
        id: impl ToString,
        command: D::Command,
    ) -> Result<usize, Refusal>
    where
        Refusal: From<D::Error>,
    {
        let stream = StreamKey::new(D::STREAM, &id.to_string());
        // Commands on one stream take turns in this process. Only the first stream is waited for,
        // and only while nothing else is held: so nobody waits in a circle.
        if self.guards.is_empty() {
            self.guards.push(self.locks.hold_one(&stream).await);
        }
        self.load::<D>(&stream).await?;
        self.decide::<D>(&stream, command)
    }

    /// Decides a command on a stream that cannot have events yet, because its id is new: nothing
    /// needs to be read for it.
    #[allow(clippy::needless_pass_by_value)] // Ids are copied everywhere, here too.
    pub fn begin<D: Decider>(
        &mut self,
        id: impl ToString,
        command: D::Command,
    ) -> Result<usize, Refusal>
    where
        Refusal: From<D::Error>,
    {
        let stream = StreamKey::new(D::STREAM, &id.to_string());
        self.streams.insert(stream.clone(), Box::new(Stream::<D>::at(Arc::default(), 0)));
        self.decide::<D>(&stream, command)
    }

    /// Holds the request's condition (`If-Match`) against a stream, where the command may write to
    /// another one in its place.
    pub(crate) async fn expects<D: Decider>(&mut self, id: impl ToString) -> Result<(), Refusal> {
        let stream = StreamKey::new(D::STREAM, &id.to_string());
        self.load::<D>(&stream).await?;
        let sequence = self.working::<D>(&stream)?.sequence();
        let Some(current) = &mut self.current else { return Ok(()) };
        let expected = current.context.expected_sequence.as_ref();
        if expected.is_some_and(|expected| !expected.is_met_at(sequence)) {
            return Err(Refusal::PreconditionFailed { sequence });
        }
        current.first_written = Some(stream);
        Ok(())
    }

    /// Says what the last event that was decided corrects.
    pub(crate) fn correct(&mut self, corrections: Vec<NewCorrection>) {
        let Some(current) = &mut self.current else { return };
        let Some(event) = current.events.len().checked_sub(1) else { return };
        let of_event = corrections.into_iter().map(|one| NewCorrection { event, ..one });
        current.corrections.extend(of_event);
    }

    /// Says to which organization the command's events belong, where that is not known before.
    pub fn belongs_to(&mut self, organization_id: OrganizationId) {
        if let Some(current) = &mut self.current {
            current.organization_id = Some(organization_id);
        }
    }

    /// Shows a secret to the caller, this once.
    pub fn reveal(&mut self, secret: Secret) {
        if let Some(current) = &mut self.current {
            current.secrets.push(secret);
        }
    }

    /// How many events have been decided so far.
    pub fn events_decided(&self) -> usize {
        self.events.len() + self.current.as_ref().map_or(0, |current| current.events.len())
    }

    /// In whose name a command runs, or is read.
    pub fn authority(&self) -> Authority {
        self.current.as_ref().map_or(self.reader, |current| current.context.authority)
    }

    /// What the one who asks has proved themselves with, once it was vouched for.
    pub(crate) fn presented(&self) -> Option<&Presented> {
        self.presented.as_ref()
    }

    pub(crate) fn presents(&mut self, presented: Option<&Presented>) {
        self.presented = presented.cloned();
    }

    /// The name of who asks: the actor's id.
    pub fn actor_name(&self) -> String {
        let name = self.current.as_ref().map(|current| &current.context.metadata.actor.id);
        name.unwrap_or(&self.reader_name).clone()
    }

    /// The time now.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.current.as_ref().map_or_else(event_log::clock::now, |c| c.context.now)
    }

    /// What secrets are hashed with.
    pub(crate) fn pepper(&self) -> &Pepper {
        self.pepper
    }

    /// Where what is left of lots is asked.
    pub(crate) fn lots_left(&self) -> Option<&'a dyn LotsLeft> {
        self.lots_left
    }

    /// Which addresses webhooks may have.
    pub(crate) fn webhook_addresses(&self) -> Addresses {
        self.webhook_addresses
    }

    /// The log, for what is found by another thing than its stream.
    pub(crate) fn log(&self) -> &'a EventLog {
        self.aggregates.log()
    }

    /// A new id, growing with time.
    pub fn new_id<I: From<Uuid>>(&self) -> I {
        edge::new_id().into()
    }

    /// Every stream looked at so far.
    pub(crate) fn touched(&self) -> Vec<StreamKey> {
        self.streams.keys().cloned().collect()
    }

    /// Whether any state was looked at that may have been stale.
    pub(super) fn has_read(&self) -> bool {
        !self.streams.is_empty()
    }

    pub(super) fn take_events(&mut self) -> (Vec<NewEvent>, Vec<NewCorrection>) {
        (std::mem::take(&mut self.events), std::mem::take(&mut self.corrections))
    }

    pub(crate) fn expected(&self) -> Vec<(StreamKey, i64)> {
        self.streams.iter().map(|(stream, working)| (stream.clone(), working.base())).collect()
    }

    /// After the commit: the cache learns the new states.
    pub(super) fn committed(self) {
        for (stream, working) in self.streams {
            working.keep(self.aggregates, stream);
        }
    }

    async fn load<D: Decider>(&mut self, stream: &StreamKey) -> Result<(), Refusal> {
        if self.streams.contains_key(stream) {
            return Ok(());
        }
        let loaded = if self.up_to_date {
            self.aggregates.refresh::<Root<D>>(stream).await
        } else {
            self.aggregates.load::<Root<D>>(stream).await
        }
        .map_err(ExecuteError::Load)?;
        let working = Stream::<D>::at(loaded.state, loaded.sequence);
        self.streams.insert(stream.clone(), Box::new(working));
        Ok(())
    }

    fn working<D: Decider>(&mut self, stream: &StreamKey) -> Result<&mut Stream<D>, Refusal> {
        let working = self.streams.get_mut(stream).map(|working| working.as_any());
        // A stream's type is part of its key, so what is found under it is of that type.
        Ok(working.and_then(<dyn Any>::downcast_mut).ok_or(ExecuteError::Contended)?)
    }

    fn decide<D: Decider>(
        &mut self,
        stream: &StreamKey,
        command: D::Command,
    ) -> Result<usize, Refusal>
    where
        Refusal: From<D::Error>,
    {
        let working = self.working::<D>(stream)?;
        let sequence = working.sequence();
        let events = working.state().decide(command)?;
        let decided = events.len();
        working.pending.extend(events.iter().cloned());
        let Some(current) = &mut self.current else { return Ok(0) };
        if current.first_written.is_none() {
            let expected = current.context.expected_sequence.as_ref();
            if expected.is_some_and(|expected| !expected.is_met_at(sequence)) {
                return Err(Refusal::PreconditionFailed { sequence });
            }
            current.first_written = Some(stream.clone());
        }
        for event in &events {
            let new = NewEvent::new(
                event,
                Arc::clone(&stream.aggregate_id),
                current.organization_id,
                Arc::clone(&current.metadata),
                current.context.occurred_at,
            );
            current.events.push(new.map_err(ExecuteError::Json)?);
        }
        Ok(decided)
    }
}

/// A stream in a session, whatever its type.
trait Working: Send {
    fn as_any(&mut self) -> &mut dyn Any;
    /// The sequence in the log that the state was loaded at.
    fn base(&self) -> i64;
    /// The sequence after all that was decided.
    fn sequence(&self) -> i64;
    fn accept(&mut self);
    fn discard(&mut self);
    fn keep(self: Box<Self>, aggregates: &Aggregates, key: StreamKey);
}

struct Stream<D: Decider> {
    state: Arc<Root<D>>,
    base: i64,
    /// How many events stand in `state` beyond `base`.
    folded: i64,
    /// Events of commands that were not refused, not yet folded into `state`.
    accepted: Vec<D::Event>,
    /// Events of the running command, not yet folded into `state`.
    pending: Vec<D::Event>,
    /// The state before the running command, where its own events were folded into `state`.
    before: Option<(Arc<Root<D>>, i64)>,
}

impl<D: Decider> Stream<D> {
    fn at(state: Arc<Root<D>>, base: i64) -> Self {
        Self { state, base, folded: 0, accepted: Vec::new(), pending: Vec::new(), before: None }
    }

    /// The state with everything decided. Folding waits until somebody looks: a command that decides
    /// once on a stream never copies its state.
    fn state(&mut self) -> &D {
        self.fold_accepted();
        if !self.pending.is_empty() {
            if self.before.is_none() {
                self.before = Some((Arc::clone(&self.state), self.folded));
            }
            let pending = std::mem::take(&mut self.pending);
            self.fold(&pending);
        }
        &self.state.0
    }

    fn fold_accepted(&mut self) {
        let accepted = std::mem::take(&mut self.accepted);
        self.fold(&accepted);
    }

    fn fold(&mut self, events: &[D::Event]) {
        if events.is_empty() {
            return;
        }
        let state = Arc::make_mut(&mut self.state);
        for event in events {
            state.0.evolve(event);
            self.folded += 1;
        }
    }
}

impl<D: Decider> Working for Stream<D> {
    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn base(&self) -> i64 {
        self.base
    }

    fn sequence(&self) -> i64 {
        let unfolded = self.accepted.len() + self.pending.len();
        self.base + self.folded + i64::try_from(unfolded).unwrap_or(i64::MAX)
    }

    fn accept(&mut self) {
        self.before = None;
        self.accepted.append(&mut self.pending);
    }

    fn discard(&mut self) {
        self.pending.clear();
        if let Some((state, folded)) = self.before.take() {
            self.state = state;
            self.folded = folded;
        }
    }

    fn keep(mut self: Box<Self>, aggregates: &Aggregates, key: StreamKey) {
        if self.sequence() == self.base {
            return;
        }
        // The cache lets go of the state first, so that folding changes it in place.
        aggregates.take(&key);
        self.fold_accepted();
        let sequence = self.sequence();
        aggregates.keep(key, self.state, sequence);
    }
}
