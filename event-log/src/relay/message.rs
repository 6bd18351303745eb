//! The messages: CloudEvents 1.0 in structured mode, as JSON.
//!
//! Positions and sequences are texts, because an integer of CloudEvents has 32 bits.
//! Source: CloudEvents specification 1.0.2, "Type System" and "JSON Event Format".

use std::fmt::Display;

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SEQUENCE, NATS_EXPECTED_STREAM, NATS_MESSAGE_ID};
use chrono::{DateTime, Utc};
use event_schemas::usage::{USAGE_RECORDED, USAGE_RECORDED_VERSION};
use event_schemas::{OrganizationId, RecordedEvent, RecordedUsage, RepricedUsage, UsageBatch};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::read::UsageRun;

const SPEC_VERSION: &str = "1.0";
const SOURCE: &str = "/orgledger";
const JSON: &str = "application/json";

/// What the header `content-type` says: the whole message is the event.
pub(super) const CONTENT_TYPE: &str = "application/cloudevents+json";

/// What a run of usage records belongs to, where an event has the type of its stream.
const USAGE: &str = "usage";

/// The organization's word in a subject, for what all share.
const GLOBAL: &str = "global";

/// A message ready to be published.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) subject: String,
    pub(super) first_position: i64,
    pub(super) last_position: i64,
    /// What it carries, for a person.
    pub(super) what: String,
    pub(super) body: Vec<u8>,
}

impl Outgoing {
    /// What the server knows the message by. A run names both its ends: a run that was cut
    /// elsewhere is another message.
    pub(super) fn id(&self) -> String {
        if self.first_position == self.last_position {
            self.first_position.to_string()
        } else {
            format!("{}-{}", self.first_position, self.last_position)
        }
    }

    /// The headers of a message that comes after the stream's sequence `after`.
    pub(super) fn headers(&self, stream: &str, after: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", CONTENT_TYPE);
        headers.insert(NATS_MESSAGE_ID, self.id());
        headers.insert(NATS_EXPECTED_STREAM, stream);
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, after.to_string());
        headers
    }
}

#[derive(Serialize)]
struct Envelope<'a, D> {
    specversion: &'static str,
    id: String,
    source: &'static str,
    r#type: &'a str,
    time: DateTime<Utc>,
    subject: String,
    datacontenttype: &'static str,
    logid: Uuid,
    #[serde(with = "text")]
    position: i64,
    /// The last position, where the message spans several.
    #[serde(skip_serializing_if = "Option::is_none")]
    lastposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organizationid: Option<OrganizationId>,
    aggregatetype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    eventversion: &'a str,
    recordedat: DateTime<Utc>,
    data: D,
}

#[derive(Serialize)]
struct EventData<'a> {
    payload: &'a serde_json::Value,
    metadata: &'a serde_json::Value,
    /// What a `usage.repriced` corrects.
    #[serde(skip_serializing_if = "Option::is_none")]
    corrections: Option<&'a [RepricedUsage]>,
}

/// [`UsageBatch`], borrowed.
#[derive(Serialize)]
struct RunData<'a> {
    first_position: i64,
    recorded_at: DateTime<Utc>,
    metadata: &'a serde_json::Value,
    records: &'a [RecordedUsage],
}

fn subject(prefix: &str, organization_id: Option<OrganizationId>, rest: impl Display) -> String {
    match organization_id {
        Some(organization_id) => format!("{prefix}.{organization_id}.{rest}"),
        None => format!("{prefix}.{GLOBAL}.{rest}"),
    }
}

/// The message for an event, with what it corrects.
pub(super) fn event(
    prefix: &str,
    log_id: Uuid,
    event: &RecordedEvent,
    corrections: Option<&[RepricedUsage]>,
) -> Result<Outgoing, serde_json::Error> {
    let body = serde_json::to_vec(&Envelope {
        specversion: SPEC_VERSION,
        id: event.event_id.to_string(),
        source: SOURCE,
        r#type: &event.event_type,
        time: event.occurred_at,
        subject: event.aggregate_id.clone(),
        datacontenttype: JSON,
        logid: log_id,
        position: event.position,
        lastposition: None,
        organizationid: event.organization_id,
        aggregatetype: &event.aggregate_type,
        sequence: Some(event.sequence.to_string()),
        eventversion: &event.event_version,
        recordedat: event.recorded_at,
        data: EventData { payload: &event.payload, metadata: &event.metadata, corrections },
    })?;
    let rest = format_args!("{}.{}", event.aggregate_type, event.event_type).to_string();
    Ok(Outgoing {
        subject: subject(prefix, event.organization_id, rest),
        first_position: event.position,
        last_position: event.position,
        what: format!("event {} ({})", event.event_id, event.event_type),
        body,
    })
}

