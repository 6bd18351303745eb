//! Executing commands: load, decide, append, answer.
//!
//! The executor decides on cached states and lets the appender find out whether they were stale. A
//! conflict sends it back to decide again on the newer state, three tries in all. A refusal never
//! passes the appender, so before one is given the states are brought up to the log once.

mod batch;
mod command;
mod locks;
pub(crate) mod observe;
mod session;

use std::sync::Arc;
use std::time::Instant;

use domain::organization::Authority;
use domain::webhook::Addresses;
use event_log::{Aggregates, AppendError, EventLog, StreamKey};

pub use command::{Answer, Command, CommandContext, Done, ExpectedSequence, Secret};
pub use session::Session;

use crate::api_keys::secret::Pepper;
use crate::credits::LotsLeft;
use crate::refusal::ExecuteError;
use batch::Batch;
use locks::Locks;

/// How often a command is decided before the caller is told that others keep changing the same
/// things.
const TRIES_MAX: usize = 3;

/// Executes commands. Cheap to clone.
#[derive(Clone)]
pub struct Executor {
    aggregates: Aggregates,
    locks: Arc<Locks>,
    pepper: Pepper,
    lots_left: Option<Arc<dyn LotsLeft>>,
    webhook_addresses: Addresses,
}

impl Executor {
    /// An executor on a log; secrets are hashed with the pepper.
    pub fn new(log: EventLog, pepper: Pepper) -> Self {
        Self {
            aggregates: Aggregates::new(log),
            locks: Arc::default(),
            pepper,
            lots_left: None,
            webhook_addresses: Addresses::default(),
        }
    }

    /// The same, where what is left of lots can be asked. Without it credits only come in.
    #[must_use]
    pub fn with_lots_left(self, lots_left: Arc<dyn LotsLeft>) -> Self {
        Self { lots_left: Some(lots_left), ..self }
    }

    /// The same, where webhooks may have these addresses. Without it, those of the public internet alone.
    #[must_use]
    pub fn with_webhook_addresses(self, webhook_addresses: Addresses) -> Self {
        Self { webhook_addresses, ..self }
    }

    /// A session that only reads, in somebody's name, bringing states up to the log where
    /// `up_to_date` says so.
    pub fn reading(&self, authority: Authority, up_to_date: bool) -> Session<'_> {
        Session::new(&self.aggregates, &self.locks, &self.pepper, up_to_date, Vec::new())
            .in_the_name_of(authority)
    }

    /// A session that only reads, on states brought up to the log, while no command of this process
    /// can change what it looks at.
    pub(crate) async fn reading_alone(
        &self,
        authority: Authority,
        streams: &[StreamKey],
    ) -> Session<'_> {
        let guards = self.locks.hold(streams).await;
        Session::new(&self.aggregates, &self.locks, &self.pepper, true, guards)
            .in_the_name_of(authority)
    }

    /// What secrets are hashed with.
    pub fn pepper(&self) -> &Pepper {
        &self.pepper
    }

    /// The log's streams.
    pub fn aggregates(&self) -> &Aggregates {
        &self.aggregates
    }

    /// The log.
    pub fn log(&self) -> &EventLog {
        self.aggregates.log()
    }

    /// Executes one command and answers after its events have committed.
    pub async fn execute<C: Command>(
        &self,
        context: &CommandContext,
        command: &C,
    ) -> Result<Answer<C::Outcome>, ExecuteError> {
        let started = Instant::now();
        let answered = self.execute_all(std::slice::from_ref(&(context, command))).await;
        let answer =
            answered.and_then(|mut answers| answers.pop().unwrap_or(Err(ExecuteError::Contended)));
        observe::command(C::NAME, started, observe::outcome_of(&answer));
        answer
    }

    /// Executes commands in order, each on what those before it have left, in one append: all that
    /// are not refused commit together. One answer for each. In a batch an idempotency key stands
    /// for one command; a second one with it is refused.
    pub async fn execute_all<C: Command>(
        &self,
        commands: &[(&CommandContext, &C)],
    ) -> Result<Vec<Result<Answer<C::Outcome>, ExecuteError>>, ExecuteError> {
        let mut batch = Batch::new(commands, &self.pepper);
        let mut touched = Vec::new();
        let mut up_to_date = false;
        let mut tries = 0;
        while tries < TRIES_MAX {
            // From the second try on, everything that the first one looked at is held, so that in
            // this process nobody can get in between again.
            let guards = self.locks.hold(&touched).await;
            let mut session =
                Session::new(&self.aggregates, &self.locks, &self.pepper, up_to_date, guards)
                    .with_lots_left(self.lots_left.as_deref())
                    .with_webhook_addresses(self.webhook_addresses);
            let decisions = batch.decide(&mut session).await?;
            touched = session.touched();
            if decisions.has_refusal() {
                if !up_to_date && session.has_read() {
                    up_to_date = true;
                    continue;
                }
                // Looked up only now, on the state that the refusal stands on: what is refused may
                // be refused because of what the same request has done, even a moment ago.
                batch.find_replays(self.log(), decisions.refused_to_somebody()).await?;
            }
            if !decisions.has_decided() {
                return Ok(batch.answers(decisions, None));
            }
            match self.log().append(batch.append(&mut session, &decisions)?).await {
                Ok(appended) => {
                    session.committed();
                    return Ok(batch.answers(decisions, Some(appended.first_position)));
                }
                Err(AppendError::Conflict(stream)) => {
                    tracing::debug!(?stream, tries, "a decision was overtaken");
                    metrics::counter!("orgledger_command_conflicts_total").increment(1);
                    up_to_date = true;
                    tries += 1;
                }
                Err(AppendError::Replayed(_)) => {
                    // Those that were answered before are taken out, and the rest goes on.
                    if batch.find_replays(self.log(), decisions.decided()).await? == 0 {
                        return Err(ExecuteError::Contended);
                    }
                    up_to_date = true;
                }
                Err(AppendError::Overloaded) => return Err(ExecuteError::Overloaded),
                Err(
                    error @ (AppendError::Database(_)
                    | AppendError::Unknown(_)
                    | AppendError::Vault(_)
                    | AppendError::Closed),
                ) => return Err(ExecuteError::Log(error)),
            }
        }
        Err(ExecuteError::Contended)
    }
}
