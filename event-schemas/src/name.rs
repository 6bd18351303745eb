//! Events of a name: who holds it. A name is a stream of its own, so that two commands that want
//! the same name meet in the log's own conflict check and exactly one gets it.

use crate::event::stream_events;

stream_events! {
    /// What happens to a name within its scope.
    NameEvent on "name" {
        /// The name was taken.
        Claimed = "name.claimed" "1" {
            /// What it names: the id of an organization, a project or a service account.
            holder_id: String,
        }
        /// The name is free again.
        Released = "name.released" "1" {}
    }
}
