//! Events of a person: that what the log knows of them can no longer be read.

use chrono::{DateTime, Utc};

use crate::event::stream_events;
use crate::{ExportId, MemberId, PersonId};

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
        /// A member may read all that is known of them, for a while.
        ExportGranted = "person.export_granted" "1" {
            /// The person.
            person_id: PersonId,
            /// The export.
            export_id: ExportId,
            /// Who may read it.
            granted_to: MemberId,
            /// Until when.
            expires_at: DateTime<Utc>,
        }
        /// All that is known of them was read.
        Exported = "person.exported" "1" {
            /// The export.
            export_id: ExportId,
        }
    }
}

impl PersonEvent {
    /// The type of the event whose commit destroys a key.
    pub const ERASED: &'static str = "person.erased";
}
