//! What a command is, who asks, and what it is answered.

use std::future::Future;
use std::sync::Arc;

use api_conventions::authentication::Presented;
use chrono::{DateTime, Utc};
use domain::organization::Authority;
use event_schemas::{ActorKind, EventMetadata, OrganizationId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Session;
use crate::refusal::Refusal;

/// A command: what is asked, with everything that its outcome depends on but the state.
pub trait Command: Serialize + Send + Sync {
    /// Its name, `nouns.verb`, part of what an idempotency key stands for.
    const NAME: &'static str;

    /// What it answers. It is stored with the idempotency key, so no secret may stand in it; see
    /// [`Session::reveal`].
    type Outcome: Serialize + DeserializeOwned + Clone + Send;

    /// The organization that its events belong to, where it is known before it runs.
    fn organization_id(&self) -> Option<OrganizationId>;

    /// Decides. It may run several times, each time on newer states.
    fn handle(
        &self,
        session: &mut Session<'_>,
    ) -> impl Future<Output = Result<Self::Outcome, Refusal>> + Send;

    /// The outcome to record where the command is refused; by default none: a refusal is answered
    /// and forgotten. Imports record it, so that the same line is refused the same way next time.
    fn refused(&self, _refusal: &Refusal) -> Option<Self::Outcome> {
        None
    }
}

/// The outcome of a command that only does what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct Done {}

/// Who asks, when, and with which key.
#[derive(Debug, Clone)]
pub struct CommandContext {
    /// Actor and request, as they will stand beside every event.
    pub metadata: EventMetadata,
    /// What the actor may do.
    pub authority: Authority,
    /// What was presented, where it was not the operator's credential.
    pub presented: Option<Presented>,
    /// The time now.
    pub now: DateTime<Utc>,
    /// When what is told happened: now, but for imports.
    pub occurred_at: DateTime<Utc>,
    /// The idempotency key.
    pub idempotency_key: Option<String>,
    /// Where the first stream written must stand (`If-Match`).
    pub expected_sequence: Option<ExpectedSequence>,
}

/// Where a stream must stand for a command to go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedSequence {
    /// Anywhere, but it must be there.
    Any,
    /// At one of these.
    OneOf(Vec<i64>),
}

impl ExpectedSequence {
    /// Whether a stream at that sequence (0: it is not there) is what was expected.
    pub fn is_met_at(&self, sequence: i64) -> bool {
        match self {
            Self::Any => sequence > 0,
            Self::OneOf(sequences) => sequences.contains(&sequence),
        }
    }
}

impl CommandContext {
    /// Whose idempotency keys these are: each actor has their own. An import's keys are hashes of
    /// what it imports, so they are one set whoever acted in the history it brings.
    pub fn scope(&self) -> Arc<str> {
        match self.metadata.actor.kind {
            ActorKind::External => ActorKind::External.as_str().into(),
            ActorKind::Operator
            | ActorKind::Member
            | ActorKind::ServiceAccount
            | ActorKind::Invite
            | ActorKind::System => self.metadata.actor.to_string().into(),
        }
    }
}

/// The answer to a command.
#[derive(Debug)]
pub struct Answer<O> {
    /// What came out of it.
    pub outcome: O,
    /// The position up to which the log must be read to see its effect.
    pub position: i64,
    /// The sequence of the first stream written, after it; not known for a repeated answer.
    pub sequence: Option<i64>,
    /// Whether this is the answer given to the same idempotency key before.
    pub replayed: bool,
    /// The secrets that are shown this once, in the order in which they were made: one at most, but
    /// for what makes several. A repeated answer has none: they were never stored.
    pub secrets: Vec<Secret>,
}

/// A secret in the clear. It cannot be serialised, and `Debug` does not show it, so that it cannot
/// end up in a log or in an event by accident.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret, for the one response that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
