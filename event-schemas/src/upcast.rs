//! Upcasters: how a payload of an older version is read as the current one. They apply wherever
//! events are read; what is stored stays as it was written.

use cqrs_es::persist::{EventUpcaster, SerializedEvent};
use serde_json::{Map, Value};

use crate::RecordedEvent;
use crate::credit_account::PRIORITY_DEFAULT;

/// Every upcaster, in the order in which they apply.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    vec![
        // Before people had ids of their own, a person was known by the invite or membership.
        next("invite.sent", "1", "2", |payload| {
            copy(payload, "invite_id", "person_id");
            payload.insert("token_hash".to_owned(), Value::Null);
            payload.insert("invited_by".to_owned(), Value::Null);
        }),
        next("invite.resent", "1", "2", |payload| {
            payload.insert("resent_by".to_owned(), Value::Null);
        }),
        next("member.added", "1", "2", |payload| copy(payload, "member_id", "person_id")),
        next("member.renamed", "1", "2", |payload| copy(payload, "member_id", "person_id")),
        next("api_key.created", "1", "2", |payload| {
            payload.insert("rotation_days".to_owned(), Value::Null);
            payload.insert("scopes".to_owned(), Value::Null);
        }),
        next("api_key.secret_shared", "1", "2", |payload| {
            payload.insert("shown_to".to_owned(), Value::Array(Vec::new()));
        }),
        next("price_list.published", "1", "2", price_list_v2),
        next("credits.purchased", "1", "2", with_priority),
        next("credits.granted", "1", "2", with_priority),
        next("usage.recorded", "1", "2", |payload| {
            payload.insert("units".to_owned(), Map::new().into());
            for field in ["service_tier", "error_type", "duration_ms"] {
                payload.insert(field.to_owned(), Value::Null);
            }
        }),
    ]
}

/// Before units had prices, a model had four rates, each with a place of its own.
fn price_list_v2(payload: &mut Map<String, Value>) {
    for field in ["organization_id", "provider_matches", "model_matches", "mark_up_percent"] {
        payload.insert(field.to_owned(), Value::Null);
    }
    payload.insert("fallback_providers".to_owned(), Value::Array(Vec::new()));
    let models = payload.get_mut("models").and_then(Value::as_array_mut);
    for model in models.into_iter().flatten().filter_map(Value::as_object_mut) {
        for field in ["above", "service_tiers", "at_times"] {
            model.insert(field.to_owned(), Value::Array(Vec::new()));
        }
        if let Some(rates) = model.get_mut("rates").and_then(Value::as_object_mut) {
            let then = std::mem::take(rates);
            let there = then.into_iter().filter(|(_, rate)| !rate.is_null());
            rates.extend(there.map(|(kind, rate)| (format!("{kind}_tokens"), spelled(rate))));
        }
    }
}

/// An amount was written with all its places, a rate is without zeros at its end.
fn spelled(rate: Value) -> Value {
    let plain = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    match rate.as_str().filter(|text| text.contains('.')) {
        Some(text) => plain(text).into(),
        None => rate,
    }
}

/// Brings one version of a type to the next.
struct Next {
    event_type: &'static str,
    from: &'static str,
    to: &'static str,
    change: fn(&mut Map<String, Value>),
}

fn next(
    event_type: &'static str,
    from: &'static str,
    to: &'static str,
    change: fn(&mut Map<String, Value>),
) -> Box<dyn EventUpcaster> {
    Box::new(Next { event_type, from, to, change })
}

fn copy(payload: &mut Map<String, Value>, from: &str, to: &str) {
    let value = payload.get(from).cloned().unwrap_or_default();
    payload.insert(to.to_owned(), value);
}

/// Before lots had a priority, all had the same.
fn with_priority(payload: &mut Map<String, Value>) {
    payload.insert("priority".to_owned(), PRIORITY_DEFAULT.into());
}

impl EventUpcaster for Next {
    fn can_upcast(&self, event_type: &str, event_version: &str) -> bool {
        event_type == self.event_type && event_version == self.from
    }

    fn upcast(&self, mut event: SerializedEvent) -> SerializedEvent {
        if let Value::Object(payload) = &mut event.payload {
            (self.change)(payload);
        }
        self.to.clone_into(&mut event.event_version);
        event
    }
}

/// Brings a stored event to the current version of its type.
pub fn upcast(event: SerializedEvent, upcasters: &[Box<dyn EventUpcaster>]) -> SerializedEvent {
    upcasters.iter().fold(event, |event, upcaster| {
        if upcaster.can_upcast(&event.event_type, &event.event_version) {
            upcaster.upcast(event)
        } else {
            event
        }
    })
}

/// Brings an entry of the log to the current version of its type.
pub fn upcast_recorded(
    mut event: RecordedEvent,
    upcasters: &[Box<dyn EventUpcaster>],
) -> RecordedEvent {
    let (kind, version) = (&event.event_type, &event.event_version);
    if !upcasters.iter().any(|upcaster| upcaster.can_upcast(kind, version)) {
        return event;
    }
    let stored = SerializedEvent {
        aggregate_id: String::new(),
        sequence: 0,
        aggregate_type: String::new(),
        event_type: event.event_type.clone(),
        event_version: event.event_version.clone(),
        payload: event.payload,
        metadata: Value::Null,
    };
    let current = upcast(stored, upcasters);
    (event.payload, event.event_version) = (current.payload, current.event_version);
    event
}
