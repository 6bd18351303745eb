//! Events of an organization: its profile, roster and invites.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::stream_events;
use crate::{InviteId, MemberId, OrganizationId, OrganizationRole, ProjectId, ProjectRole};

/// A project role that an invite carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectGrant {
    /// The project.
    pub project_id: ProjectId,
    /// The role in it.
    pub role: ProjectRole,
}

stream_events! {
    /// What happens to an organization.
    OrganizationEvent on "organization" {
        /// An organization came into being.
        Created = "organization.created" "1" {
            /// Its id.
            organization_id: OrganizationId,
            /// Its name, unique among the organizations that are not archived.
            name: String,
            /// How many members it may have; without one, any number.
            seat_limit: Option<u32>,
        }
        /// Its profile was changed; what is null stays as it was.
        Updated = "organization.updated" "1" {
            /// The new name.
            name: Option<String>,
            /// The new seat limit.
            seat_limit: Option<u32>,
        }
        /// It was closed for good: all access ended.
        Archived = "organization.archived" "1" {}
        /// Somebody was invited.
        InviteSent = "invite.sent" "1" {
            /// The invite.
            invite_id: InviteId,
            /// The address invited.
            email: String,
            /// The role that accepting it gives.
            role: OrganizationRole,
            /// The project roles that accepting it gives.
            projects: Vec<ProjectGrant>,
            /// Until when it can be accepted.
            expires_at: DateTime<Utc>,
        }
        /// An invite was accepted; `member.added` follows.
        InviteAccepted = "invite.accepted" "1" {
            /// The invite.
            invite_id: InviteId,
            /// The member that it became.
            member_id: MemberId,
        }
        /// An invite was taken back.
        InviteRevoked = "invite.revoked" "1" {
            /// The invite.
            invite_id: InviteId,
        }
        /// An invite was not accepted in time.
        InviteExpired = "invite.expired" "1" {
            /// The invite.
            invite_id: InviteId,
        }
        /// A person became a member.
        MemberAdded = "member.added" "1" {
            /// The membership; a person who comes back gets a new one.
            member_id: MemberId,
            /// The name that the person is known by, compared without case.
            login: String,
            /// The person's address.
            email: Option<String>,
            /// The role.
            role: OrganizationRole,
        }
        /// A member's login changed; the membership did not.
        MemberRenamed = "member.renamed" "1" {
            /// The member.
            member_id: MemberId,
            /// The new login.
            login: String,
        }
        /// A member's role changed.
        MemberRoleChanged = "member.role_changed" "1" {
            /// The member.
            member_id: MemberId,
            /// The role from now on.
            role: OrganizationRole,
            /// The role before.
            previous_role: OrganizationRole,
        }
        /// A member's access was suspended.
        MemberSuspended = "member.suspended" "1" {
            /// The member.
            member_id: MemberId,
            /// Why.
            reason: Option<String>,
        }
        /// A suspended member's access was given back.
        MemberReinstated = "member.reinstated" "1" {
            /// The member.
            member_id: MemberId,
        }
        /// A member left or was removed: project memberships and keys of theirs end with it.
        MemberRemoved = "member.removed" "1" {
            /// The member.
            member_id: MemberId,
            /// Why.
            reason: Option<String>,
        }
    }
}
