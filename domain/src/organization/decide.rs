//! What may happen to an organization, and what has: which rule answers which command.

use event_schemas::{OrganizationEvent, OrganizationId};

use super::roster::{Invite, Member, Roster};
use super::{Decision, Organization, OrganizationCommand, OrganizationError};
use crate::Decider;
use crate::text;

impl Decider for Organization {
    const STREAM: &'static str = "organization";
    type Command = OrganizationCommand;
    type Event = OrganizationEvent;
    type Error = OrganizationError;

    fn decide(&self, command: OrganizationCommand) -> Decision {
        use OrganizationCommand as Ask;
        match command {
            Ask::Create { organization_id, name, seat_limit } => {
                self.create(organization_id, &name, seat_limit)
            }
            Ask::Update { name, seat_limit } => {
                self.open_roster()?.update(name.as_deref(), seat_limit)
            }
            Ask::Archive => self.archive(),
            Ask::SendInvite { by, invite_id, email, role, projects, expires_at, now } => {
                let invite = Invite { invite_id, email, role, projects, expires_at };
                self.open_roster()?.send_invite(by, invite, now)
            }
            Ask::AcceptInvite { invite_id, member_id, login, now } => {
                self.open_roster()?.accept_invite(invite_id, member_id, &login, now)
            }
            Ask::RevokeInvite { by, invite_id } => self.open_roster()?.revoke_invite(by, invite_id),
            Ask::ExpireInvite { invite_id, now } => {
                self.open_roster()?.expire_invite(invite_id, now)
            }
            Ask::AddMember { by, member_id, login, email, role } => {
                self.open_roster()?.add_member(by, member_id, &login, email.as_deref(), role)
            }
            Ask::RenameMember { by, member_id, login } => {
                self.open_roster()?.rename_member(by, member_id, &login)
            }
            Ask::ChangeMemberRole { by, member_id, role } => {
                self.open_roster()?.change_member_role(by, member_id, role)
            }
            Ask::SuspendMember { by, member_id, reason } => {
                self.open_roster()?.suspend_member(by, member_id, reason.as_deref())
            }
            Ask::ReinstateMember { by, member_id } => {
                self.open_roster()?.reinstate_member(by, member_id)
            }
            Ask::RemoveMember { by, member_id, reason } => {
                self.open_roster()?.remove_member(by, member_id, reason.as_deref())
            }
        }
    }

    fn evolve(&mut self, event: &OrganizationEvent) {
        use OrganizationEvent as Was;
        match event {
            Was::Created { organization_id, name, seat_limit } => {
                *self = Self::Active(Box::new(Roster::new(*organization_id, name, *seat_limit)));
            }
            Was::Updated { name, seat_limit } => {
                self.change(|roster| roster.updated(name.as_deref(), *seat_limit));
            }
            Was::Archived {} => self.archived(),
            Was::InviteSent { invite_id, email, role, projects, expires_at } => {
                self.change(|roster| {
                    roster.invite_sent(Invite {
                        invite_id: *invite_id,
                        email: email.clone(),
                        role: *role,
                        projects: projects.clone(),
                        expires_at: *expires_at,
                    });
                });
            }
            Was::InviteAccepted { invite_id, member_id: _ } => {
                self.change(|roster| roster.invite_accepted(*invite_id));
            }
            Was::InviteRevoked { invite_id } => {
                self.change(|roster| roster.invite_revoked(*invite_id));
            }
            Was::InviteExpired { invite_id } => {
                self.change(|roster| roster.invite_expired(*invite_id));
            }
            Was::MemberAdded { member_id, login, email, role } => {
                self.change(|roster| {
                    roster.member_added(Member {
                        member_id: *member_id,
                        login: login.clone(),
                        email: email.clone(),
                        role: *role,
                        suspended: false,
                    });
                });
            }
            Was::MemberRenamed { member_id, login } => {
                self.change(|roster| roster.member_renamed(*member_id, login));
            }
            Was::MemberRoleChanged { member_id, role, previous_role: _ } => {
                self.change(|roster| roster.member_role_changed(*member_id, *role));
            }
            Was::MemberSuspended { member_id, reason: _ } => {
                self.change(|roster| roster.member_suspended(*member_id, true));
            }
            Was::MemberReinstated { member_id } => {
                self.change(|roster| roster.member_suspended(*member_id, false));
            }
            Was::MemberRemoved { member_id, reason: _ } => {
                self.change(|roster| roster.member_removed(*member_id));
            }
        }
    }
}

impl Organization {
    fn create(
        &self,
        organization_id: OrganizationId,
        name: &str,
        seat_limit: Option<u32>,
    ) -> Decision {
        match self {
            Self::Absent => {
                let name = text::name(name)?;
                Ok(vec![OrganizationEvent::Created { organization_id, name, seat_limit }])
            }
            Self::Active(_) | Self::Archived { .. } => Err(OrganizationError::AlreadyExists),
        }
    }

    fn archive(&self) -> Decision {
        match self {
            Self::Absent => Err(OrganizationError::NotFound),
            Self::Active(_) => Ok(vec![OrganizationEvent::Archived {}]),
            Self::Archived { .. } => Ok(vec![]),
        }
    }

    fn archived(&mut self) {
        if let Self::Active(roster) = self {
            *self = Self::Archived {
                organization_id: roster.organization_id(),
                name: roster.name().to_owned(),
            };
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Roster)) {
        if let Self::Active(roster) = self {
            change(roster);
        }
    }
}
