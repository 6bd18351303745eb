//! What an organization says of itself and its members: lookups, and the evidence that other
//! deciders ask for. Evidence is made here alone, so whoever holds it has read the roster.

use event_schemas::{GroupId, InviteId, MemberId, OrganizationId};

use super::roster::{Invite, Member, Roster};
use super::{Organization, OrganizationError};

/// The proof that an organization is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenOrganization {
    organization_id: OrganizationId,
}

impl OpenOrganization {
    /// The organization.
    pub fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }
}

/// The proof that somebody is a member, not suspended, of an open organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveMember {
    member_id: MemberId,
    organization_id: OrganizationId,
}

impl ActiveMember {
    /// The member.
    pub fn member_id(&self) -> MemberId {
        self.member_id
    }

    /// The organization.
    pub fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }
}

/// The proof that a group is one of an open organization's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExistingGroup {
    group_id: GroupId,
    organization_id: OrganizationId,
}

impl ExistingGroup {
    /// The group.
    pub fn group_id(&self) -> GroupId {
        self.group_id
    }

    /// The organization.
    pub fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }
}

impl Organization {
    /// The evidence that it is open; refused where it is absent or archived.
    pub fn active(&self) -> Result<OpenOrganization, OrganizationError> {
        let organization_id = self.open_roster()?.organization_id();
        Ok(OpenOrganization { organization_id })
    }

    /// The evidence that somebody is a member; refused where they are unknown or suspended, and
    /// where the organization is not open.
    pub fn member(&self, member_id: MemberId) -> Result<ActiveMember, OrganizationError> {
        let roster = self.open_roster()?;
        let member =
            roster.present(member_id).ok_or(OrganizationError::MemberNotFound(member_id))?;
        if member.suspended {
            return Err(OrganizationError::MemberSuspended(member_id));
        }
        Ok(ActiveMember { member_id, organization_id: roster.organization_id() })
    }

    /// The evidence that a group is one of it.
    pub fn existing_group(&self, group_id: GroupId) -> Result<ExistingGroup, OrganizationError> {
        let roster = self.open_roster()?;
        roster.group(group_id)?;
        Ok(ExistingGroup { group_id, organization_id: roster.organization_id() })
    }

    /// A member present, suspended or not.
    pub fn present_member(&self, member_id: MemberId) -> Option<&Member> {
        self.open_roster().ok()?.present(member_id)
    }

    /// Whether a member who is no owner came in by the invite of another, or of somebody whom that one
    /// has invited: a person who sent it to themselves would be both.
    pub fn came_in_by(&self, member_id: MemberId, inviter: MemberId) -> bool {
        self.open_roster().is_ok_and(|roster| roster.inviters_of(member_id).contains(&inviter))
    }

    /// Whether the invite was accepted by whoever held the token with this hash.
    pub fn was_accepted_with(&self, invite_id: InviteId, token_hash: &str) -> bool {
        self.open_roster().is_ok_and(|roster| roster.was_accepted_with(invite_id, token_hash))
    }

    /// The member with a login, compared without case, suspended or not.
    pub fn member_by_login(&self, login: &str) -> Option<MemberId> {
        self.open_roster().ok()?.by_login(login).map(|member| member.member_id)
    }

    /// The members present, suspended ones included, in order of id; nobody where it is not open.
    pub fn roster(&self) -> impl Iterator<Item = &Member> {
        self.open_roster().ok().into_iter().flat_map(Roster::members)
    }

    /// An open invite, even one whose time is over but not yet recorded as over.
    pub fn invite(&self, invite_id: InviteId) -> Option<&Invite> {
        self.open_roster().ok()?.open_invite(invite_id)
    }

    /// Its id, once it has been created.
    pub fn organization_id(&self) -> Option<OrganizationId> {
        match self {
            Self::Absent => None,
            Self::Active(roster) => Some(roster.organization_id()),
            Self::Archived { organization_id, .. } => Some(*organization_id),
        }
    }

    /// Its name, once it has been created.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Active(roster) => Some(roster.name()),
            Self::Archived { name, .. } => Some(name),
        }
    }

    /// How many members it may have, where that is limited.
    pub fn seat_limit(&self) -> Option<u32> {
        self.open_roster().ok()?.seat_limit()
    }

    pub(super) fn open_roster(&self) -> Result<&Roster, OrganizationError> {
        match self {
            Self::Absent => Err(OrganizationError::NotFound),
            Self::Active(roster) => Ok(roster),
            Self::Archived { .. } => Err(OrganizationError::Archived),
        }
    }
}
