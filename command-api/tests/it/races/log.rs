//! The log as these tests read it: by position, as plain JSON.

use event_log::read::read_page;
use serde_json::Value;

use crate::support::App;

const EVENTS_A_PAGE: i64 = 1_000;

/// An event, with who did it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) position: i64,
    /// Empty where it belongs to no organization.
    pub(super) organization: String,
    /// The id of its stream.
    pub(super) stream: String,
    pub(super) event_type: String,
    pub(super) payload: Value,
    pub(super) actor_kind: String,
    pub(super) actor_id: String,
    /// The API key that was presented, where it was one.
    pub(super) api_key: Option<String>,
    /// The request that it came of.
    pub(super) request: String,
}

impl Entry {
    /// A text of the payload; empty where there is none.
    pub(super) fn text(&self, field: &str) -> &str {
        self.payload[field].as_str().unwrap_or_default()
    }

    /// A text of the payload, where it is there.
    pub(super) fn given(&self, field: &str) -> Option<String> {
        self.payload[field].as_str().map(str::to_owned)
    }
}

/// All events after a position, with what is sealed opened.
pub(super) async fn read(app: &App, after: i64) -> Vec<Entry> {
    let mut connection = app.pool().acquire().await.expect("a connection");
    let mut entries = Vec::new();
    let mut upto = after;
    loop {
        let page = read_page(&mut connection, upto, EVENTS_A_PAGE).await.expect("no hole");
        if page.upto == upto {
            return entries;
        }
        upto = page.upto;
        let mut events = page.events;
        app.executor().log().vault().unseal(&mut events).await.expect("the vault opens");
        entries.extend(events.into_iter().map(|event| {
            let said = |name: &str| event.metadata[name].as_str().map(str::to_owned);
            let credential = said("credential");
            Entry {
                position: event.position,
                organization: event.organization_id.map(|id| id.to_string()).unwrap_or_default(),
                actor_kind: said("actor_kind").expect("every event has an actor"),
                actor_id: said("actor_id").expect("every event has an actor"),
                api_key: credential
                    .and_then(|named| named.strip_prefix("api_key:").map(str::to_owned)),
                request: said("correlation_id").expect("every event has a request"),
                stream: event.aggregate_id,
                event_type: event.event_type,
                payload: event.payload,
            }
        }));
    }
}
