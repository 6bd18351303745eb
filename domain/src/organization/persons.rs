//! Whose names and addresses the organization's events hold, whatever has become of the memberships and
//! invites; and who of them may be erased: who is no longer in it.

use std::collections::BTreeMap;

use event_schemas::{InviteId, MemberId, OrganizationId, PersonId};
use serde::{Deserialize, Serialize};

use super::{Organization, OrganizationError, OrganizationError as Refused};

/// Everybody who was ever a member or invited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persons {
    members: BTreeMap<MemberId, PersonId>,
    invites: BTreeMap<InviteId, PersonId>,
}

impl Persons {
    pub(super) fn became_member(&mut self, member_id: MemberId, person_id: PersonId) {
        self.members.insert(member_id, person_id);
    }

    /// From now on the person is known by the membership.
    pub(super) fn came_in(&mut self, invite_id: InviteId) {
        self.invites.remove(&invite_id);
    }

    pub(super) fn was_invited(&mut self, invite_id: InviteId, person_id: PersonId) {
        self.invites.insert(invite_id, person_id);
    }
}

/// The proof that nothing needs a person's names and addresses any more: they have left the
/// organization, or never came into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErasablePerson {
    person_id: PersonId,
    organization_id: OrganizationId,
}

impl ErasablePerson {
    /// The person.
    pub fn person_id(&self) -> PersonId {
        self.person_id
    }

    /// The organization.
    pub fn organization_id(&self) -> OrganizationId {
        self.organization_id
    }
}

impl Organization {
    /// The evidence that a member has left; refused while they are in the organization. Of a closed
    /// organization nobody is a member.
    pub fn erasable_member(
        &self,
        member_id: MemberId,
    ) -> Result<ErasablePerson, OrganizationError> {
        let (organization_id, persons) = self.persons().ok_or(Refused::NotFound)?;
        let person_id = persons.members.get(&member_id).copied();
        let person_id = person_id.ok_or(Refused::MemberNotFound(member_id))?;
        self.nobody_present(person_id)?;
        Ok(ErasablePerson { person_id, organization_id })
    }

    /// Who somebody is who is, or was, a member.
    pub fn person_of(&self, member_id: MemberId) -> Result<PersonId, OrganizationError> {
        let (_, persons) = self.persons().ok_or(Refused::NotFound)?;
        persons.members.get(&member_id).copied().ok_or(Refused::MemberNotFound(member_id))
    }

    /// The evidence that an invite has ended and nobody came in by it. Whoever did is erased as the
    /// member that they were.
    pub fn erasable_invite(
        &self,
        invite_id: InviteId,
    ) -> Result<ErasablePerson, OrganizationError> {
        let (organization_id, persons) = self.persons().ok_or(Refused::NotFound)?;
        if self.open_roster().is_ok_and(|roster| roster.was_accepted(invite_id)) {
            return Err(Refused::InviteAlreadyAccepted(invite_id));
        }
        let person_id = persons.invites.get(&invite_id).copied();
        let person_id = person_id.ok_or(Refused::InviteNotFound(invite_id))?;
        if self.invite(invite_id).is_some() {
            return Err(Refused::InviteStillOpen(invite_id));
        }
        Ok(ErasablePerson { person_id, organization_id })
    }

    /// The evidence that nobody present is known by a login under which somebody, who is this person,
    /// acted in a system that a history was imported from.
    pub fn erasable_external(&self, login: &str, person_id: PersonId) -> Option<ErasablePerson> {
        let organization_id = self.organization_id()?;
        self.member_by_login(login)
            .is_none()
            .then_some(ErasablePerson { person_id, organization_id })
    }

    fn nobody_present(&self, person_id: PersonId) -> Result<(), OrganizationError> {
        match self.roster().find(|member| member.person_id == person_id) {
            Some(member) => Err(Refused::MemberPresent(member.member_id)),
            None => Ok(()),
        }
    }

    fn persons(&self) -> Option<(OrganizationId, &Persons)> {
        match self {
            Self::Absent => None,
            Self::Active(roster) => Some((roster.organization_id(), &roster.persons)),
            Self::Archived { organization_id, persons, .. } => Some((*organization_id, persons)),
        }
    }
}
