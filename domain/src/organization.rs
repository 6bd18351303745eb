//! An organization: its profile, roster and invites. It guards who is in it: an organization that
//! has an owner keeps one, nobody grants above their own role, and seats are limited.

mod authority;
mod decide;
mod evidence;
mod invites;
mod members;
mod roster;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use event_schemas::{
    InviteId, MemberId, OrganizationEvent, OrganizationId, OrganizationRole, ProjectGrant,
};
use serde::{Deserialize, Serialize};

use crate::text::TextError;

pub use authority::Authority;
pub use evidence::{ActiveMember, OpenOrganization};
pub use roster::{Invite, Member, Roster};

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
    /// Close it for good.
    Archive,
    /// Invite somebody.
    SendInvite {
        /// Who invites.
        by: Authority,
        /// The invite's id.
        invite_id: InviteId,
        /// The address.
        email: String,
        /// The role that accepting it gives.
        role: OrganizationRole,
        /// The project roles that accepting it gives.
        projects: Vec<ProjectGrant>,
        /// Until when it can be accepted.
        expires_at: DateTime<Utc>,
        /// The time.
        now: DateTime<Utc>,
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

/// Why an organization refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrganizationError {
    /// It has not been created.
    #[error("there is no such organization")]
    NotFound,
    /// It has been created before.
    #[error("the organization exists already")]
    AlreadyExists,
    /// It was closed.
    #[error("the organization is archived")]
    Archived,
    /// It has more members than the new limit allows.
    #[error("a limit of {seat_limit} seats is below the {members} members present")]
    SeatLimitBelowMembers {
        /// The limit asked for.
        seat_limit: u32,
        /// The members present, suspended ones included.
        members: usize,
    },
    /// Members and open invites take all seats.
    #[error("all {seat_limit} seats are taken by members and open invites")]
    SeatLimitReached {
        /// The limit.
        seat_limit: u32,
    },
    /// The address has an invite that can still be accepted.
    #[error("the address has an open invite already: {invite_id}")]
    InviteAlreadyOpen {
        /// That invite.
        invite_id: InviteId,
    },
    /// The invite's id was used before.
    #[error("the invite {0} exists already")]
    InviteAlreadyExists(InviteId),
    /// The address is a member's.
    #[error("the address belongs to a member already")]
    AlreadyMember,
    /// It would be over before it begins.
    #[error("the expiry {expires_at} is not in the future")]
    ExpiryInThePast {
        /// The expiry asked for.
        expires_at: DateTime<Utc>,
    },
    /// The invite's time is over.
    #[error("the invite {0} has expired")]
    InviteExpired(InviteId),
    /// The invite is unknown, used or revoked.
    #[error("the invite {0} is not open")]
    InviteNotOpen(InviteId),
    /// There is no such invite.
    #[error("there is no invite {0}")]
    InviteNotFound(InviteId),
    /// It has become a member; remove the member instead.
    #[error("the invite {0} has been accepted")]
    InviteAlreadyAccepted(InviteId),
    /// The invite can still be accepted.
    #[error("the invite can be accepted until {expires_at}")]
    NotYetExpired {
        /// Until when.
        expires_at: DateTime<Utc>,
    },
    /// Another member has the login. What is said of it does not repeat it: it may be kept.
    #[error("the login belongs to another member")]
    LoginTaken(String),
    /// There is no such member.
    #[error("there is no member {0}")]
    MemberNotFound(MemberId),
    /// The member's access is suspended.
    #[error("the member {0} is suspended")]
    MemberSuspended(MemberId),
    /// The id is or was another membership's; who comes back gets a new one.
    #[error("the member id {0} has been used before")]
    MemberIdTaken(MemberId),
    /// Nobody would be left who can do everything.
    #[error("the organization would be left without an owner")]
    LastOwner,
    /// The one who asks is not an owner or admin.
    #[error("the member {0} may not change who is in the organization")]
    NotAllowed(MemberId),
    /// The one who asks would grant or take back more than they have.
    #[error("the role '{0}' is above the role of the one who asks")]
    RoleAboveOwn(OrganizationRole),
    /// The member ranks above the one who asks.
    #[error("the member {0} has a role above the role of the one who asks")]
    MemberAboveOwn(MemberId),
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}

type Decision = Result<Vec<OrganizationEvent>, OrganizationError>;
