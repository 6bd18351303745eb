//! From an entry of the log to a typed event.

use std::sync::LazyLock;

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use event_schemas::personal::ACTOR_PERSON_ID;
use event_schemas::upcast::{upcast, upcasters};
use event_schemas::{
    AccessReviewEvent, ApiKeyEvent, ApprovalEvent, BudgetEvent, CreditAccountEvent, NameEvent,
    OrganizationEvent, OrganizationId, PersonEvent, PersonId, PriceListEvent, ProjectEvent,
    RecordedEvent, RefusalEvent, ServiceAccountEvent, SigningKeyEvent, StreamEvent,
    UsageMonthEvent, UsageRepricingEvent, WebhookEvent,
};
use serde_json::Value;
use uuid::Uuid;

use crate::projection::ProjectionError;

static UPCASTERS: LazyLock<Vec<Box<dyn EventUpcaster>>> = LazyLock::new(upcasters);

/// The streams of the log. A projection matches all of them, so that a new one breaks the build
/// where it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// `organization`
    Organization,
    /// `project`
    Project,
    /// `service_account`
    ServiceAccount,
    /// `api_key`
    ApiKey,
    /// `access_review`
    AccessReview,
    /// `approval`
    Approval,
    /// `refusal`
    Refusal,
    /// `credit_account`
    CreditAccount,
    /// `budget`
    Budget,
    /// `webhook`
    Webhook,
    /// `price_list`
    PriceList,
    /// `name`
    Name,
    /// `person`
    Person,
    /// `usage`: what is recorded is corrected there. The records themselves are no events of a stream.
    Usage,
    /// `usage_month`
    UsageMonth,
    /// `signing_key`
    SigningKey,
}

impl Stream {
    /// The stream that an event belongs to; an error where this program does not know it.
    pub fn of(event: &RecordedEvent) -> Result<Self, ProjectionError> {
        Ok(match event.aggregate_type.as_str() {
            OrganizationEvent::STREAM => Self::Organization,
            ProjectEvent::STREAM => Self::Project,
            ServiceAccountEvent::STREAM => Self::ServiceAccount,
            ApiKeyEvent::STREAM => Self::ApiKey,
            AccessReviewEvent::STREAM => Self::AccessReview,
            ApprovalEvent::STREAM => Self::Approval,
            RefusalEvent::STREAM => Self::Refusal,
            CreditAccountEvent::STREAM => Self::CreditAccount,
            BudgetEvent::STREAM => Self::Budget,
            WebhookEvent::STREAM => Self::Webhook,
            PriceListEvent::STREAM => Self::PriceList,
            NameEvent::STREAM => Self::Name,
            PersonEvent::STREAM => Self::Person,
            UsageRepricingEvent::STREAM => Self::Usage,
            UsageMonthEvent::STREAM => Self::UsageMonth,
            SigningKeyEvent::STREAM => Self::SigningKey,
            unknown => return Err(unreadable(event, format!("there is no stream '{unknown}'"))),
        })
    }
}

/// The payload as the stream's event, brought to its current version.
pub fn read<E: StreamEvent>(event: &RecordedEvent) -> Result<E, ProjectionError> {
    let (kind, version) = (&event.event_type, &event.event_version);
    let read = if UPCASTERS.iter().any(|upcaster| upcaster.can_upcast(kind, version)) {
        let stored = SerializedEvent {
            aggregate_id: event.aggregate_id.clone(),
            sequence: usize::try_from(event.sequence).unwrap_or(usize::MAX),
            aggregate_type: event.aggregate_type.clone(),
            event_type: event.event_type.clone(),
            event_version: event.event_version.clone(),
            payload: event.payload.clone(),
            metadata: event.metadata.clone(),
        };
        serde_json::from_value(upcast(stored, &UPCASTERS).payload)
    } else {
        E::deserialize(&event.payload)
    };
    read.map_err(|error| unreadable(event, error.to_string()))
}

/// Who did it, as `kind:id`: the same text as an `Actor` is displayed as, without the rest of the
/// metadata being read.
pub fn actor(event: &RecordedEvent) -> Result<String, ProjectionError> {
    let text = |name: &str| event.metadata.get(name).and_then(|value| value.as_str());
    match (text("actor_kind"), text("actor_id")) {
        (Some(kind), Some(id)) => Ok(format!("{kind}:{id}")),
        (None, _) | (_, None) => Err(unreadable(event, "its metadata names no actor".to_owned())),
    }
}

/// The person that the actor is, where it is somebody outside whose name there is sealed.
pub fn external_person(event: &RecordedEvent) -> Option<PersonId> {
    event.metadata.get(ACTOR_PERSON_ID)?.as_str()?.parse().ok()
}

/// The organization that the event belongs to.
pub fn organization(event: &RecordedEvent) -> Result<OrganizationId, ProjectionError> {
    event
        .organization_id
        .ok_or_else(|| unreadable(event, "it belongs to no organization".to_owned()))
}

/// The id of the event's stream, for streams that are named by an UUID.
pub fn stream_id(event: &RecordedEvent) -> Result<Uuid, ProjectionError> {
    event
        .aggregate_id
        .parse()
        .map_err(|_| unreadable(event, format!("'{}' is not an UUID", event.aggregate_id)))
}

/// A part of an event as it stands in a column of its own.
pub fn json<T: serde::Serialize>(
    event: &RecordedEvent,
    part: &T,
) -> Result<Value, ProjectionError> {
    serde_json::to_value(part).map_err(|error| unreadable(event, error.to_string()))
}

/// An event that this program does not know what to do with.
pub(crate) fn unreadable(event: &RecordedEvent, reason: String) -> ProjectionError {
    ProjectionError::Unreadable {
        position: event.position,
        event_type: event.event_type.clone(),
        event_version: event.event_version.clone(),
        reason,
    }
}
