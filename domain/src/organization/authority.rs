//! Who commands, and how far their word reaches.

use event_schemas::{
    InviteId, KeyOwner, MemberId, OrganizationRole, Permission, PermissionSet, ProjectId,
};

use super::roster::{Member, Roster};
use super::{OrganizationError, OrganizationError as Refused};

/// In whose name a command comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Whoever runs orgledger.
    Operator,
    /// A member: what their roles allow.
    Member(MemberId),
    /// Who holds an API key: what its owner may do, within its project where it has one, limited to
    /// its scopes where it has some.
    ApiKey {
        /// Whose key it is.
        owner: KeyOwner,
        /// The key's project; none for an admin key.
        project_id: Option<ProjectId>,
        /// What the key is limited to, or its secret.
        scopes: Option<PermissionSet>,
        /// How far up it reaches at most, where somebody ranks lower than its owner who can know its
        /// secret.
        rank_max: Option<u8>,
    },
    /// Who holds an invite's token: may accept it.
    Invited(InviteId),
    /// orgledger itself: may do all.
    System,
    /// Nobody: may do nothing.
    Nobody,
}

impl Authority {
    /// Whether it is all of a member's word, not a key that is limited to a project or to scopes.
    pub fn is_all_of(self, member_id: MemberId) -> bool {
        match self {
            Self::Member(asks)
            | Self::ApiKey {
                owner: KeyOwner::Member { member_id: asks },
                project_id: None,
                scopes: None,
                rank_max: _,
            } => asks == member_id,
            Self::Operator
            | Self::System
            | Self::ApiKey { .. }
            | Self::Invited(_)
            | Self::Nobody => false,
        }
    }

    /// The member who asks, if it is one.
    pub fn member_id(self) -> Option<MemberId> {
        match self {
            Self::Member(member_id)
            | Self::ApiKey { owner: KeyOwner::Member { member_id }, .. } => Some(member_id),
            Self::Operator
            | Self::System
            | Self::ApiKey { owner: KeyOwner::ServiceAccount { .. }, .. }
            | Self::Invited(_)
            | Self::Nobody => None,
        }
    }
}

/// The proof that somebody may change who is in the organization, and how far they reach.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    rank: u8,
    permissions: PermissionSet,
}

impl Reach {
    fn all() -> Self {
        let permissions = PermissionSet::that(|_| true);
        Self { rank: u8::MAX, permissions }
    }

    /// Nobody grants a role above their own, nor one that allows what they may not do themselves: by
    /// their roles, or with the key that they ask with.
    pub(super) fn grants_role(self, role: OrganizationRole) -> Result<(), OrganizationError> {
        self.covers_role(role)?;
        self.covers(role.permissions())
    }

    /// Nobody takes back a role above their own. Roles of the lowest rank are not above one another
    /// by rank: there, a role is above one's own that allows more.
    pub(super) fn covers_role(self, role: OrganizationRole) -> Result<(), OrganizationError> {
        let allows_more = self.rank == 0 && !self.permissions.covers(role.permissions());
        if role.rank() > self.rank || allows_more {
            return Err(Refused::RoleAboveOwn(role));
        }
        Ok(())
    }

    /// Nobody grants permissions that they do not have.
    pub(super) fn covers(self, permissions: PermissionSet) -> Result<(), OrganizationError> {
        match permissions.without(self.permissions).iter().next() {
            Some(permission) => Err(Refused::PermissionAboveOwn(permission)),
            None => Ok(()),
        }
    }

    /// Nobody touches a member above themselves.
    pub(super) fn covers_member(
        self,
        roster: &Roster,
        member: &Member,
    ) -> Result<(), OrganizationError> {
        let above = roster.rank(member) > self.rank
            || (self.rank == 0 && !self.permissions.covers(roster.permissions(member)));
        if above {
            return Err(Refused::MemberAboveOwn(member.member_id));
        }
        Ok(())
    }
}

impl Roster {
    /// How far the one who asks may use a permission on who is in the organization: up to their own
    /// rank; operator and system without limit.
    pub(super) fn reach(
        &self,
        by: Authority,
        permission: Permission,
    ) -> Result<Reach, OrganizationError> {
        let (member_id, scopes, rank_max) = match by {
            Authority::Operator | Authority::System => return Ok(Reach::all()),
            Authority::Member(member_id) => (member_id, None, None),
            Authority::ApiKey {
                owner: KeyOwner::Member { member_id },
                project_id: None,
                scopes,
                rank_max,
            } => (member_id, scopes, rank_max),
            // A project's key is for the project, not for the roster.
            Authority::ApiKey { .. } | Authority::Invited(_) | Authority::Nobody => {
                return Err(Refused::NotFound);
            }
        };
        let member = self.present(member_id).ok_or(Refused::NotAllowed(member_id))?;
        if member.suspended {
            return Err(Refused::MemberSuspended(member_id));
        }
        let all = self.permissions(member);
        let permissions = scopes.map_or(all, |scopes| all.intersection(scopes));
        if !permissions.contains(permission) {
            return Err(Refused::NotAllowed(member_id));
        }
        let rank = self.rank(member);
        Ok(Reach { rank: rank_max.map_or(rank, |rank_max| rank.min(rank_max)), permissions })
    }
}
