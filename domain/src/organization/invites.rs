//! What may happen to invites.

use chrono::{DateTime, Utc};
use event_schemas::{InviteId, MemberId, OrganizationEvent, OrganizationRole, Permission};

use super::roster::{Invite, InviteEnd, Roster};
use super::{Authority, Decision, OrganizationError, OrganizationError as Refused};
use crate::text;

impl Roster {
    pub(super) fn send_invite(
        &self,
        by: Authority,
        invite: Invite,
        now: DateTime<Utc>,
    ) -> Decision {
        let reach = self.reach(by, Permission::MembersInvite)?;
        let email = text::email(&invite.email)?;
        self.allows_address(by, &email)?;
        self.not_an_owner_in_passing(by, invite.role)?;
        reach.grants_role(invite.role)?;
        if invite.has_expired(now) {
            return Err(Refused::ExpiryInThePast { expires_at: invite.expires_at });
        }
        self.unused_invite_id(invite.invite_id)?;
        self.one_first_owner(by, invite.role)?;
        if self.is_members_address(&email) {
            return Err(Refused::AlreadyMember);
        }
        let expired = self.make_room(&email, now)?;
        let Invite {
            invite_id,
            person_id,
            email: _,
            role,
            projects,
            expires_at,
            token_hash,
            invited_by,
            shown_to: _,
        } = invite;
        let sent = OrganizationEvent::InviteSent {
            invite_id,
            person_id,
            email,
            role,
            projects,
            expires_at,
            token_hash,
            invited_by,
        };
        Ok(expired
            .into_iter()
            .map(|invite_id| OrganizationEvent::InviteExpired { invite_id })
            .chain([sent])
            .collect())
    }

    pub(super) fn resend_invite(
        &self,
        by: Authority,
        invite_id: InviteId,
        expires_at: DateTime<Utc>,
        token_hash: String,
        now: DateTime<Utc>,
    ) -> Decision {
        let reach = self.reach(by, Permission::MembersInvite)?;
        let Some(invite) = self.open_invite(invite_id) else {
            return match self.invite_end(invite_id) {
                Some(InviteEnd::Accepted) => Err(Refused::InviteAlreadyAccepted(invite_id)),
                Some(InviteEnd::Revoked | InviteEnd::Expired) => {
                    Err(Refused::InviteNotOpen(invite_id))
                }
                None => Err(Refused::InviteNotFound(invite_id)),
            };
        };
        // As if it were sent today.
        self.allows_address(by, &invite.email)?;
        // Who gets the new token can become what the invite offers.
        self.not_an_owner_in_passing(by, invite.role)?;
        reach.grants_role(invite.role)?;
        if expires_at <= now {
            return Err(Refused::ExpiryInThePast { expires_at });
        }
        let resent_by = by.member_id();
        Ok(vec![OrganizationEvent::InviteResent { invite_id, expires_at, token_hash, resent_by }])
    }

    pub(super) fn share_invite_token(
        &self,
        invite_id: InviteId,
        shown_to: Vec<MemberId>,
    ) -> Decision {
        let invite = self.open_invite(invite_id).ok_or(Refused::InviteNotOpen(invite_id))?;
        if shown_to.iter().all(|member_id| invite.shown_to.contains(member_id)) {
            return Ok(vec![]);
        }
        Ok(vec![OrganizationEvent::InviteTokenShared { invite_id, shown_to }])
    }

