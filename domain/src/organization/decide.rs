//! What may happen to an organization, and what has: which rule answers which command.

use std::collections::BTreeSet;

use event_schemas::{OrganizationEvent, OrganizationId};

use super::members::NewMember;
use super::roster::{Invite, Roster};
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
            Ask::ChangeSettings { by, settings } => {
                self.open_roster()?.change_settings(by, settings)
            }
            Ask::ChangeSecurity { by, security } => {
                self.open_roster()?.change_security(by, security)
            }
            Ask::Role { by, command } => self.open_roster()?.decide_role(by, command),
            Ask::Group { by, command } => self.open_roster()?.decide_group(by, command),
            Ask::BreakGlass(command) => self.open_roster()?.decide_break_glass(command),
            Ask::Archive => self.archive(),
            Ask::SendInvite {
                by,
                invite_id,
                person_id,
                email,
                role,
                projects,
                expires_at,
                token_hash,
                now,
            } => {
                let invited_by = by.member_id();
                let invite = Invite {
                    invite_id,
                    person_id,
                    email,
                    role,
                    projects,
                    expires_at,
                    token_hash,
                    invited_by,
                    shown_to: BTreeSet::new(),
                };
                self.open_roster()?.send_invite(by, invite, now)
            }
            Ask::ResendInvite { by, invite_id, expires_at, token_hash, now } => {
                self.open_roster()?.resend_invite(by, invite_id, expires_at, token_hash, now)
            }
            Ask::ShareInviteToken { invite_id, shown_to } => {
                self.open_roster()?.share_invite_token(invite_id, shown_to)
            }
            Ask::AcceptInvite { invite_id, member_id, login, now } => {
                self.open_roster()?.accept_invite(invite_id, member_id, &login, now)
            }
            Ask::RevokeInvite { by, invite_id } => self.open_roster()?.revoke_invite(by, invite_id),
            Ask::ExpireInvite { invite_id, now } => {
                self.open_roster()?.expire_invite(invite_id, now)
            }
            Ask::AddMember { by, member_id, person_id, login, email, role } => {
                let new = NewMember { member_id, person_id, login, email, role };
                self.open_roster()?.add_member(by, new)
            }
            Ask::RenameMember { by, member_id, login } => {
                self.open_roster()?.rename_member(by, member_id, &login)
            }
            Ask::ChangeMemberRole { by, member_id, role } => {
                self.open_roster()?.change_member_role(by, member_id, role)
            }
            Ask::TransferOwnership { by, member_id } => {
                self.open_roster()?.transfer_ownership(by, member_id)
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
            Was::Archived {} => self.archived(),
            Was::Updated { .. }
            | Was::SettingsChanged { .. }
            | Was::SecurityChanged { .. }
            | Was::InviteSent { .. }
            | Was::InviteResent { .. }
            | Was::InviteAccepted { .. }
            | Was::InviteRevoked { .. }
            | Was::InviteExpired { .. }
            | Was::MemberAdded { .. }
            | Was::MemberRenamed { .. }
            | Was::MemberRoleChanged { .. }
            | Was::MemberSuspended { .. }
            | Was::MemberReinstated { .. }
            | Was::MemberRemoved { .. }
            | Was::RoleDefined { .. }
            | Was::RoleUpdated { .. }
            | Was::RoleRemoved { .. }
            | Was::RoleGranted { .. }
            | Was::RoleWithdrawn { .. }
            | Was::GroupCreated { .. }
            | Was::GroupRenamed { .. }
            | Was::GroupRoleChanged { .. }
            | Was::GroupRemoved { .. }
            | Was::GroupMemberAdded { .. }
            | Was::GroupMemberRemoved { .. }
            | Was::BreakGlassRequested { .. }
            | Was::BreakGlassApproved { .. }
            | Was::BreakGlassTookIn { .. }
            | Was::BreakGlassInvited { .. }
            | Was::InviteTokenShared { .. }
            | Was::BreakGlassDeclined { .. }
            | Was::BreakGlassEnded { .. }
            | Was::BreakGlassReviewed { .. } => {
                if let Self::Active(roster) = self {
                    roster.evolve(event);
                }
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
                persons: Box::new(std::mem::take(&mut roster.persons)),
            };
        }
    }
}
