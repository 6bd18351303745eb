//! An organization: its profile, roster and invites. It guards who is in it: an organization that
//! has an owner keeps one, nobody grants above their own role, and seats are limited.

mod access;
mod authority;
mod break_glass;
mod custom_roles;
mod decide;
mod errors;
mod evidence;
mod evolve;
mod groups;
mod invites;
mod members;
mod persons;
mod reviewed;
mod roster;
mod settings;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use event_schemas::{
    InviteId, MemberId, OrganizationEvent, OrganizationId, OrganizationRole, OrganizationSettings,
    PersonId, ProjectGrant, SecuritySettings,
};
use serde::{Deserialize, Serialize};

pub use access::Access;
pub use authority::Authority;
pub use break_glass::{BREAK_GLASS_MINUTES_MAX, BreakGlassCommand, Decider as BreakGlassDecider};
pub use custom_roles::{RoleCommand, RoleGrant};
pub use errors::OrganizationError;
pub use evidence::{ActiveMember, ExistingGroup, OpenOrganization};
pub use groups::GroupCommand;
pub use persons::{ErasablePerson, Persons};
pub use reviewed::Reviewer;
pub use roster::{Invite, Member, Roster};
pub use settings::needs_approval;

/// An organization, from nothing to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Organization {
    /// It has not been created.
    #[default]
    Absent,
    /// It is open, and this is who is in it.
    Active(Box<Roster>),
    /// It was closed for good.
    Archived {
        /// Its id.
        organization_id: OrganizationId,
        /// Its last name.
        name: String,
        /// Whose names and addresses its events hold.
        persons: Box<Persons>,
    },
}

/// What can be asked of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganizationCommand {
    /// Create it, without members.
    Create {
        /// Its id.
        organization_id: OrganizationId,
        /// Its name.
        name: String,
        /// How many members it may have; without one, any number.
        seat_limit: Option<u32>,
    },
    /// Change its profile; what is none stays as it is.
    Update {
        /// The new name.
        name: Option<String>,
        /// The new seat limit.
        seat_limit: Option<u32>,
    },
    /// Settle anew what it settles for itself.
    ChangeSettings {
        /// Who changes it.
        by: Authority,
        /// All of it.
        settings: OrganizationSettings,
    },
    /// Settle anew who vouches for people, and what needs two of them.
    ChangeSecurity {
        /// Who changes it.
        by: Authority,
        /// All of it.
        security: SecuritySettings,
    },
    /// Change a custom role, or who has it.
    Role {
        /// Who changes it.
        by: Authority,
        /// What is asked.
        command: RoleCommand,
    },
    /// Change a group, or who is in it.
    Group {
        /// Who changes it.
        by: Authority,
        /// What is asked.
        command: GroupCommand,
    },
    /// Change an access of the operator.
    BreakGlass(BreakGlassCommand),
    /// Close it for good.
    Archive,
    /// Invite somebody.
    SendInvite {
        /// Who invites.
        by: Authority,
        /// The invite's id.
        invite_id: InviteId,
        /// Whose address it is.
        person_id: PersonId,
        /// The address.
        email: String,
        /// The role that accepting it gives.
        role: OrganizationRole,
        /// The project roles that accepting it gives.
        projects: Vec<ProjectGrant>,
        /// Until when it can be accepted.
        expires_at: DateTime<Utc>,
        /// The hash of the token that accepts it.
        token_hash: Option<String>,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Give an invite a new token and a new time.
    ResendInvite {
        /// Who sends it again.
        by: Authority,
        /// The invite.
        invite_id: InviteId,
        /// Until when it can be accepted.
        expires_at: DateTime<Utc>,
        /// The hash of the new token.
        token_hash: String,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Say who else may know the token of an invite that is just sent.
    ShareInviteToken {
        /// The invite.
        invite_id: InviteId,
        /// Who has been shown the secret that it was sent with.
        shown_to: Vec<MemberId>,
    },
    /// Take up an invite: its address becomes a member.
    AcceptInvite {
        /// The invite.
        invite_id: InviteId,
        /// The new member's id.
        member_id: MemberId,
        /// The new member's login.
        login: String,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Take an invite back.
    RevokeInvite {
        /// Who takes it back.
        by: Authority,
        /// The invite.
        invite_id: InviteId,
    },
    /// Record that an invite's time is over.
    ExpireInvite {
        /// The invite.
        invite_id: InviteId,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Add a member without an invite; where the login is a member's already, give them the role.
    AddMember {
        /// Who adds.
        by: Authority,
        /// The new member's id.
        member_id: MemberId,
        /// Who they are.
        person_id: PersonId,
        /// The login.
        login: String,
        /// The address.
        email: Option<String>,
        /// The role.
        role: OrganizationRole,
    },
    /// Change a member's login.
    RenameMember {
        /// Who changes it.
        by: Authority,
        /// The member.
        member_id: MemberId,
        /// The new login.
        login: String,
    },
    /// Change a member's role.
    ChangeMemberRole {
        /// Who changes it.
        by: Authority,
        /// The member.
        member_id: MemberId,
        /// The new role.
        role: OrganizationRole,
    },
    /// Make another member an owner, and the owner who asks an admin.
    TransferOwnership {
        /// The owner who asks.
        by: Authority,
        /// Who becomes an owner.
        member_id: MemberId,
    },
    /// Suspend a member's access.
    SuspendMember {
        /// Who suspends.
        by: Authority,
        /// The member.
        member_id: MemberId,
        /// Why.
        reason: Option<String>,
    },
    /// Give a suspended member's access back.
    ReinstateMember {
        /// Who gives it back.
        by: Authority,
        /// The member.
        member_id: MemberId,
    },
    /// Take a member out; a member may leave by themselves.
    RemoveMember {
        /// Who takes them out.
        by: Authority,
        /// The member.
        member_id: MemberId,
        /// Why.
        reason: Option<String>,
    },
}

type Decision = Result<Vec<OrganizationEvent>, OrganizationError>;