/// The message for a run of records of one batch, the first of them at `first_position`.
pub(super) fn usage(
    prefix: &str,
    log_id: Uuid,
    run: &UsageRun,
    first_position: i64,
    records: &[RecordedUsage],
) -> Result<Outgoing, serde_json::Error> {
    let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
    let last_position = first_position + count - 1;
    let body = serde_json::to_vec(&Envelope {
        specversion: SPEC_VERSION,
        id: format!("{}:{first_position}", run.batch_id),
        source: SOURCE,
        r#type: USAGE_RECORDED,
        time: run.recorded_at,
        subject: run.batch_id.to_string(),
        datacontenttype: JSON,
        logid: log_id,
        position: first_position,
        lastposition: Some(last_position.to_string()),
        organizationid: Some(run.organization_id),
        aggregatetype: USAGE,
        sequence: None,
        eventversion: USAGE_RECORDED_VERSION,
        recordedat: run.recorded_at,
        data: RunData {
            first_position,
            recorded_at: run.recorded_at,
            metadata: &run.metadata,
            records,
        },
    })?;
    Ok(Outgoing {
        subject: subject(prefix, Some(run.organization_id), USAGE_RECORDED),
        first_position,
        last_position,
        what: format!("{count} usage records of batch {}", run.batch_id),
        body,
    })
}

/// Which entries of which log a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) log_id: Uuid,
    pub(super) first_position: i64,
    pub(super) last_position: i64,
}

impl Stamp {
    /// Reads a message as far as its stamp.
    pub(super) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        let found: Positions = serde_json::from_slice(body)?;
        Ok(found.stamp())
    }
}

#[derive(Deserialize)]
struct Positions {
    logid: Uuid,
    #[serde(with = "text")]
    position: i64,
    #[serde(default, with = "optional_text")]
    lastposition: Option<i64>,
}

impl Positions {
    fn stamp(&self) -> Stamp {
        Stamp {
            log_id: self.logid,
            first_position: self.position,
            last_position: self.lastposition.unwrap_or(self.position),
        }
    }
}

/// What a message carries.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Carried {
    /// An event, and what it corrects.
    Event(Box<RecordedEvent>, Vec<RepricedUsage>),
    Usage(UsageBatch),
}

#[derive(Deserialize)]
struct Received<'a> {
    id: String,
    r#type: String,
    time: DateTime<Utc>,
    subject: String,
    #[serde(flatten)]
    positions: Positions,
    organizationid: Option<OrganizationId>,
    aggregatetype: String,
    #[serde(default, with = "optional_text")]
    sequence: Option<i64>,
    eventversion: String,
    recordedat: DateTime<Utc>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct ReceivedData {
    payload: serde_json::Value,
    metadata: serde_json::Value,
    #[serde(default)]
    corrections: Vec<RepricedUsage>,
}

/// Reads a message.
pub(super) fn read(body: &[u8]) -> Result<(Stamp, Carried), serde_json::Error> {
    let received: Received<'_> = serde_json::from_slice(body)?;
    let stamp = received.positions.stamp();
    if received.aggregatetype == USAGE && received.r#type == USAGE_RECORDED {
        return Ok((stamp, Carried::Usage(serde_json::from_str(received.data.get())?)));
    }
    let data: ReceivedData = serde_json::from_str(received.data.get())?;
    let missing = |field| <serde_json::Error as serde::de::Error>::missing_field(field);
    let event = RecordedEvent {
        position: stamp.first_position,
        event_id: received.id.parse().map_err(serde::de::Error::custom)?,
        organization_id: received.organizationid,
        aggregate_type: received.aggregatetype,
        aggregate_id: received.subject,
        sequence: received.sequence.ok_or_else(|| missing("sequence"))?,
        event_type: received.r#type,
        event_version: received.eventversion,
        payload: data.payload,
        metadata: data.metadata,
        occurred_at: received.time,
        recorded_at: received.recordedat,
    };
    Ok((stamp, Carried::Event(Box::new(event), data.corrections)))
}

/// A number as text.
mod text {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature.
    pub(super) fn serialize<S: Serializer>(number: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        Cow::<'de, str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A number as text, where there is one.
mod optional_text {
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}
