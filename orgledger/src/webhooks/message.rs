//! What is sent: an event, as Standard Webhooks has it.

use chrono::{DateTime, Utc};
use event_schemas::{OrganizationId, WebhookId};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// An event as the log holds it. Texts of persons in it are sealed.
#[derive(Debug, Clone)]
#[allow(clippy::struct_field_names)] // The names are those of the log.
pub(super) struct Event {
    pub(super) position: i64,
    pub(super) event_id: Uuid,
    pub(super) organization_id: OrganizationId,
    pub(super) stream_type: String,
    pub(super) stream_id: String,
    pub(super) sequence: i64,
    pub(super) event_type: String,
    pub(super) event_version: String,
    /// The payload's very text.
    pub(super) payload: String,
    /// Who did it, as `kind:id`.
    pub(super) actor: Option<String>,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) recorded_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: DateTime<Utc>,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    event_id: Uuid,
    organization_id: OrganizationId,
    position: i64,
    stream: Stream<'a>,
    event_version: &'a str,
    actor: Option<&'a str>,
    recorded_at: DateTime<Utc>,
    payload: &'a RawValue,
}

#[derive(Serialize)]
struct Stream<'a> {
    r#type: &'a str,
    id: &'a str,
    sequence: i64,
}

/// What asks for a test, in the log.
const TEST_REQUESTED: &str = "webhook.test_requested";

/// What a test's message says that it is.
const TEST: &str = "webhook.test";

impl Event {
    /// Whether it asks for a test of that webhook: its message is no event's.
    pub(super) fn is_test_of(&self, webhook_id: WebhookId) -> bool {
        self.event_type == TEST_REQUESTED && self.stream_id == webhook_id.to_string()
    }

    /// The message that it asks for.
    pub(super) fn into_test(self) -> Self {
        Self { event_type: TEST.to_owned(), ..self }
    }

    /// The body of its message: the same bytes each time.
    pub(super) fn body(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Body {
            r#type: &self.event_type,
            timestamp: self.occurred_at,
            data: Data {
                event_id: self.event_id,
                organization_id: self.organization_id,
                position: self.position,
                stream: Stream {
                    r#type: &self.stream_type,
                    id: &self.stream_id,
                    sequence: self.sequence,
                },
                event_version: &self.event_version,
                actor: self.actor.as_deref(),
                recorded_at: self.recorded_at,
                payload: serde_json::from_str(&self.payload)?,
            },
        })
    }
}
