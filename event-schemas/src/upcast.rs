//! Upcasters: how a payload of an older version is read as the current one. They apply wherever
//! events are read; what is stored stays as it was written.

use cqrs_es::persist::{EventUpcaster, SerializedEvent};

/// Every upcaster, in the order in which they apply. None so far: every event type is at its first
/// version.
pub fn upcasters() -> Vec<Box<dyn EventUpcaster>> {
    Vec::new()
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
