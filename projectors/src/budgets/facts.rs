//! What a page says about budgets, and about what they are on.

use chrono::{DateTime, Utc};
use event_schemas::{
    ApiKeyEvent, BudgetEvent, KeyOwner, OrganizationEvent, ProjectEvent, RecordedEvent,
    ServiceAccountEvent,
};
use uuid::Uuid;

use crate::events::{self, Stream};
use crate::projection::ProjectionError;
use crate::temporal::Moment;

/// Something that happened.
pub(super) struct Fact {
    pub(super) at: Moment,
    pub(super) actor: String,
    pub(super) what: What,
}

pub(super) enum What {
    Budget(Uuid, BudgetEvent),
    /// A key came into being, which budgets may be on.
    Key(Key),
    /// Something ended that budgets may be on.
    Ended(Ended),
}

/// A key, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) api_key_id: Uuid,
    pub(super) organization_id: Uuid,
    pub(super) owner: Uuid,
}

/// What ended, and with it its budgets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ended {
    Organization(Uuid),
    Project(Uuid),
    ApiKey(Uuid),
    /// With their keys.
    Member(Uuid),
    /// With its keys.
    ServiceAccount(Uuid),
}

impl Ended {
    /// The columns by which budgets end with it, and its id.
    pub(super) fn place(self) -> (&'static [&'static str], Uuid) {
        match self {
            Self::Organization(id) => (&["organization_id"], id),
            Self::Project(id) => (&["project_id"], id),
            Self::ApiKey(id) => (&["api_key_id"], id),
            Self::Member(id) => (&["member_id", "key_owner_id"], id),
            Self::ServiceAccount(id) => (&["key_owner_id"], id),
        }
    }
}

/// What of it is about budgets, in the log's order.
pub(super) fn facts(recorded: &[RecordedEvent]) -> Result<Vec<Fact>, ProjectionError> {
    let mut facts = Vec::new();
    for recorded in recorded {
        let what = match Stream::of(recorded)? {
            Stream::Budget => {
                Some(What::Budget(events::stream_id(recorded)?, events::read(recorded)?))
            }
            Stream::Organization => by_organization(recorded)?.map(What::Ended),
            Stream::Project => by_project(recorded)?.map(What::Ended),
            Stream::ApiKey => by_api_key(recorded)?,
            Stream::ServiceAccount => by_service_account(recorded)?.map(What::Ended),
            Stream::AccessReview
            | Stream::Approval
            | Stream::Refusal
            | Stream::CreditAccount
            | Stream::Webhook
            | Stream::PriceList
            | Stream::Usage
            | Stream::UsageMonth
            | Stream::SigningKey
            | Stream::Name
            | Stream::Person => None,
        };
        if let Some(what) = what {
            let at = Moment { time: recorded.occurred_at, position: recorded.position };
            facts.push(Fact { at, actor: events::actor(recorded)?, what });
        }
    }
    Ok(facts)
}

/// The earliest time that any of them happened at.
pub(super) fn earliest(facts: &[Fact]) -> Option<DateTime<Utc>> {
    facts.iter().map(|fact| fact.at.time).min()
}

fn by_organization(recorded: &RecordedEvent) -> Result<Option<Ended>, ProjectionError> {
    let event: OrganizationEvent = events::read(recorded)?;
    // The rest of an organization's events are the access register's.
    if let OrganizationEvent::Archived {} = event {
        return Ok(Some(Ended::Organization(events::organization(recorded)?.0)));
    }
    if let OrganizationEvent::MemberRemoved { member_id, .. } = event {
        return Ok(Some(Ended::Member(member_id.0)));
    }
    Ok(None)
}

fn by_project(recorded: &RecordedEvent) -> Result<Option<Ended>, ProjectionError> {
    Ok(match events::read(recorded)? {
        ProjectEvent::Archived {} => Some(Ended::Project(events::stream_id(recorded)?)),
        ProjectEvent::Created { .. }
        | ProjectEvent::Updated { .. }
        | ProjectEvent::MemberAssigned { .. }
        | ProjectEvent::MemberRoleChanged { .. }
        | ProjectEvent::MemberRemoved { .. }
        | ProjectEvent::GroupAssigned { .. }
        | ProjectEvent::GroupRoleChanged { .. }
        | ProjectEvent::GroupRemoved { .. } => None,
    })
}

fn by_service_account(recorded: &RecordedEvent) -> Result<Option<Ended>, ProjectionError> {
    Ok(match events::read(recorded)? {
        ServiceAccountEvent::Removed {} => {
            Some(Ended::ServiceAccount(events::stream_id(recorded)?))
        }
        ServiceAccountEvent::Created { .. }
        | ServiceAccountEvent::Updated { .. }
        | ServiceAccountEvent::Disabled { .. } => None,
    })
}

fn by_api_key(recorded: &RecordedEvent) -> Result<Option<What>, ProjectionError> {
    Ok(match events::read(recorded)? {
        ApiKeyEvent::Created { api_key_id, organization_id, owner, .. } => {
            let owner = match owner {
                KeyOwner::Member { member_id } => member_id.0,
                KeyOwner::ServiceAccount { service_account_id } => service_account_id.0,
            };
            let (api_key_id, organization_id) = (api_key_id.0, organization_id.0);
            Some(What::Key(Key { api_key_id, organization_id, owner }))
        }
        ApiKeyEvent::Revoked { .. } | ApiKeyEvent::Expired { .. } => {
            Some(What::Ended(Ended::ApiKey(events::stream_id(recorded)?)))
        }
        ApiKeyEvent::Renamed { .. }
        | ApiKeyEvent::Rotated { .. }
        | ApiKeyEvent::SecretShared { .. } => None,
    })
}
