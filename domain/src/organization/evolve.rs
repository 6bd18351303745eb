//! What has happened to an open organization: which event changes what.

use std::collections::BTreeSet;

use event_schemas::OrganizationEvent;

use super::custom_roles::RoleGrant;
use super::roster::{Invite, Member, Roster};

impl Roster {
    #[expect(clippy::too_many_lines, reason = "an arm for each event")]
    pub(super) fn evolve(&mut self, event: &OrganizationEvent) {
        use OrganizationEvent as Was;
        match event {
            // The organization's own beginning and end.
            Was::Created { .. } | Was::Archived {} => {}
            Was::Updated { name, seat_limit } => self.updated(name.as_deref(), *seat_limit),
            Was::SettingsChanged { settings } => self.settings.clone_from(settings),
            Was::SecurityChanged { security } => self.security.clone_from(security),
            Was::InviteSent {
                invite_id,
                person_id,
                email,
                role,
                projects,
                expires_at,
                token_hash,
                invited_by,
            } => self.invite_sent(Invite {
                invite_id: *invite_id,
                person_id: *person_id,
                email: email.clone(),
                role: *role,
                projects: projects.clone(),
                expires_at: *expires_at,
                token_hash: token_hash.clone(),
                invited_by: *invited_by,
                shown_to: BTreeSet::new(),
            }),
            Was::InviteResent { invite_id, expires_at, token_hash, resent_by } => {
                self.invite_resent(*invite_id, *expires_at, token_hash, *resent_by);
            }
            Was::InviteTokenShared { invite_id, shown_to } => {
                self.invite_token_shared(*invite_id, shown_to);
            }
            Was::InviteAccepted { invite_id, member_id } => {
                self.came_in_by_invite(*invite_id, *member_id);
                self.invite_accepted(*invite_id, *member_id);
            }
            Was::InviteRevoked { invite_id } => self.invite_revoked(*invite_id),
            Was::InviteExpired { invite_id } => self.invite_expired(*invite_id),
            Was::MemberAdded { member_id, person_id, login, email, role } => {
                self.member_added(Member {
                    member_id: *member_id,
                    person_id: *person_id,
                    login: login.clone(),
                    email: email.clone(),
                    role: *role,
                    suspended: false,
                    groups: BTreeSet::new(),
                    custom_roles: BTreeSet::new(),
                });
            }
            Was::MemberRenamed { member_id, person_id: _, login } => {
                self.member_renamed(*member_id, login);
            }
            Was::MemberRoleChanged { member_id, role, previous_role: _ } => {
                self.member_role_changed(*member_id, *role);
            }
            Was::MemberSuspended { member_id, reason: _ } => {
                self.member_suspended(*member_id, true);
            }
            Was::MemberReinstated { member_id } => self.member_suspended(*member_id, false),
            Was::MemberRemoved { member_id, reason: _ } => self.member_removed(*member_id),
            Was::RoleDefined { role_id, name, permissions } => {
                self.role_defined(*role_id, name, *permissions);
            }
            Was::RoleUpdated { role_id, name, permissions } => {
                self.role_updated(*role_id, name.as_deref(), *permissions);
            }
            Was::RoleRemoved { role_id } => self.role_removed(*role_id),
            Was::RoleGranted { role_id, grantee, project_id } => {
                let grant = RoleGrant { role_id: *role_id, project_id: *project_id };
                self.role_granted(*grantee, grant);
            }
            Was::RoleWithdrawn { role_id, grantee, project_id } => {
                let grant = RoleGrant { role_id: *role_id, project_id: *project_id };
                self.role_withdrawn(*grantee, grant);
            }
            Was::GroupCreated { group_id, name, role } => {
                self.group_created(*group_id, name, *role);
            }
            Was::GroupRenamed { group_id, name } => self.group_renamed(*group_id, name),
            Was::GroupRoleChanged { group_id, role, previous_role: _ } => {
                self.group_role_changed(*group_id, *role);
            }
            Was::GroupRemoved { group_id } => self.group_removed(*group_id),
            Was::GroupMemberAdded { group_id, member_id } => {
                self.group_member_added(*group_id, *member_id);
            }
            Was::BreakGlassRequested { break_glass_id, operator, reason: _, minutes } => {
                self.break_glass_requested(*break_glass_id, operator, *minutes);
            }
            Was::BreakGlassApproved { break_glass_id, expires_at } => {
                self.break_glass_approved(*break_glass_id, *expires_at);
            }
            Was::BreakGlassTookIn { break_glass_id, member_id } => {
                self.break_glass_took_in(*break_glass_id, *member_id);
            }
            Was::BreakGlassInvited { break_glass_id, invite_id } => {
                self.break_glass_invited(*break_glass_id, *invite_id);
            }
            Was::BreakGlassEnded { break_glass_id } => self.break_glass_ended(*break_glass_id),
            Was::BreakGlassDeclined { break_glass_id, reason: _ }
            | Was::BreakGlassReviewed { break_glass_id, note: _ } => {
                self.break_glass_settled(*break_glass_id);
            }
            Was::GroupMemberRemoved { group_id, member_id } => {
                self.group_member_removed(*group_id, *member_id);
            }
        }
    }
}
