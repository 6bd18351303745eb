//! Who commands, and how far their word reaches.

use event_schemas::{KeyOwner, MemberId, OrganizationRole, ProjectId};

use super::roster::{Member, Roster};
use super::{OrganizationError, OrganizationError as Refused};

/// In whose name a command comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Whoever runs orgledger: may do all.
    Operator,
    /// A member: what their role allows.
    Member(MemberId),
    /// Who holds an API key: what its owner may do within its project.
    ApiKey {
        /// Whose key it is.
        owner: KeyOwner,
        /// The key's project.
        project_id: ProjectId,
    },
    /// orgledger itself: may do all.
    System,
    /// Nobody: may do nothing.
    Nobody,
}

impl Authority {
    /// The member who asks, if it is one.
    pub fn member_id(self) -> Option<MemberId> {
        match self {
            Self::Member(member_id)
            | Self::ApiKey { owner: KeyOwner::Member { member_id }, .. } => Some(member_id),
            Self::Operator
            | Self::System
            | Self::ApiKey { owner: KeyOwner::ServiceAccount { .. }, .. }
            | Self::Nobody => None,
        }
    }
}

/// The proof that somebody may change the roster, and up to which rank.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    rank: u8,
}

impl Reach {
    const ALL: Self = Self { rank: u8::MAX };

    /// Nobody grants a role above their own, or takes it back.
    pub(super) fn covers_role(self, role: OrganizationRole) -> Result<(), OrganizationError> {
        if role.rank() > self.rank {
            return Err(Refused::RoleAboveOwn(role));
        }
        Ok(())
    }

    /// Nobody touches a member above themselves.
    pub(super) fn covers_member(self, member: &Member) -> Result<(), OrganizationError> {
        if member.role.rank() > self.rank {
            return Err(Refused::MemberAboveOwn(member.member_id));
        }
        Ok(())
    }
}

impl Roster {
    /// How far the one who asks may change the roster: an owner or admin who is not suspended, up
    /// to their own rank; operator and system without limit.
    pub(super) fn reach(&self, by: Authority) -> Result<Reach, OrganizationError> {
        let member_id = match by {
            Authority::Operator | Authority::System => return Ok(Reach::ALL),
            Authority::Member(member_id) => member_id,
            // A key is for a project, not for the roster.
            Authority::ApiKey { .. } | Authority::Nobody => return Err(Refused::NotFound),
        };
        let member = self.present(member_id).ok_or(Refused::NotAllowed(member_id))?;
        if member.suspended {
            return Err(Refused::MemberSuspended(member_id));
        }
        match member.role {
            OrganizationRole::Owner | OrganizationRole::Admin => {
                Ok(Reach { rank: member.role.rank() })
            }
            OrganizationRole::Billing
            | OrganizationRole::Member
            | OrganizationRole::Reader
            | OrganizationRole::Auditor => Err(Refused::NotAllowed(member_id)),
        }
    }
}
