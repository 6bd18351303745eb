//! Who did it: the actor, and the rest of an event's metadata.

use std::collections::HashMap;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::ids::{InviteId, MemberId, ServiceAccountId};
pub use crate::roles::UnknownWord;
use crate::roles::words;

words! {
    /// The kinds of actor.
    ActorKind, "a kind of actor" {
        /// Whoever holds the operator's credential.
        Operator = "operator",
        /// A member of the organization.
        Member = "member",
        /// A service account of the organization.
        ServiceAccount = "service_account",
        /// Whoever holds the token of an invite.
        Invite = "invite",
        /// orgledger itself, for example when something expires.
        System = "system",
        /// Somebody in the system that a history was imported from, by their name there.
        External = "external",
    }
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// The kind.
    pub kind: ActorKind,
    /// The member's or service account's id, the operator's name, the name in the source system.
    pub id: String,
}

impl Actor {
    /// The operator, under the name given to their credential.
    pub fn operator(name: &str) -> Self {
        Self { kind: ActorKind::Operator, id: name.to_owned() }
    }

    /// A member.
    pub fn member(id: MemberId) -> Self {
        Self { kind: ActorKind::Member, id: id.to_string() }
    }

    /// A service account.
    pub fn service_account(id: ServiceAccountId) -> Self {
        Self { kind: ActorKind::ServiceAccount, id: id.to_string() }
    }

    /// Whoever holds an invite's token.
    pub fn invite(id: InviteId) -> Self {
        Self { kind: ActorKind::Invite, id: id.to_string() }
    }

    /// orgledger itself, acting for the reason named.
    pub fn system(name: &str) -> Self {
        Self { kind: ActorKind::System, id: name.to_owned() }
    }

    /// Somebody in the system that a history was imported from.
    pub fn external(name: &str) -> Self {
        Self { kind: ActorKind::External, id: name.to_owned() }
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

/// What stands beside every event. Never a secret. On the wire a flat object of strings, as
/// cqrs-es has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMetadata {
    /// Who did it.
    pub actor: Actor,
    /// What they proved it with, as `kind:id`, where there was something: the API key, the issuer
    /// that vouched for them. Never the secret.
    pub credential: Option<String>,
    /// The request that this event belongs to, with all else that the request caused.
    pub correlation_id: String,
    /// The event or request that caused this event, where it is not the request itself.
    pub causation_id: Option<String>,
    /// The W3C trace context of the request.
    pub traceparent: Option<String>,
    /// The network address that the request came from.
    pub source_address: Option<String>,
}

/// As a flat object, its names in alphabetical order, since the stored text is what gets hashed.
impl Serialize for EventMetadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("actor_id", &self.actor.id)?;
        map.serialize_entry("actor_kind", self.actor.kind.as_str())?;
        let others = [
            ("causation_id", self.causation_id.as_deref()),
            ("correlation_id", Some(&*self.correlation_id)),
            ("credential", self.credential.as_deref()),
            ("source_address", self.source_address.as_deref()),
            ("traceparent", self.traceparent.as_deref()),
        ];
        for (name, value) in others {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

impl EventMetadata {
    /// From the flat map that is stored.
    pub fn from_map(mut map: HashMap<String, String>) -> Result<Self, MetadataError> {
        let mut required =
            |name: &'static str| map.remove(name).ok_or(MetadataError::Missing(name));
        let kind = required("actor_kind")?.parse()?;
        let id = required("actor_id")?;
        let correlation_id = required("correlation_id")?;
        Ok(Self {
            actor: Actor { kind, id },
            credential: map.remove("credential"),
            correlation_id,
            causation_id: map.remove("causation_id"),
            traceparent: map.remove("traceparent"),
            source_address: map.remove("source_address"),
        })
    }
}

/// Why a stored map is not metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A field is missing.
    #[error("metadata has no {0}")]
    Missing(&'static str),
    /// The actor's kind is unknown.
    #[error(transparent)]
    Actor(#[from] UnknownWord),
}
