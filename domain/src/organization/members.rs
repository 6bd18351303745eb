//! What may happen to the profile and the members.

use event_schemas::{MemberId, OrganizationEvent, OrganizationRole, Permission, PersonId};

use super::roster::{Invite, Member, Roster};
use super::{Authority, Decision, OrganizationError, OrganizationError as Refused};
use crate::text;

/// Who is to be a member.
pub(super) struct NewMember {
    pub(super) member_id: MemberId,
    pub(super) person_id: PersonId,
    pub(super) login: String,
    pub(super) email: Option<String>,
    pub(super) role: OrganizationRole,
}

impl Roster {
    pub(super) fn update(&self, name: Option<&str>, seat_limit: Option<u32>) -> Decision {
        let name = name.map(text::name).transpose()?.filter(|name| name != self.name());
        let seat_limit = seat_limit.filter(|limit| Some(*limit) != self.seat_limit());
        let members = self.member_count();
        if let Some(seat_limit) = seat_limit.filter(|limit| members > seats(*limit)) {
            return Err(Refused::SeatLimitBelowMembers { seat_limit, members });
        }
        if name.is_none() && seat_limit.is_none() {
            return Ok(vec![]);
        }
        Ok(vec![OrganizationEvent::Updated { name, seat_limit }])
    }

    pub(super) fn add_member(&self, by: Authority, new: NewMember) -> Decision {
        let NewMember { member_id, person_id, login, email, role } = new;
        let reach = self.reach(by, Permission::MembersUpdate)?;
        self.not_an_owner_in_passing(by, role)?;
        let login = text::login(&login)?;
        let email = email.as_deref().map(text::email).transpose()?;
        if let Some(email) = &email {
            self.allows_address(by, email)?;
        }
        if let Some(member) = self.by_login(&login) {
            // A history from elsewhere tells anew what somebody is.
            return match by {
                Authority::System => self.change_member_role(by, member.member_id, role),
                Authority::Operator
                | Authority::Member(_)
                | Authority::ApiKey { .. }
                | Authority::Invited(_)
                | Authority::Nobody => Err(Refused::LoginTaken(login)),
            };
        }
        self.unlike_others(&login, member_id)?;
        reach.grants_role(role)?;
        self.own_address(by, email.as_deref())?;
        self.unused_member_id(member_id)?;
        let invited = self.open_invites().count();
        self.seats_for(self.member_count() + invited + 1)?;
        // Named so, the first owner is the only one whom the operator names.
        let is_first =
            by == Authority::Operator && role == OrganizationRole::Owner && !self.has_had_owner();
        let named = self.open_invites().filter(|invite| {
            is_first && invite.role == OrganizationRole::Owner && invite.invited_by.is_none()
        });
        let added = OrganizationEvent::MemberAdded { member_id, person_id, login, email, role };
        Ok(named.map(revoked).chain([added]).collect())
    }

    pub(super) fn rename_member(
        &self,
        by: Authority,
        member_id: MemberId,
        login: &str,
    ) -> Decision {
        let member = self.member_in_reach(by, Permission::MembersUpdate, member_id)?;
        let login = text::login(login)?;
        if self.by_login(&login).is_some_and(|holder| holder.member_id != member_id) {
            return Err(Refused::LoginTaken(login));
        }
        if member.login == login {
            return Ok(vec![]);
        }
        self.unlike_others(&login, member_id)?;
        let person_id = member.person_id;
        Ok(vec![OrganizationEvent::MemberRenamed { member_id, person_id, login }])
    }

    pub(super) fn change_member_role(
        &self,
        by: Authority,
        member_id: MemberId,
        role: OrganizationRole,
    ) -> Decision {
        let member = self.member_in_reach(by, Permission::MembersUpdate, member_id)?;
        let reach = self.reach(by, Permission::MembersUpdate)?;
        reach.grants_role(role)?;
        if member.role == role {
            return Ok(vec![]);
        }
        self.keeps_an_owner_without(member)?;
        let previous_role = member.role;
        let changed = OrganizationEvent::MemberRoleChanged { member_id, role, previous_role };
        Ok(self.offered_beyond(member, role).chain([changed]).collect())
    }

    pub(super) fn transfer_ownership(&self, by: Authority, member_id: MemberId) -> Decision {
        let reach = self.reach(by, Permission::MembersUpdate)?;
        let owner = by.member_id().and_then(|owner| self.present(owner));
        let owner = owner.filter(|owner| owner.is_acting_owner()).ok_or(Refused::NotAnOwner)?;
        reach.grants_role(OrganizationRole::Owner)?;
        let heir = self.present(member_id).ok_or(Refused::MemberNotFound(member_id))?;
        if heir.suspended {
            return Err(Refused::MemberSuspended(member_id));
        }
        if heir.member_id == owner.member_id {
            return Ok(vec![]);
        }
        // Whom an operator has taken in may do nothing once that is over, until it was reviewed.
        if self.was_taken_in(member_id) && !self.has_owner_besides(owner.member_id) {
            return Err(Refused::LastOwner);
        }
        let changed = |member: &Member, role| OrganizationEvent::MemberRoleChanged {
            member_id: member.member_id,
            role,
            previous_role: member.role,
        };
        let heir =
            (heir.role != OrganizationRole::Owner).then(|| changed(heir, OrganizationRole::Owner));
        let steps_back = changed(owner, OrganizationRole::Admin);
        let offered = self.offered_beyond(owner, OrganizationRole::Admin);
        Ok(offered.chain(heir).chain([steps_back]).collect())
    }