    /// The invites, past their time, that must be recorded as expired before one more can be
    /// open: the one to the same address and, where all seats are taken, all others too.
    fn make_room(
        &self,
        email: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<InviteId>, OrganizationError> {
        let mut expired = Vec::new();
        if let Some(earlier) = self.open_invite_to(email) {
            let invite_id = earlier.invite_id;
            if !earlier.has_expired(now) {
                return Err(Refused::InviteAlreadyOpen { invite_id });
            }
            expired.push(invite_id);
        }
        let members = self.member_count();
        let open = self.open_invites().count();
        if self.seats_for(members + open - expired.len() + 1).is_err() {
            expired = self
                .open_invites()
                .filter(|invite| invite.has_expired(now))
                .map(|invite| invite.invite_id)
                .collect();
            self.seats_for(members + open - expired.len() + 1)?;
        }
        Ok(expired)
    }

    pub(super) fn accept_invite(
        &self,
        invite_id: InviteId,
        member_id: MemberId,
        login: &str,
        now: DateTime<Utc>,
    ) -> Decision {
        let invite = self.acceptable_invite(invite_id, now)?;
        self.still_stands(invite)?;
        let login = text::login(login)?;
        if self.by_login(&login).is_some() {
            return Err(Refused::LoginTaken(login));
        }
        self.unlike_others(&login, member_id)?;
        // Somebody else may have added the address since.
        if self.is_members_address(&invite.email) {
            return Err(Refused::AlreadyMember);
        }
        self.unused_member_id(member_id)?;
        // The invite has had its seat since it was sent, unless the limit was lowered since.
        self.seats_for(self.member_count() + 1)?;
        let email = Some(invite.email.clone());
        let (person_id, role) = (invite.person_id, invite.role);
        let accepted = [
            OrganizationEvent::InviteAccepted { invite_id, member_id },
            OrganizationEvent::MemberAdded { member_id, person_id, login, email, role },
        ];
        let by_access = self.access_of_invite(invite_id);
        let took_in = by_access.map(|break_glass_id| OrganizationEvent::BreakGlassTookIn {
            break_glass_id,
            member_id,
        });
        Ok(accepted.into_iter().chain(took_in).collect())
    }

    /// Whoever runs orgledger names one first owner, and keeps no second invite for later.
    fn one_first_owner(
        &self,
        by: Authority,
        role: OrganizationRole,
    ) -> Result<(), OrganizationError> {
        if by != Authority::Operator || role != OrganizationRole::Owner || self.has_had_owner() {
            return Ok(());
        }
        match self.open_invites().find(|invite| invite.role == OrganizationRole::Owner) {
            Some(invite) => Err(Refused::InviteAlreadyOpen { invite_id: invite.invite_id }),
            None => Ok(()),
        }
    }

    /// What a member has offered counts as long as they could offer it, whatever has changed for them
    /// or for the organization since.
    fn still_stands(&self, invite: &Invite) -> Result<(), OrganizationError> {
        let Some(inviter) = invite.invited_by else { return Ok(()) };
        let by = Authority::Member(inviter);
        let may = self.present(inviter).is_some_and(|member| self.may_offer(member, invite))
            && self.allows_address(by, &invite.email).is_ok();
        if !may {
            return Err(Refused::InviteNotOffered(invite.invite_id));
        }
        self.not_an_owner_in_passing(by, invite.role)
    }

    fn acceptable_invite(
        &self,
        invite_id: InviteId,
        now: DateTime<Utc>,
    ) -> Result<&Invite, OrganizationError> {
        let Some(invite) = self.open_invite(invite_id) else {
            return match self.invite_end(invite_id) {
                Some(InviteEnd::Expired) => Err(Refused::InviteExpired(invite_id)),
                Some(InviteEnd::Accepted | InviteEnd::Revoked) | None => {
                    Err(Refused::InviteNotOpen(invite_id))
                }
            };
        };
        if invite.has_expired(now) {
            return Err(Refused::InviteExpired(invite_id));
        }
        Ok(invite)
    }

    pub(super) fn revoke_invite(&self, by: Authority, invite_id: InviteId) -> Decision {
        let reach = self.reach(by, Permission::MembersInvite)?;
        let Some(invite) = self.open_invite(invite_id) else {
            return self.nothing_left_to_end(invite_id);
        };
        reach.covers_role(invite.role)?;
        Ok(vec![OrganizationEvent::InviteRevoked { invite_id }])
    }

    pub(super) fn expire_invite(&self, invite_id: InviteId, now: DateTime<Utc>) -> Decision {
        let Some(invite) = self.open_invite(invite_id) else {
            return self.nothing_left_to_end(invite_id);
        };
        if !invite.has_expired(now) {
            return Err(Refused::NotYetExpired { expires_at: invite.expires_at });
        }
        Ok(vec![OrganizationEvent::InviteExpired { invite_id }])
    }

    fn nothing_left_to_end(&self, invite_id: InviteId) -> Decision {
        match self.invite_end(invite_id) {
            Some(InviteEnd::Revoked | InviteEnd::Expired) => Ok(vec![]),
            Some(InviteEnd::Accepted) => Err(Refused::InviteAlreadyAccepted(invite_id)),
            None => Err(Refused::InviteNotFound(invite_id)),
        }
    }

    fn unused_invite_id(&self, invite_id: InviteId) -> Result<(), OrganizationError> {
        if self.open_invite(invite_id).is_some() || self.invite_end(invite_id).is_some() {
            return Err(Refused::InviteAlreadyExists(invite_id));
        }
        Ok(())
    }
}
