//! What may happen to the profile and the members.

use event_schemas::{MemberId, OrganizationEvent, OrganizationRole};

use super::roster::{Member, Roster};
use super::{Authority, Decision, OrganizationError, OrganizationError as Refused};
use crate::text;

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

    pub(super) fn add_member(
        &self,
        by: Authority,
        member_id: MemberId,
        login: &str,
        email: Option<&str>,
        role: OrganizationRole,
    ) -> Decision {
        let reach = self.reach(by)?;
        let login = text::login(login)?;
        let email = email.map(text::email).transpose()?;
        if let Some(member) = self.by_login(&login) {
            return self.change_member_role(by, member.member_id, role);
        }
        reach.covers_role(role)?;
        self.unused_member_id(member_id)?;
        let invited = self.open_invites().count();
        self.seats_for(self.member_count() + invited + 1)?;
        Ok(vec![OrganizationEvent::MemberAdded { member_id, login, email, role }])
    }

    pub(super) fn rename_member(
        &self,
        by: Authority,
        member_id: MemberId,
        login: &str,
    ) -> Decision {
        let member = self.member_in_reach(by, member_id)?;
        let login = text::login(login)?;
        if self.by_login(&login).is_some_and(|holder| holder.member_id != member_id) {
            return Err(Refused::LoginTaken(login));
        }
        if member.login == login {
            return Ok(vec![]);
        }
        Ok(vec![OrganizationEvent::MemberRenamed { member_id, login }])
    }

    pub(super) fn change_member_role(
        &self,
        by: Authority,
        member_id: MemberId,
        role: OrganizationRole,
    ) -> Decision {
        let member = self.member_in_reach(by, member_id)?;
        self.reach(by)?.covers_role(role)?;
        if member.role == role {
            return Ok(vec![]);
        }
        self.keeps_an_owner_without(member)?;
        let previous_role = member.role;
        Ok(vec![OrganizationEvent::MemberRoleChanged { member_id, role, previous_role }])
    }

    pub(super) fn suspend_member(
        &self,
        by: Authority,
        member_id: MemberId,
        reason: Option<&str>,
    ) -> Decision {
        let member = self.member_in_reach(by, member_id)?;
        if member.suspended {
            return Ok(vec![]);
        }
        self.keeps_an_owner_without(member)?;
        let reason = text::reason(reason)?;
        Ok(vec![OrganizationEvent::MemberSuspended { member_id, reason }])
    }

    pub(super) fn reinstate_member(&self, by: Authority, member_id: MemberId) -> Decision {
        let member = self.member_in_reach(by, member_id)?;
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
        let leaves = by == Authority::Member(member_id);
        if !leaves {
            self.reach(by)?;
        }
        if self.was_member(member_id) {
            return Ok(vec![]);
        }
        let member =
            if leaves { self.leaving(member_id)? } else { self.member_in_reach(by, member_id)? };
        self.keeps_an_owner_without(member)?;
        let reason = text::reason(reason)?;
        Ok(vec![OrganizationEvent::MemberRemoved { member_id, reason }])
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
        member_id: MemberId,
    ) -> Result<&Member, OrganizationError> {
        let reach = self.reach(by)?;
        let member = self.present(member_id).ok_or(Refused::MemberNotFound(member_id))?;
        reach.covers_member(member)?;
        Ok(member)
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

fn seats(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
