//! Events of a person: that what the log knows of them can no longer be read.

use crate::PersonId;
use crate::event::stream_events;

stream_events! {
    /// What happens to a person.
    PersonEvent on "person" {
        /// Their key was destroyed: names, addresses and logins of theirs can be read by nobody any
        /// more, in any copy of the log. What they did, and when, stays.
        Erased = "person.erased" "1" {
            /// The person.
            person_id: PersonId,
            /// Why.
            reason: Option<String>,
        }
    }
}

impl PersonEvent {
    /// The type of the event whose commit destroys a key.
    pub const ERASED: &'static str = "person.erased";
}
