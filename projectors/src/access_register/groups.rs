//! What events of groups and custom roles do to the register.

use event_schemas::{Grantee, OrganizationEvent, PermissionSet};
use serde_json::Value;
use uuid::Uuid;

use super::facts::Fact;
use super::register::Register;
use super::rows::{Group, GroupMember, Role, RoleGrant};

impl Register {
    /// Applies an event of groups or roles; whether it was one.
    #[expect(clippy::too_many_lines, reason = "an arm for each event")]
    pub(super) fn groups_and_roles(&mut self, fact: &Fact, event: &OrganizationEvent) {
        let Fact { at, actor, organization_id, .. } = fact;
        let organization_id = organization_id.0;
        match event {
            OrganizationEvent::RoleDefined { role_id, name, permissions } => self.roles.fold.set(
                *at,
                Role {
                    role_id: role_id.0,
                    organization_id,
                    name: name.clone(),
                    permissions: words(*permissions),
                },
            ),
            OrganizationEvent::RoleUpdated { role_id, name, permissions } => {
                self.roles.fold.change(*at, &role_id.0, |row| {
                    row.name = name.clone().unwrap_or_else(|| std::mem::take(&mut row.name));
                    if let Some(permissions) = permissions {
                        row.permissions = words(*permissions);
                    }
                });
            }
            OrganizationEvent::RoleRemoved { role_id } => {
                self.roles.fold.end(*at, &role_id.0);
                self.role_grants.fold.end_children(*at, role_id.0);
            }
            OrganizationEvent::RoleGranted { role_id, grantee, project_id } => {
                let (grantee_kind, grantee_id) = grantee_columns(*grantee);
                self.role_grants.fold.set(
                    *at,
                    RoleGrant {
                        role_id: role_id.0,
                        grantee_id,
                        grantee_kind: grantee_kind.to_owned(),
                        project_id: project_id.map(|id| id.0),
                        organization_id,
                        since: at.time,
                        granted_by: actor.clone(),
                    },
                );
            }
            OrganizationEvent::RoleWithdrawn { role_id, grantee, project_id } => {
                let (_, grantee_id) = grantee_columns(*grantee);
                let key = (role_id.0, grantee_id, project_id.map(|id| id.0));
                self.role_grants.fold.end(*at, &key);
            }
            OrganizationEvent::GroupCreated { group_id, name, role } => self.groups.fold.set(
                *at,
                Group {
                    group_id: group_id.0,
                    organization_id,
                    name: name.clone(),
                    role: role.map(|role| role.to_string()),
                    since: at.time,
                    granted_by: actor.clone(),
                },
            ),
            OrganizationEvent::GroupRenamed { group_id, name } => {
                self.groups.fold.change(*at, &group_id.0, |row| name.clone_into(&mut row.name));
            }
            OrganizationEvent::GroupRoleChanged { group_id, role, previous_role: _ } => {
                self.groups.fold.change(*at, &group_id.0, |row| {
                    row.role = role.map(|role| role.to_string());
                    row.since = at.time;
                    row.granted_by.clone_from(actor);
                });
            }
            OrganizationEvent::GroupRemoved { group_id } => {
                self.groups.fold.end(*at, &group_id.0);
                self.group_members.fold.end_children(*at, group_id.0);
                self.project_groups.fold.end_children(*at, group_id.0);
                self.role_grants.fold.end_children(*at, group_id.0);
            }
            OrganizationEvent::GroupMemberAdded { group_id, member_id } => {
                self.group_members.fold.set(
                    *at,
                    GroupMember {
                        group_id: group_id.0,
                        member_id: member_id.0,
                        organization_id,
                        since: at.time,
                        granted_by: actor.clone(),
                    },
                );
            }
            OrganizationEvent::GroupMemberRemoved { group_id, member_id } => {
                self.group_members.fold.end(*at, &(group_id.0, member_id.0));
            }
            // The organization itself, its invites and members: see `register`.
            OrganizationEvent::BreakGlassRequested { .. }
            | OrganizationEvent::BreakGlassApproved { .. }
            | OrganizationEvent::BreakGlassDeclined { .. }
            | OrganizationEvent::BreakGlassEnded { .. }
            | OrganizationEvent::BreakGlassTookIn { .. }
            | OrganizationEvent::BreakGlassInvited { .. }
            | OrganizationEvent::InviteTokenShared { .. }
            | OrganizationEvent::BreakGlassReviewed { .. }
            | OrganizationEvent::Created { .. }
            | OrganizationEvent::Updated { .. }
            | OrganizationEvent::SettingsChanged { .. }
            | OrganizationEvent::SecurityChanged { .. }
            | OrganizationEvent::Archived {}
            | OrganizationEvent::InviteSent { .. }
            | OrganizationEvent::InviteResent { .. }
            | OrganizationEvent::InviteAccepted { .. }
            | OrganizationEvent::InviteRevoked { .. }
            | OrganizationEvent::InviteExpired { .. }
            | OrganizationEvent::MemberAdded { .. }
            | OrganizationEvent::MemberRenamed { .. }
            | OrganizationEvent::MemberRoleChanged { .. }
            | OrganizationEvent::MemberSuspended { .. }
            | OrganizationEvent::MemberReinstated { .. }
            | OrganizationEvent::MemberRemoved { .. } => {}
        }
    }
}

fn grantee_columns(grantee: Grantee) -> (&'static str, Uuid) {
    match grantee {
        Grantee::Member { member_id } => ("member", member_id.0),
        Grantee::Group { group_id } => ("group", group_id.0),
    }
}

/// Permissions as the column holds them: a list of their words.
pub(super) fn words(permissions: PermissionSet) -> Value {
    permissions.iter().map(|permission| Value::from(permission.as_str())).collect()
}
