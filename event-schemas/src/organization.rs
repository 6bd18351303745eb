//! Events of an organization: its profile, roster and invites.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::stream_events;
use crate::roles::words;
use crate::{
    BreakGlassId, GroupId, InviteId, MemberId, OrganizationId, OrganizationRole, PermissionSet,
    PersonId, ProjectId, ProjectRole, RoleId,
};

/// A project role that an invite carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectGrant {
    /// The project.
    pub project_id: ProjectId,
    /// The role in it.
    pub role: ProjectRole,
}

/// Who a custom role is granted to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Grantee {
    /// A member.
    Member {
        /// The member.
        member_id: MemberId,
    },
    /// A group: whoever is in it.
    Group {
        /// The group.
        group_id: GroupId,
    },
}

/// What an organization has settled for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationSettings {
    /// The role of who is invited or added without one.
    pub default_role: OrganizationRole,
    /// The role in a project of who is assigned without one.
    pub default_project_role: ProjectRole,
    /// The domains whose addresses may be invited and added, compared without case; none for any.
    pub invite_domains: Vec<String>,
    /// The regular expression that the whole name of a new API key must match; none for any name.
    pub api_key_name_pattern: Option<String>,
    /// Within how many days a new API key's secret must be rotated, where nothing shorter is asked.
    pub api_key_rotation_days: Option<u32>,
    /// How many days a new API key may work at most.
    pub api_key_lifetime_days_max: Option<u32>,
    /// How many owners and admins are too many, for the standing suggestions.
    pub admins_max: Option<u32>,
    /// The time zone that budgets' days, weeks and months are of, as IANA names it, such as
    /// `Europe/Berlin`; UTC where nothing is said.
    #[serde(default = "utc")]
    #[schema(default = "UTC", example = "Europe/Berlin")]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Default for OrganizationSettings {
    fn default() -> Self {
        Self {
            default_role: OrganizationRole::Member,
            default_project_role: ProjectRole::Member,
            invite_domains: Vec::new(),
            api_key_name_pattern: None,
            api_key_rotation_days: None,
            api_key_lifetime_days_max: None,
            admins_max: None,
            time_zone: utc(),
        }
    }
}

words! {
    /// A command that can be set to need a second person's approval.
    SensitiveAction, "a sensitive action" {
        /// Making somebody an owner.
        GrantOwner = "grant_owner",
        /// Changing the identity provider, or what needs approval.
        UpdateSecurity = "update_security",
        /// Closing the organization for good.
        ArchiveOrganization = "archive_organization",
        /// Exporting what is known of a person.
        ExportPersonalData = "export_personal_data",
        /// Erasing a person for good.
        ErasePersonalData = "erase_personal_data",
    }
}

/// Who vouches for the organization's people when they sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityProvider {
    /// The issuer, one of those that the server is configured with.
    pub issuer: String,
    /// The domains whose addresses it may vouch for, compared without case; at least one.
    pub email_domains: Vec<String>,
}

