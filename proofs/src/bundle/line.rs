//! The lines of a bundle's `events/…`: a leaf each, `{"event": …}` or `{"usage": …}`.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::hash::Hash;
use crate::leaf::{EventLeaf, UsageLeaf};

/// A leaf.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line<'a> {
    /// An event.
    #[serde(borrow)]
    Event(EventLine<'a>),
    /// A batch of usage records.
    #[serde(borrow)]
    Usage(UsageLine<'a>),
}

/// An event. Payload and metadata stand in the line exactly as they are stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventLine<'a> {
    /// The leaf's place in the organization's tree.
    pub number: u64,
    /// The event's position in the log.
    pub position: u64,
    /// The event.
    pub event_id: Uuid,
    /// Its stream's type.
    #[serde(borrow)]
    pub aggregate_type: Cow<'a, str>,
    /// Its stream's id.
    #[serde(borrow)]
    pub aggregate_id: Cow<'a, str>,
    /// Its place in its stream.
    pub sequence: u64,
    /// Its type.
    #[serde(borrow)]
    pub event_type: Cow<'a, str>,
    /// Its version.
    #[serde(borrow)]
    pub event_version: Cow<'a, str>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When the log learned of it.
    pub recorded_at: DateTime<Utc>,
    /// The leaf's hash, as it was sealed.
    #[serde(borrow)]
    pub leaf: Cow<'a, str>,
    /// The metadata.
    #[serde(borrow)]
    pub metadata: &'a RawValue,
    /// The payload.
    #[serde(borrow)]
    pub payload: &'a RawValue,
}

/// A batch of usage records.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageLine<'a> {
    /// The leaf's place in the organization's tree.
    pub number: u64,
    /// The position of the first record.
    pub first_position: u64,
    /// How many records.
    pub count: u64,
    /// The batch.
    pub batch_id: Uuid,
    /// The earliest day of its records.
    pub first_day: NaiveDate,
    /// The latest.
    pub last_day: NaiveDate,
    /// When the log learned of them.
    pub recorded_at: DateTime<Utc>,
    /// Who sent them.
    #[serde(borrow)]
    pub actor: Cow<'a, str>,
    /// The root over the records.
    #[serde(borrow)]
    pub records: Cow<'a, str>,
    /// The leaf's hash, as it was sealed.
    #[serde(borrow)]
    pub leaf: Cow<'a, str>,
    /// The metadata.
    #[serde(borrow)]
    pub metadata: &'a RawValue,
}

impl Line<'_> {
    /// The leaf's place.
    pub fn number(&self) -> u64 {
        match self {
            Self::Event(event) => event.number,
            Self::Usage(usage) => usage.number,
        }
    }

    /// The position of its first entry in the log, and how many it has.
    pub fn positions(&self) -> (u64, u64) {
        match self {
            Self::Event(event) => (event.position, 1),
            Self::Usage(usage) => (usage.first_position, usage.count),
        }
    }

    /// When the log learned of it.
    pub fn recorded_at(&self) -> DateTime<Utc> {
        match self {
            Self::Event(event) => event.recorded_at,
            Self::Usage(usage) => usage.recorded_at,
        }
    }

    /// What it is called by: its type and id.
    pub fn name(&self) -> String {
        match self {
            Self::Event(event) => format!("{} {}", event.event_type, event.event_id),
            Self::Usage(usage) => format!("usage batch {}", usage.batch_id),
        }
    }

    /// The hash that the line claims for it.
    pub fn claimed(&self) -> Option<Hash> {
        match self {
            Self::Event(event) => Hash::from_base64(&event.leaf),
            Self::Usage(usage) => Hash::from_base64(&usage.leaf),
        }
    }

    /// The hash that it has; none where it has no records' root.
    pub fn hash(&self, organization_id: Uuid) -> Option<Hash> {
        match self {
            Self::Event(event) => Some(event.leaf(organization_id).hash()),
            Self::Usage(usage) => Some(usage.leaf(organization_id)?.hash()),
        }
    }
}

impl EventLine<'_> {
    /// The leaf.
    pub fn leaf(&self, organization_id: Uuid) -> EventLeaf<'_> {
        EventLeaf {
            organization_id,
            number: self.number,
            position: self.position,
            event_id: self.event_id,
            aggregate_type: &self.aggregate_type,
            aggregate_id: &self.aggregate_id,
            sequence: self.sequence,
            event_type: &self.event_type,
            event_version: &self.event_version,
            occurred_at: self.occurred_at,
            recorded_at: self.recorded_at,
            payload: self.payload.get(),
            metadata: self.metadata.get(),
        }
    }
}

impl UsageLine<'_> {
    /// The leaf; none where the records' root is no hash.
    pub fn leaf(&self, organization_id: Uuid) -> Option<UsageLeaf<'_>> {
        Some(UsageLeaf {
            organization_id,
            number: self.number,
            first_position: self.first_position,
            count: self.count,
            batch_id: self.batch_id,
            first_day: self.first_day,
            last_day: self.last_day,
            recorded_at: self.recorded_at,
            actor: &self.actor,
            metadata: self.metadata.get(),
            records: Hash::from_base64(&self.records)?,
        })
    }
}
