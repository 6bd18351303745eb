//! What everybody may do, found out anew from groups and grants without any index; and that no
//! command gives anybody what its actor does not have.

use std::collections::{BTreeMap, BTreeSet};

use event_schemas::permission::is_of_projects;
use event_schemas::{PermissionSet, ProjectId};

use super::*;
use crate::organization::Roster;
use crate::organization::custom_roles::RoleGrant;
use crate::organization::roster::Member;

/// What a member has, suspended or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Has {
    pub(super) rank: u8,
    organization: PermissionSet,
    projects: BTreeMap<ProjectId, PermissionSet>,
}

/// What a member has, by a look at every group.
pub(super) fn has(roster: &Roster, member: &Member) -> Has {
    let mut all = Has { rank: member.role.rank(), ..Has::default() };
    all.organization = member.role.permissions();
    let mut grants: Vec<RoleGrant> = member.custom_roles.iter().copied().collect();
    for group in roster.groups.values() {
        if !group.members.contains(&member.member_id) {
            continue;
        }
        if let Some(role) = group.role {
            all.rank = all.rank.max(role.rank());
            all.organization = all.organization.union(role.permissions());
        }
        grants.extend(&group.custom_roles);
    }
    for RoleGrant { role_id, project_id } in grants {
        let permissions = roster.custom_roles[&role_id].permissions;
        match project_id {
            None => all.organization = all.organization.union(permissions),
            Some(project_id) => {
                let within = all.projects.entry(project_id).or_default();
                *within =
                    within.union(permissions.intersection(PermissionSet::that(is_of_projects)));
            }
        }
    }
    all
}

fn everybody(organization: &Organization) -> BTreeMap<MemberId, Has> {
    let Some(roster) = open(organization) else { return BTreeMap::new() };
    roster.members().map(|member| (member.member_id, has(roster, member))).collect()
}

/// That indexes and the answer of `access_of` are what a look at everything gives.
pub(super) fn assert_indexes(organization: &Organization) {
    let Some(roster) = open(organization) else { return };
    for member in roster.members() {
        let groups: BTreeSet<_> = roster
            .groups
            .iter()
            .filter(|(_, group)| group.members.contains(&member.member_id))
            .map(|(group_id, _)| *group_id)
            .collect();
        assert_eq!(member.groups, groups, "the groups of {}", member.login);
        let access = organization.access_of(member.member_id);
        assert_eq!(access.is_none(), member.suspended, "{}", member.login);
        if let Some(access) = access {
            let told = Has {
                rank: access.rank,
                organization: access.organization,
                projects: access.projects,
            };
            assert_eq!(told, has(roster, member), "{}", member.login);
        }
    }
    for group in roster.groups.values() {
        assert_ne!(group.role, Some(Role::Owner), "a group makes owners");
        assert_eq!(roster.group_names.len(), roster.groups.len());
        assert!(roster.group_names.contains_key(&group.name.to_lowercase()));
    }
    assert_eq!(roster.role_names.len(), roster.custom_roles.len());
    for role in roster.custom_roles.values() {
        assert!(roster.role_names.contains_key(&role.name.to_lowercase()));
    }
}

/// That who has gone stands nowhere but in the list of those who have gone.
pub(super) fn assert_former_members_are_nowhere(organization: &Organization, history: &[Was]) {
    let Some(roster) = open(organization) else { return };
    let mut written = serde_json::to_value(roster).expect("it is written");
    // Whose keys may be destroyed is known for good; it gives nobody anything.
    for remembered in ["former_members", "persons"] {
        written.as_object_mut().expect("an object").remove(remembered);
    }
    let written = written.to_string();
    for event in history {
        if let Was::MemberRemoved { member_id, .. } = event {
            assert!(!written.contains(&member_id.to_string()), "{member_id} in {written}");
        }
    }
}

/// The built-in role that an event gives, or offers, to anybody.
fn role_given(before: &Organization, event: &Was) -> Option<Role> {
    match event {
        Was::InviteSent { role, .. }
        | Was::MemberAdded { role, .. }
        | Was::MemberRoleChanged { role, .. } => Some(*role),
        Was::InviteResent { invite_id, .. } => before.invite(*invite_id).map(|invite| invite.role),
        Was::GroupCreated { role, .. } | Was::GroupRoleChanged { role, .. } => *role,
        Was::GroupMemberAdded { group_id, .. } => open(before)?.groups[group_id].role,
        Was::Created { .. }
        | Was::Updated { .. }
        | Was::SettingsChanged { .. }
        | Was::SecurityChanged { .. }
        | Was::Archived {}
        | Was::InviteAccepted { .. }
        | Was::InviteRevoked { .. }
        | Was::InviteExpired { .. }
        | Was::MemberRenamed { .. }
        | Was::MemberSuspended { .. }
        | Was::MemberReinstated { .. }
        | Was::MemberRemoved { .. }
        | Was::RoleDefined { .. }
        | Was::RoleUpdated { .. }
        | Was::RoleRemoved { .. }
        | Was::RoleGranted { .. }
        | Was::RoleWithdrawn { .. }
        | Was::GroupRenamed { .. }
        | Was::GroupRemoved { .. }
        | Was::GroupMemberRemoved { .. }
        | Was::BreakGlassRequested { .. }
        | Was::BreakGlassApproved { .. }
        | Was::BreakGlassDeclined { .. }
        | Was::BreakGlassEnded { .. }
        | Was::BreakGlassTookIn { .. }
        | Was::BreakGlassInvited { .. }
        | Was::InviteTokenShared { .. }
        | Was::BreakGlassReviewed { .. } => None,
    }
}

/// That nobody came to more by their own command, and nobody else to what the one who asked does not
/// have; but for a built-in role of no higher rank, given with all that the one who asked has.
pub(super) fn assert_nobody_gained(
    before: &Organization,
    after: &Organization,
    by: Authority,
    events: &[Was],
) {
    let (was, is) = (everybody(before), everybody(after));
    let asker = by.member_id().expect("a member asks");
    let own = &was[&asker];
    let scopes = match by {
        Authority::ApiKey { scopes, .. } => scopes,
        Authority::Operator
        | Authority::Member(_)
        | Authority::Invited(_)
        | Authority::System
        | Authority::Nobody => None,
    };
    if let Some(now) = is.get(&asker) {
        assert!(now.rank <= own.rank, "the actor's rank grew by {events:?}");
        assert!(own.organization.covers(now.organization), "the actor gained by {events:?}");
        for (project_id, within) in &now.projects {
            let had = own.projects.get(project_id).copied().unwrap_or_default();
            assert!(own.organization.union(had).covers(*within), "the actor gained by {events:?}");
        }
    }
    let mut may_give =
        scopes.map_or(own.organization, |scopes| own.organization.intersection(scopes));
    for role in events.iter().filter_map(|event| role_given(before, event)) {
        assert!(role.rank() <= own.rank, "{role} given by {events:?}");
        if own.rank > 0 && scopes.is_none() {
            may_give = may_give.union(role.permissions());
        } else {
            assert!(may_give.covers(role.permissions()), "{role} offered by {events:?}");
        }
    }
    let nothing = Has::default();
    for (member_id, now) in &is {
        let had = was.get(member_id).unwrap_or(&nothing);
        let gained = now.organization.without(had.organization);
        assert!(may_give.covers(gained), "{member_id} gained {gained:?} by {events:?}");
        for (project_id, within) in &now.projects {
            let before = had.projects.get(project_id).copied().unwrap_or_default();
            let gained = within.without(before).without(had.organization);
            assert!(may_give.covers(gained), "{member_id} gained {gained:?} by {events:?}");
        }
    }
}