/// Who vouches for people, and what needs two of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecuritySettings {
    /// Who vouches for people signing in; none: nobody, they use API keys.
    pub identity_provider: Option<IdentityProvider>,
    /// What needs a second person's approval.
    pub approvals: Vec<SensitiveAction>,
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
        /// What it has settled for itself changed; the settings are whole.
        SettingsChanged = "organization.settings_changed" "2" {
            /// The settings from now on.
            settings: OrganizationSettings,
        }
        /// Who vouches for people, or what needs two of them, changed; the settings are whole.
        SecurityChanged = "organization.security_changed" "1" {
            /// The settings from now on.
            security: SecuritySettings,
        }
        /// It was closed for good: all access ended.
        Archived = "organization.archived" "1" {}
        /// Somebody was invited.
        InviteSent = "invite.sent" "2" {
            /// The invite.
            invite_id: InviteId,
            /// Whose address it is.
            person_id: PersonId,
            /// The address invited.
            email: String [personal: person_id],
            /// The role that accepting it gives.
            role: OrganizationRole,
            /// The project roles that accepting it gives.
            projects: Vec<ProjectGrant>,
            /// Until when it can be accepted.
            expires_at: DateTime<Utc>,
            /// HMAC-SHA-256 of the token that accepts it, under the server's pepper, in hexadecimal;
            /// none where only who runs orgledger can accept it.
            token_hash: Option<String>,
            /// The member who invited, where it was one.
            invited_by: Option<MemberId>,
        }
        /// An invite was sent again: its earlier token is worth nothing any more.
        InviteResent = "invite.resent" "2" {
            /// The invite.
            invite_id: InviteId,
            /// Until when it can be accepted.
            expires_at: DateTime<Utc>,
            /// HMAC-SHA-256 of the new token, as in `invite.sent`.
            token_hash: String,
            /// The member who sent it again, where it was one: they have had the new token.
            resent_by: Option<MemberId>,
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
        MemberAdded = "member.added" "2" {
            /// The membership; a person who comes back gets a new one.
            member_id: MemberId,
            /// Whose login and address these are.
            person_id: PersonId,
            /// The name that the person is known by, compared without case.
            login: String [personal: person_id],
            /// The person's address.
            email: Option<String> [personal: person_id],
            /// The role.
            role: OrganizationRole,
        }
        /// A member's login changed; the membership did not.
        MemberRenamed = "member.renamed" "2" {
            /// The member.
            member_id: MemberId,
            /// Whose login it is.
            person_id: PersonId,
            /// The new login.
            login: String [personal: person_id],
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
        /// A role was defined: a set of permissions with a name.
        RoleDefined = "role.defined" "1" {
            /// The role.
            role_id: RoleId,
            /// Its name, unique among the organization's roles.
            name: String,
            /// What it allows.
            permissions: PermissionSet,
        }
        /// A role's name or permissions changed; what is null stays as it was.
        RoleUpdated = "role.updated" "1" {
            /// The role.
            role_id: RoleId,
            /// The new name.
            name: Option<String>,
            /// What it allows from now on.
            permissions: Option<PermissionSet>,
        }
        /// A role was removed: nobody has it any more.
        RoleRemoved = "role.removed" "1" {
            /// The role.
            role_id: RoleId,
        }
        /// A role was granted.
        RoleGranted = "role.granted" "1" {
            /// The role.
            role_id: RoleId,
            /// To whom.
            grantee: Grantee,
            /// Within which project; none: everywhere in the organization.
            project_id: Option<ProjectId>,
        }
        /// A role was withdrawn.
        RoleWithdrawn = "role.withdrawn" "1" {
            /// The role.
            role_id: RoleId,
            /// From whom.
            grantee: Grantee,
            /// Within which project; none: everywhere in the organization.
            project_id: Option<ProjectId>,
        }
        /// A group came into being, without members.
        GroupCreated = "group.created" "1" {
            /// The group.
            group_id: GroupId,
            /// Its name, unique among the organization's groups.
            name: String,
            /// The role that its members inherit; none for no more than their own.
            role: Option<OrganizationRole>,
        }
        /// A group got another name.
        GroupRenamed = "group.renamed" "1" {
            /// The group.
            group_id: GroupId,
            /// The new name.
            name: String,
        }
        /// The role that a group's members inherit changed.
        GroupRoleChanged = "group.role_changed" "1" {
            /// The group.
            group_id: GroupId,
            /// The role from now on.
            role: Option<OrganizationRole>,
            /// The role before.
            previous_role: Option<OrganizationRole>,
        }
        /// A group was removed: nobody inherits anything from it any more.
        GroupRemoved = "group.removed" "1" {
            /// The group.
            group_id: GroupId,
        }
        /// A member came into a group.
        GroupMemberAdded = "group_member.added" "1" {
            /// The group.
            group_id: GroupId,
            /// The member.
            member_id: MemberId,
        }
        /// The operator asked to be let into the organization, for an emergency.
        BreakGlassRequested = "break_glass.requested" "1" {
            /// The access asked for.
            break_glass_id: BreakGlassId,
            /// The operator's name.
            operator: String,
            /// Why.
            reason: String,
            /// For how long, in minutes.
            minutes: u32,
        }
        /// A second person let the operator in.
        BreakGlassApproved = "break_glass.approved" "1" {
            /// The access.
            break_glass_id: BreakGlassId,
            /// Until when it lasts.
            expires_at: DateTime<Utc>,
        }
        /// Somebody was taken in, given back or given more under the operator's access: they may not
        /// act from its end until its review.
        BreakGlassTookIn = "break_glass.took_in" "1" {
            /// The access.
            break_glass_id: BreakGlassId,
            /// The member.
            member_id: MemberId,
        }
        /// An invite was sent, or sent again, under the operator's access: so is whoever accepts it
        /// taken in.
        BreakGlassInvited = "break_glass.invited" "1" {
            /// The access.
            break_glass_id: BreakGlassId,
            /// The invite.
            invite_id: InviteId,
        }
        /// The token of an invite may be known to more members than the one who sent it: they were shown
        /// the secret that it was sent with. Whoever accepts it came in by any of them.
        InviteTokenShared = "invite.token_shared" "1" {
            /// The invite.
            invite_id: InviteId,
            /// Who else may know the token.
            shown_to: Vec<MemberId>,
        }
        /// A second person did not let the operator in.
        BreakGlassDeclined = "break_glass.declined" "1" {
            /// The access asked for.
            break_glass_id: BreakGlassId,
            /// Why.
            reason: Option<String>,
        }
        /// The operator's access ended: its time was over, or somebody ended it.
        BreakGlassEnded = "break_glass.ended" "1" {
            /// The access.
            break_glass_id: BreakGlassId,
        }
        /// Somebody of the organization looked at what the operator did, and closed the matter.
        BreakGlassReviewed = "break_glass.reviewed" "1" {
            /// The access.
            break_glass_id: BreakGlassId,
            /// What they found.
            note: String,
        }
        /// A member went out of a group.
        GroupMemberRemoved = "group_member.removed" "1" {
            /// The group.
            group_id: GroupId,
            /// The member.
            member_id: MemberId,
        }
    }
}