    pub(super) fn suspend_member(
        &self,
        by: Authority,
        member_id: MemberId,
        reason: Option<&str>,
    ) -> Decision {
        let member = self.member_in_reach(by, Permission::MembersUpdate, member_id)?;
        if member.suspended {
            return Ok(vec![]);
        }
        self.keeps_an_owner_without(member)?;
        let reason = text::reason(reason)?;
        let suspended = OrganizationEvent::MemberSuspended { member_id, reason };
        Ok(self.offered(member_id).chain([suspended]).collect())
    }

    pub(super) fn reinstate_member(&self, by: Authority, member_id: MemberId) -> Decision {
        let member = self.member_in_reach(by, Permission::MembersUpdate, member_id)?;
        if !member.suspended {
            return Ok(vec![]);
        }
        Ok(vec![OrganizationEvent::MemberReinstated { member_id }])
    }

    pub(super) fn remove_member(
        &self,
        by: Authority,
        member_id: MemberId,
        reason: Option<&str>,
    ) -> Decision {
        let leaves = by.is_all_of(member_id);
        if !leaves {
            self.reach(by, Permission::MembersRemove)?;
        }
        if self.was_member(member_id) {
            return Ok(vec![]);
        }
        let member = if leaves {
            self.leaving(member_id)?
        } else {
            self.member_in_reach(by, Permission::MembersRemove, member_id)?
        };
        self.keeps_an_owner_without(member)?;
        let reason = text::reason(reason)?;
        let removed = OrganizationEvent::MemberRemoved { member_id, reason };
        Ok(self.offered(member_id).chain([removed]).collect())
    }

    /// What a member has offered to others ends with what they may do.
    fn offered(&self, member_id: MemberId) -> impl Iterator<Item = OrganizationEvent> {
        self.open_invites().filter(move |invite| invite.invited_by == Some(member_id)).map(revoked)
    }

    /// Of what a member has offered to others, what they could not offer with another role.
    fn offered_beyond(
        &self,
        member: &Member,
        role: OrganizationRole,
    ) -> impl Iterator<Item = OrganizationEvent> {
        let with_role = Member { role, ..member.clone() };
        self.open_invites()
            .filter(move |invite| {
                invite.invited_by == Some(with_role.member_id)
                    && !self.may_offer(&with_role, invite)
            })
            .map(revoked)
    }

    /// Whether a member could send the invite.
    pub(super) fn may_offer(&self, member: &Member, invite: &Invite) -> bool {
        let permissions = self.permissions(member);
        !member.suspended
            && permissions.contains(Permission::MembersInvite)
            && permissions.covers(invite.role.permissions())
            && self.rank(member) >= invite.role.rank()
    }

    /// Anybody may leave, whatever their role; who is suspended asks for nothing.
    fn leaving(&self, member_id: MemberId) -> Result<&Member, OrganizationError> {
        let member = self.present(member_id).ok_or(Refused::MemberNotFound(member_id))?;
        if member.suspended {
            return Err(Refused::MemberSuspended(member_id));
        }
        Ok(member)
    }

    fn member_in_reach(
        &self,
        by: Authority,
        permission: Permission,
        member_id: MemberId,
    ) -> Result<&Member, OrganizationError> {
        let reach = self.reach(by, permission)?;
        let member = self.present(member_id).ok_or(Refused::MemberNotFound(member_id))?;
        reach.covers_member(self, member)?;
        Ok(member)
    }

    /// Nobody is taken for another: neither where they sign in nor where they approve.
    pub(super) fn unlike_others(&self, login: &str, of: MemberId) -> Result<(), OrganizationError> {
        if self.is_lookalike(login, of) { Err(Refused::LoginAlike) } else { Ok(()) }
    }

    /// An address that two members share signs in neither of them: nobody locks another out so. What
    /// is imported has happened elsewhere.
    fn own_address(&self, by: Authority, email: Option<&str>) -> Result<(), OrganizationError> {
        if by != Authority::System && email.is_some_and(|email| self.is_members_address(email)) {
            return Err(Refused::AlreadyMember);
        }
        Ok(())
    }

    /// An organization that has an owner keeps one; one that never had any is free of the rule.
    fn keeps_an_owner_without(&self, member: &Member) -> Result<(), OrganizationError> {
        if member.is_acting_owner() && !self.has_owner_besides(member.member_id) {
            return Err(Refused::LastOwner);
        }
        Ok(())
    }

    pub(super) fn unused_member_id(&self, member_id: MemberId) -> Result<(), OrganizationError> {
        if self.present(member_id).is_some() || self.was_member(member_id) {
            return Err(Refused::MemberIdTaken(member_id));
        }
        Ok(())
    }

    /// Whether the limit leaves room for so many seats in all.
    pub(super) fn seats_for(&self, needed: usize) -> Result<(), OrganizationError> {
        match self.seat_limit() {
            Some(seat_limit) if needed > seats(seat_limit) => {
                Err(Refused::SeatLimitReached { seat_limit })
            }
            Some(_) | None => Ok(()),
        }
    }
}

pub(super) fn revoked(invite: &Invite) -> OrganizationEvent {
    OrganizationEvent::InviteRevoked { invite_id: invite.invite_id }
}

fn seats(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
