//! What a scope looks at, of what the roster knows; and whether it is held still.

use event_schemas::{Permission, ProjectId};

use super::*;

fn project() -> ProjectId {
    id(9)
}

/// Acme as before; the group makes admins, and has a custom role within a project; Bob has one
/// everywhere.
fn history() -> Vec<OrganizationEvent> {
    let usage: PermissionSet = [Permission::UsageRead].into_iter().collect();
    let role_id = id(8);
    vec![
        OrganizationEvent::Created {
            organization_id: acme(),
            name: "Acme".to_owned(),
            seat_limit: None,
        },
        added(ada(), OrganizationRole::Owner),
        added(bob(), OrganizationRole::Member),
        OrganizationEvent::GroupCreated {
            group_id: ops(),
            name: "Ops".to_owned(),
            role: Some(OrganizationRole::Admin),
        },
        OrganizationEvent::GroupMemberAdded { group_id: ops(), member_id: bob() },
        OrganizationEvent::RoleDefined { role_id, name: "Usage".to_owned(), permissions: usage },
        OrganizationEvent::RoleGranted {
            role_id,
            grantee: Grantee::Member { member_id: bob() },
            project_id: None,
        },
        OrganizationEvent::RoleGranted {
            role_id,
            grantee: Grantee::Group { group_id: ops() },
            project_id: Some(project()),
        },
    ]
}

fn ada_owns() -> HeldAccess {
    HeldAccess::MemberRole { member_id: ada(), role: OrganizationRole::Owner }
}

fn bob_is_in() -> HeldAccess {
    HeldAccess::MemberRole { member_id: bob(), role: OrganizationRole::Member }
}

fn bob_in_ops() -> HeldAccess {
    let role = Some(OrganizationRole::Admin);
    HeldAccess::GroupMembership { group_id: ops(), member_id: bob(), role }
}

fn granted(grantee: Grantee, project_id: Option<ProjectId>) -> HeldAccess {
    let permissions = [Permission::UsageRead].into_iter().collect();
    HeldAccess::RoleGrant { role_id: id(8), grantee, project_id, permissions }
}

#[test]
fn a_scope_looks_at_what_it_says() {
    let organization = folded::<Organization>(&history());
    let bobs = granted(Grantee::Member { member_id: bob() }, None);
    let groups = granted(Grantee::Group { group_id: ops() }, Some(project()));
    let check = |scope: ReviewScope, expected: &[HeldAccess]| {
        assert_eq!(organization.held(scope), expected, "{scope:?}");
    };
    check(ReviewScope::Organization {}, &[ada_owns(), bob_is_in(), bob_in_ops(), bobs, groups]);
    check(ReviewScope::Members {}, &[ada_owns(), bob_is_in()]);
    check(ReviewScope::Admins {}, &[ada_owns(), bob_in_ops()]);
    check(ReviewScope::GroupMemberships {}, &[bob_in_ops()]);
    check(ReviewScope::RoleGrants {}, &[bobs, groups]);
    check(ReviewScope::Project { project_id: project() }, &[groups]);
    check(ReviewScope::Project { project_id: id(10) }, &[]);
    check(ReviewScope::ProjectRoles {}, &[]);
    check(ReviewScope::ApiKeys {}, &[]);
}

#[test]
fn what_has_ended_is_held_no_more() {
    let bob_himself = Grantee::Member { member_id: bob() };
    let the_group = Grantee::Group { group_id: ops() };
    let in_project = |holder| HeldAccess::ProjectRole {
        project_id: project(),
        holder,
        role: ProjectRole::Member,
    };
    let bobs_key = HeldAccess::ApiKey {
        api_key_id: id(30),
        owner: KeyOwner::Member { member_id: bob() },
        project_id: None,
        scopes: None,
    };
    let all = [
        bob_is_in(),
        bob_in_ops(),
        granted(bob_himself, None),
        granted(the_group, Some(project())),
        in_project(bob_himself),
        in_project(the_group),
        bobs_key,
    ];
    let check = |end: Option<OrganizationEvent>, expected: [bool; 7]| {
        let happened: Vec<_> = history().into_iter().chain(end.clone()).collect();
        let organization = folded::<Organization>(&happened);
        assert_eq!(all.map(|held| organization.still_holds(&held)), expected, "{end:?}");
    };
    let (group_id, member_id, role_id) = (ops(), bob(), id(8));
    check(None, [true; 7]);
    let removed = OrganizationEvent::MemberRemoved { member_id, reason: None };
    check(Some(removed), [false, false, false, true, false, true, false]);
    let left = OrganizationEvent::GroupMemberRemoved { group_id, member_id };
    check(Some(left), [true, false, true, true, true, true, true]);
    let disbanded = OrganizationEvent::GroupRemoved { group_id };
    check(Some(disbanded), [true, false, true, false, true, false, true]);
    let withdrawn =
        OrganizationEvent::RoleWithdrawn { role_id, grantee: bob_himself, project_id: None };
    check(Some(withdrawn), [true, true, false, true, true, true, true]);
    let gone = OrganizationEvent::RoleRemoved { role_id };
    check(Some(gone), [true, true, false, false, true, true, true]);
    check(Some(OrganizationEvent::Archived {}), [false; 7]);
}
