//! Events of an API key. Its secret never stands in an event, only an HMAC of it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::stream_events;
use crate::{
    ApiKeyId, BreakGlassId, MemberId, OrganizationId, PermissionSet, ProjectId, ServiceAccountId,
};

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyOwner {
    /// A member's.
    Member {
        /// The member.
        member_id: MemberId,
    },
    /// A service account's.
    ServiceAccount {
        /// The service account.
        service_account_id: ServiceAccountId,
    },
}

stream_events! {
    /// What happens to an API key.
    ApiKeyEvent on "api_key" {
        /// A key came into being.
        Created = "api_key.created" "2" {
            /// Its id.
            api_key_id: ApiKeyId,
            /// The organization.
            organization_id: OrganizationId,
            /// The project that it works for; none for an admin key, which opens all that its owner
            /// may do in the organization.
            project_id: Option<ProjectId>,
            /// Whose it is.
            owner: KeyOwner,
            /// Its name.
            name: String,
            /// HMAC-SHA-256 of the secret under the server's pepper, in hexadecimal.
            secret_hash: String,
            /// The secret's beginning and end, to recognise it by.
            redacted: String,
            /// Until when it works.
            expires_at: Option<DateTime<Utc>>,
            /// By when its secret should be rotated.
            rotation_due_at: Option<DateTime<Utc>>,
            /// How many days after each rotation the next is due.
            rotation_days: Option<u32>,
            /// What it is limited to; none: all that its owner may do.
            scopes: Option<PermissionSet>,
        }
        /// It got another name.
        Renamed = "api_key.renamed" "1" {
            /// The new name.
            name: String,
        }
        /// It got a new secret; the old one works a while longer.
        Rotated = "api_key.rotated" "1" {
            /// HMAC-SHA-256 of the new secret under the server's pepper, in hexadecimal.
            secret_hash: String,
            /// The new secret's beginning and end.
            redacted: String,
            /// Until when the previous secret is still accepted.
            previous_valid_until: DateTime<Utc>,
            /// By when it should be rotated again.
            rotation_due_at: Option<DateTime<Utc>>,
        }
        /// The secret that it has just got can be known to somebody else than the member whose key it
        /// is: to whoever made it for them. It proves nothing about a second person, and opens only
        /// what all of them may do.
        SecretShared = "api_key.secret_shared" "2" {
            /// The other members who can know it: who made it, and who could know what they made it
            /// with.
            shown_to: Vec<MemberId>,
            /// The operator's access that it was made under, where it was: its secret rests from the
            /// access's end until the review.
            break_glass_id: Option<BreakGlassId>,
        }
        /// It was revoked for good, with every secret it had.
        Revoked = "api_key.revoked" "1" {
            /// Why.
            reason: Option<String>,
        }
        /// It reached the end of its time.
        Expired = "api_key.expired" "1" {}
    }
}
