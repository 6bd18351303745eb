//! Events of an access review: what was looked at, what was said of each line, and how it ended.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::stream_events;
use crate::organization::Grantee;
use crate::roles::words;
use crate::{
    AccessReviewId, ApiKeyId, GroupId, KeyOwner, MemberId, OrganizationId, OrganizationRole,
    PermissionSet, ProjectId, ProjectRole, ReviewLineId, RoleId,
};

/// What an access review looks at.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, utoipa::ToSchema,
)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ReviewScope {
    /// All access in the organization.
    Organization {},
    /// A project: roles in it, custom roles granted within it, and its API keys.
    Project {
        /// The project.
        #[schema(value_type = String, format = Uuid)]
        project_id: ProjectId,
    },
    /// The members and their roles in the organization.
    Members {},
    /// Owners and admins, by themselves or through a group.
    Admins {},
    /// Roles in projects.
    ProjectRoles {},
    /// Who is in which group.
    GroupMemberships {},
    /// Who has which custom role.
    RoleGrants {},
    /// API keys.
    ApiKeys {},
}

/// What somebody holds, as it was when the review was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum HeldAccess {
    /// A membership of the organization.
    MemberRole {
        /// The member.
        member_id: MemberId,
        /// Their role.
        role: OrganizationRole,
    },
    /// A role in a project.
    ProjectRole {
        /// The project.
        project_id: ProjectId,
        /// Who has it.
        holder: Grantee,
        /// The role.
        role: ProjectRole,
    },
    /// A place in a group.
    GroupMembership {
        /// The group.
        group_id: GroupId,
        /// The member.
        member_id: MemberId,
        /// The role that the group's members inherit.
        role: Option<OrganizationRole>,
    },
    /// A custom role.
    RoleGrant {
        /// The role.
        role_id: RoleId,
        /// Who has it.
        grantee: Grantee,
        /// Within which project; none: everywhere.
        project_id: Option<ProjectId>,
        /// What it allowed.
        permissions: PermissionSet,
    },
    /// An API key.
    ApiKey {
        /// The key.
        api_key_id: ApiKeyId,
        /// Whose it is.
        owner: KeyOwner,
        /// The project that it works for; none for an admin key.
        project_id: Option<ProjectId>,
        /// What it was limited to; none: all that its owner may do.
        scopes: Option<PermissionSet>,
    },
}

/// A line of an access review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewLine {
    /// Its id.
    pub line_id: ReviewLineId,
    /// What is held, and by whom.
    pub held: HeldAccess,
}

words! {
    /// What is to become of a line's access.
    ReviewDecision, "a decision on a line" {
        /// It stays.
        Keep = "keep",
        /// It ends when the review is closed.
        Revoke = "revoke",
    }
}

words! {
    /// How an access review ended.
    ReviewOutcome, "an outcome of an access review" {
        /// Every line was dealt with, and what was to end has ended.
        Completed = "completed",
        /// It was given up, and nothing has ended by it.
        Cancelled = "cancelled",
    }
}

stream_events! {
    /// What happens to an access review.
    AccessReviewEvent on "access_review" {
        /// A review was opened: this is what is looked at.
        Opened = "access_review.opened" "1" {
            /// Its id.
            access_review_id: AccessReviewId,
            /// The organization.
            organization_id: OrganizationId,
            /// Its title.
            title: String,
            /// What it looks at.
            scope: ReviewScope,
            /// By when it should be closed.
            due_at: DateTime<Utc>,
            /// Its lines. Where there are many, more follow as `access_review.lines_added`, in the
            /// same append.
            lines: Vec<ReviewLine>,
        }
        /// Further lines of a review that is being opened.
        LinesAdded = "access_review.lines_added" "1" {
            /// The lines.
            lines: Vec<ReviewLine>,
        }
        /// Somebody said what is to become of a line. What is said last counts.
        Attested = "access_review.attested" "1" {
            /// The line.
            line_id: ReviewLineId,
            /// What is to become of it.
            decision: ReviewDecision,
            /// Why; always there where it is to end.
            reason: Option<String>,
        }
        /// It ended. What was to end has ended in the same append.
        Closed = "access_review.closed" "1" {
            /// How.
            outcome: ReviewOutcome,
            /// Why it was cancelled.
            reason: Option<String>,
            /// How many lines were attested to be kept.
            kept: u32,
            /// How many lines were attested to be revoked.
            revoked: u32,
            /// How many lines nobody attested: where it was completed, they are revoked, too.
            unattested: u32,
            /// The lines to be revoked that had ended by themselves before.
            already_ended: Vec<ReviewLineId>,
        }
    }
}
