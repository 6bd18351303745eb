//! What events of an organization tell: its profile, people, roles, groups, and the operator's accesses.

use event_schemas::{
    Grantee, GroupId, MemberId, OrganizationEvent, OrganizationSettings, ProjectId, RoleId,
    SecuritySettings,
};
use serde_json::json;
use uuid::Uuid;

use super::told::Told;

fn settings(of: Uuid) -> String {
    format!("settings:{of}")
}

fn security(of: Uuid) -> String {
    format!("security:{of}")
}

#[expect(clippy::too_many_lines, reason = "an arm for each event")]
pub(super) fn told(of: Uuid, event: &OrganizationEvent) -> Told {
    match event {
        OrganizationEvent::Created { organization_id: _, name, seat_limit } => {
            Told::of("organization", of)
                .began(json!({ "name": name, "seat_limit": seat_limit }))
                .beginning(settings(of), json!(OrganizationSettings::default()))
                .beginning(security(of), json!(SecuritySettings::default()))
        }
        OrganizationEvent::Updated { name, seat_limit } => Told::of("organization", of)
            .changed_where_said(json!({ "name": name, "seat_limit": seat_limit })),
        OrganizationEvent::SettingsChanged { settings: now } => {
            Told { key: settings(of), ..Told::of("organization", of) }.changed(json!(now))
        }
        OrganizationEvent::SecurityChanged { security: now } => {
            Told { key: security(of), ..Told::of("organization", of) }.changed(json!(now))
        }
        OrganizationEvent::Archived {} => Told::of("organization", of).ended(),
        OrganizationEvent::InviteSent {
            invite_id,
            person_id,
            email,
            role,
            projects,
            expires_at,
            token_hash: _,
            invited_by: _,
        } => {
            let sent = Told::of("invite", invite_id.0).of_person(*person_id).began(json!({
                "email": email, "role": role, "projects": projects, "expires_at": expires_at,
                "state": "open",
            }));
            projects.iter().fold(sent, |told, grant| told.about(grant.project_id.0))
        }
        OrganizationEvent::InviteResent { invite_id, expires_at, token_hash: _, resent_by: _ } => {
            Told::of("invite", invite_id.0).changed(json!({ "expires_at": expires_at }))
        }
        OrganizationEvent::InviteAccepted { invite_id, member_id } => {
            now("invite", invite_id.0, "accepted").about(member_id.0)
        }
        OrganizationEvent::InviteRevoked { invite_id } => now("invite", invite_id.0, "revoked"),
        OrganizationEvent::InviteExpired { invite_id } => now("invite", invite_id.0, "expired"),
        OrganizationEvent::MemberAdded { member_id, person_id, login, email, role } => {
            Told::of("member", member_id.0).of_person(*person_id).began(json!({
                "login": login, "email": email, "role": role, "suspended": false,
            }))
        }
        OrganizationEvent::MemberRenamed { member_id, person_id, login } => {
            Told::of("member", member_id.0).of_person(*person_id).changed(json!({ "login": login }))
        }
        OrganizationEvent::MemberRoleChanged { member_id, role, previous_role: _ } => {
            Told::of("member", member_id.0).changed(json!({ "role": role }))
        }
        OrganizationEvent::MemberSuspended { member_id, reason } => Told::of("member", member_id.0)
            .because(reason.as_ref())
            .changed(json!({ "suspended": true })),
        OrganizationEvent::MemberReinstated { member_id } => {
            Told::of("member", member_id.0).changed(json!({ "suspended": false }))
        }
        OrganizationEvent::MemberRemoved { member_id, reason } => {
            Told::of("member", member_id.0).because(reason.as_ref()).ended()
        }
        OrganizationEvent::RoleDefined { role_id, name, permissions } => {
            Told::of("role", role_id.0).began(json!({ "name": name, "permissions": permissions }))
        }
        OrganizationEvent::RoleUpdated { role_id, name, permissions } => {
            Told::of("role", role_id.0)
                .changed_where_said(json!({ "name": name, "permissions": permissions }))
        }
        OrganizationEvent::RoleRemoved { role_id } => Told::of("role", role_id.0).ended(),
        OrganizationEvent::RoleGranted { role_id, grantee, project_id } => {
            grant(*role_id, *grantee, *project_id).began(json!({
                "role_id": role_id, "grantee": grantee, "project_id": project_id,
            }))
        }
        OrganizationEvent::RoleWithdrawn { role_id, grantee, project_id } => {
            grant(*role_id, *grantee, *project_id).ended()
        }
        OrganizationEvent::GroupCreated { group_id, name, role } => {
            Told::of("group", group_id.0).began(json!({ "name": name, "role": role }))
        }
        OrganizationEvent::GroupRenamed { group_id, name } => {
            Told::of("group", group_id.0).changed(json!({ "name": name }))
        }
        OrganizationEvent::GroupRoleChanged { group_id, role, previous_role: _ } => {
            Told::of("group", group_id.0).changed(json!({ "role": role }))
        }
        OrganizationEvent::GroupRemoved { group_id } => Told::of("group", group_id.0).ended(),
        OrganizationEvent::GroupMemberAdded { group_id, member_id } => {
            group_member(*group_id, *member_id)
                .began(json!({ "group_id": group_id, "member_id": member_id }))
        }
        OrganizationEvent::GroupMemberRemoved { group_id, member_id } => {
            group_member(*group_id, *member_id).ended()
        }
        OrganizationEvent::BreakGlassRequested { break_glass_id, operator, reason, minutes } => {
            Told::of("break_glass", break_glass_id.0).because(Some(reason)).began(json!({
                "operator": operator, "minutes": minutes, "state": "requested",
            }))
        }
        OrganizationEvent::BreakGlassApproved { break_glass_id, expires_at } => {
            Told::of("break_glass", break_glass_id.0)
                .changed(json!({ "state": "open", "expires_at": expires_at }))
        }
        OrganizationEvent::BreakGlassTookIn { break_glass_id, member_id } => {
            Told::of("break_glass", break_glass_id.0).about(member_id.0)
        }
        OrganizationEvent::BreakGlassInvited { break_glass_id, invite_id } => {
            Told::of("break_glass", break_glass_id.0).about(invite_id.0)
        }
        OrganizationEvent::InviteTokenShared { invite_id, shown_to } => shown_to
            .iter()
            .fold(Told::of("invite", invite_id.0), |told, member_id| told.about(member_id.0)),
        OrganizationEvent::BreakGlassDeclined { break_glass_id, reason } => {
            now("break_glass", break_glass_id.0, "declined").because(reason.as_ref())
        }
        OrganizationEvent::BreakGlassEnded { break_glass_id } => {
            now("break_glass", break_glass_id.0, "ended")
        }
        OrganizationEvent::BreakGlassReviewed { break_glass_id, note } => {
            now("break_glass", break_glass_id.0, "reviewed").because(Some(note))
        }
    }
}

/// It is in another state.
fn now(kind: &'static str, id: Uuid, state: &str) -> Told {
    Told::of(kind, id).changed(json!({ "state": state }))
}

fn grant(role_id: RoleId, grantee: Grantee, project_id: Option<ProjectId>) -> Told {
    let project_id = project_id.map(|id| id.0);
    let holder = match grantee {
        Grantee::Member { member_id } => member_id.0,
        Grantee::Group { group_id } => group_id.0,
    };
    Told::between("role_grant", holder, &[Some(role_id.0), project_id]).in_project(project_id)
}

fn group_member(group_id: GroupId, member_id: MemberId) -> Told {
    Told::between("group_member", member_id.0, &[Some(group_id.0)])
}
