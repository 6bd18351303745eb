//! What every event of every stream has in common.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::personal::PersonalField;
use crate::{
    AccessReviewEvent, ApiKeyEvent, ApprovalEvent, BudgetEvent, CreditAccountEvent, NameEvent,
    OrganizationEvent, OrganizationId, PersonEvent, PriceListEvent, ProjectEvent, RefusalEvent,
    ServiceAccountEvent, SigningKeyEvent, UsageMonthEvent, UsageRepricingEvent, WebhookEvent,
};

/// An event of one stream. The enum of a stream's events implements it through [`stream_events!`].
pub trait StreamEvent: cqrs_es::DomainEvent {
    /// The stream's type, as in `events.aggregate_type`.
    const STREAM: &'static str;

    /// Every event type of this stream with its current version.
    const TYPES: &'static [(&'static str, &'static str)];

    /// Every field that holds a person's text, which never stands in the log in the clear.
    const PERSONAL: &'static [PersonalField];
}

/// The type of every event of every stream. Usage records are no events of a stream.
pub fn event_types() -> impl Iterator<Item = &'static str> {
    let streams = [
        OrganizationEvent::TYPES,
        ProjectEvent::TYPES,
        ServiceAccountEvent::TYPES,
        ApiKeyEvent::TYPES,
        AccessReviewEvent::TYPES,
        ApprovalEvent::TYPES,
        RefusalEvent::TYPES,
        CreditAccountEvent::TYPES,
        BudgetEvent::TYPES,
        WebhookEvent::TYPES,
        NameEvent::TYPES,
        PriceListEvent::TYPES,
        PersonEvent::TYPES,
        UsageRepricingEvent::TYPES,
        UsageMonthEvent::TYPES,
        SigningKeyEvent::TYPES,
    ];
    streams.into_iter().flatten().map(|(event_type, _)| *event_type)
}

/// An event as the log holds it and as JetStream carries it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedEvent {
    /// Its place in the log: gapless, in commit order, from 1.
    pub position: i64,
    /// Its own id.
    pub event_id: Uuid,
    /// The organization that it belongs to; none for what all share, such as price lists.
    pub organization_id: Option<OrganizationId>,
    /// The stream's type.
    pub aggregate_type: String,
    /// The stream's id.
    pub aggregate_id: String,
    /// Its place in the stream, from 1.
    pub sequence: i64,
    /// What happened, `noun.past`.
    pub event_type: String,
    /// The version of its payload's schema.
    pub event_version: String,
    /// The payload, by the schema of that type and version.
    pub payload: serde_json::Value,
    /// Who did it, and the rest of [`crate::EventMetadata`].
    pub metadata: serde_json::Value,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When the log learned of it.
    pub recorded_at: DateTime<Utc>,
}

/// Declares the events of one stream: an enum tagged with the event's type on the wire, its
/// versions, its personal fields and cqrs-es's `DomainEvent`. A field that holds a person's text says
/// so behind its type, with the field of the same event that names the person:
/// `login: String [personal: person_id],`.
macro_rules! stream_events {
    (
        $(#[$doc:meta])*
        $name:ident on $stream:literal {
            $(
                $(#[$event_doc:meta])*
                $variant:ident = $type:literal $version:literal {
                    $(
                        $(#[$field_doc:meta])*
                        $field:ident: $field_type:ty $([personal: $person:ident])?,
                    )*
                }
            )+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "type", deny_unknown_fields)]
        pub enum $name {
            $(
                $(#[$event_doc])*
                #[serde(rename = $type)]
                $variant {
                    $($(#[$field_doc])* $field: $field_type,)*
                },
            )+
        }

        impl $crate::event::StreamEvent for $name {
            const STREAM: &'static str = $stream;
            const TYPES: &'static [(&'static str, &'static str)] = &[$(($type, $version)),+];
            const PERSONAL: &'static [$crate::personal::PersonalField] = &[$($($(
                $crate::personal::PersonalField {
                    event_type: $type,
                    field: stringify!($field),
                    person: stringify!($person),
                    optional: <$field_type as $crate::personal::PersonalText>::OPTIONAL,
                },
            )?)*)+];
        }

        impl cqrs_es::DomainEvent for $name {
            fn event_type(&self) -> String {
                match self {
                    $(Self::$variant { .. } => $type,)+
                }
                .to_owned()
            }

            fn event_version(&self) -> String {
                match self {
                    $(Self::$variant { .. } => $version,)+
                }
                .to_owned()
            }
        }
    };
}
pub(crate) use stream_events;
