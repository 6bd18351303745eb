//! Events of the register of refusals: what somebody with a credential asked for and did not get.

use crate::OrganizationId;
use crate::event::stream_events;

stream_events! {
    /// What is refused in an organization, or to the operator.
    RefusalEvent on "refusal" {
        /// A command was refused. Who asked stands in the metadata.
        Recorded = "refusal.recorded" "1" {
            /// The organization of who asked; of the operator, the one that it was about, where it was
            /// about one that there is.
            organization_id: Option<OrganizationId>,
            /// The command, `nouns.verb`.
            command: String,
            /// The type of the problem that was answered.
            problem: String,
            /// The permission that was missing, where one was.
            permission: Option<String>,
            /// How many refusals of the same actor before this one were not recorded, since they
            /// came too fast.
            unrecorded_before: u64,
        }
    }
}
