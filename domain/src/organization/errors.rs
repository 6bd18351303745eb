//! Why an organization refuses.

use chrono::{DateTime, Utc};
use event_schemas::{
    BreakGlassId, GroupId, InviteId, MemberId, OrganizationRole, Permission, RoleId,
};

use crate::text::TextError;

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
    /// Whoever sent it may not offer any more what it offers.
    #[error("whoever sent the invite {0} last may not offer it any more")]
    InviteNotOffered(InviteId),
    /// There is no such invite.
    #[error("there is no invite {0}")]
    InviteNotFound(InviteId),
    /// It has become a member; remove the member instead.
    #[error("the invite {0} has been accepted")]
    InviteAlreadyAccepted(InviteId),
    /// It can still be accepted; take it back first.
    #[error("the invite {0} is open: take it back first")]
    InviteStillOpen(InviteId),
    /// The person is still in the organization; remove the member first.
    #[error("the member {0} is in the organization: remove them first")]
    MemberPresent(MemberId),
    /// The invite can still be accepted.
    #[error("the invite can be accepted until {expires_at}")]
    NotYetExpired {
        /// Until when.
        expires_at: DateTime<Utc>,
    },
    /// Another member has the login. What is said of it does not repeat it: it may be kept.
    #[error("the login belongs to another member")]
    LoginTaken(String),
    /// It could be taken for another member's.
    #[error("the login could be taken for another member's: their letters look alike")]
    LoginAlike,
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
    /// The one who asks lacks the permission.
    #[error("the member {0} may not change this in the organization")]
    NotAllowed(MemberId),
    /// The one who asks would grant or take back more than they have.
    #[error("the role '{0}' is above the role of the one who asks")]
    RoleAboveOwn(OrganizationRole),
    /// The member ranks above the one who asks.
    #[error("the member {0} has a role above the role of the one who asks")]
    MemberAboveOwn(MemberId),
    /// The one who asks would grant or take back a permission that they do not have.
    #[error("the permission '{0}' is not one of those that the one who asks has")]
    PermissionAboveOwn(Permission),
    /// Only an owner hands ownership on.
    #[error("the one who asks is not an owner")]
    NotAnOwner,
    /// The address's domain may not be invited.
    #[error("the organization's settings do not allow addresses of this domain")]
    DomainNotAllowed,
    /// A setting is not as it must be.
    #[error("{field}: {why}")]
    Setting {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is no such role.
    #[error("there is no role {0}")]
    RoleNotFound(RoleId),
    /// Another role has the name.
    #[error("another role has the name '{0}'")]
    RoleNameTaken(String),
    /// It would allow nothing.
    #[error("a role without permissions allows nothing")]
    RoleWithoutPermissions,
    /// Nothing in it can be granted within a project.
    #[error("nothing that the role {0} allows can be granted within a project")]
    RoleNotOfProjects(RoleId),
    /// It decides over access itself.
    #[error("the permission '{0}' belongs to built-in roles alone")]
    NotOfCustomRoles(Permission),
    /// There are as many roles as there may be.
    #[error("an organization has at most {max} custom roles")]
    TooManyRoles {
        /// How many.
        max: usize,
    },
    /// There is no such group.
    #[error("there is no group {0}")]
    GroupNotFound(GroupId),
    /// The id is or was another group's; what that one was given is not for a new one.
    #[error("the group id {0} has been used before")]
    GroupIdTaken(GroupId),
    /// Another group has the name.
    #[error("another group has the name '{0}'")]
    GroupNameTaken(String),
    /// A group cannot make owners.
    #[error("the role of an owner is not inherited from a group")]
    OwnersAreNotInherited,
    /// There are as many groups as there may be.
    #[error("an organization has at most {max} groups")]
    TooManyGroups {
        /// How many.
        max: usize,
    },
    /// There is no such access of the operator.
    #[error("there is no break-glass access {0}")]
    BreakGlassNotFound(BreakGlassId),
    /// It was approved or declined before.
    #[error("the break-glass access {0} has been decided")]
    BreakGlassDecided(BreakGlassId),
    /// It was not approved.
    #[error("the break-glass access {0} was not approved")]
    BreakGlassNotOpen(BreakGlassId),
    /// It has not ended.
    #[error("the break-glass access lasts until {expires_at}; end it first")]
    BreakGlassStillOpen {
        /// Until when.
        expires_at: DateTime<Utc>,
    },
    /// There are as many of them as there may be.
    #[error("{max} accesses of the operator wait for an answer or a review")]
    TooManyBreakGlass {
        /// How many.
        max: usize,
    },
    /// Owners are made with a second person's approval here.
    #[error(
        "making an owner needs a second person's approval here: take them in with another role, then \
         ask for the change of role"
    )]
    OwnersNeedApproval,
    /// The one who asks cannot be the second person too.
    #[error("somebody else has to do it, with a credential of their own")]
    SecondPersonNeeded,
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}
