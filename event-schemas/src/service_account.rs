//! Events of a service account.

use crate::event::stream_events;
use crate::{OrganizationId, ProjectId, ServiceAccountId};

stream_events! {
    /// What happens to a service account.
    ServiceAccountEvent on "service_account" {
        /// A service account came into being.
        Created = "service_account.created" "1" {
            /// Its id.
            service_account_id: ServiceAccountId,
            /// The organization.
            organization_id: OrganizationId,
            /// The project that it works for.
            project_id: ProjectId,
            /// Its name.
            name: String,
            /// What it is for, in words.
            purpose: Option<String>,
        }
        /// Its name or what it is for changed; what did not is null.
        Updated = "service_account.updated" "1" {
            /// The new name.
            name: Option<String>,
            /// What it is for now, in words; empty where nothing is said any more.
            purpose: Option<String>,
        }
        /// It was disabled: its keys are refused from now on.
        Disabled = "service_account.disabled" "1" {
            /// Why.
            reason: Option<String>,
        }
        /// It was removed for good.
        Removed = "service_account.removed" "1" {}
    }
}
