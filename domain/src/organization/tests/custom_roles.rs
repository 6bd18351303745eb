//! Custom roles: who may define and grant what, and what they add up to.

use event_schemas::{Grantee, Permission, PermissionSet, ProjectId};

use super::*;
use crate::organization::RoleCommand;
use crate::text::TextError;

fn set(permissions: &[Permission]) -> PermissionSet {
    permissions.iter().copied().collect()
}

fn inviter() -> PermissionSet {
    set(&[Permission::MembersInvite, Permission::UsageRead])
}

fn defined(number: u128, name: &str, permissions: PermissionSet) -> Was {
    Was::RoleDefined { role_id: custom(number), name: name.to_owned(), permissions }
}

fn define(by: Authority, number: u128, name: &str, permissions: PermissionSet) -> Ask {
    let command =
        RoleCommand::Define { role_id: custom(number), name: name.to_owned(), permissions };
    Ask::Role { by, command }
}

fn update(by: Authority, name: Option<&str>, permissions: Option<PermissionSet>) -> Ask {
    let name = name.map(str::to_owned);
    Ask::Role { by, command: RoleCommand::Update { role_id: custom(1), name, permissions } }
}

fn remove(by: Authority, number: u128) -> Ask {
    Ask::Role { by, command: RoleCommand::Remove { role_id: custom(number) } }
}

fn to(member_id: MemberId) -> Grantee {
    Grantee::Member { member_id }
}

fn grant(by: Authority, grantee: Grantee, project_id: Option<ProjectId>) -> Ask {
    Ask::Role { by, command: RoleCommand::Grant { role_id: custom(1), grantee, project_id } }
}

fn withdraw(by: Authority, grantee: Grantee) -> Ask {
    let command = RoleCommand::Withdraw { role_id: custom(1), grantee, project_id: None };
    Ask::Role { by, command }
}

fn granted(grantee: Grantee, project_id: Option<ProjectId>) -> Was {
    Was::RoleGranted { role_id: custom(1), grantee, project_id }
}

fn withdrawn(grantee: Grantee) -> Was {
    Was::RoleWithdrawn { role_id: custom(1), grantee, project_id: None }
}

fn with_role(permissions: PermissionSet) -> Vec<Was> {
    with(staffed(), [defined(1, "Inviter", permissions)])
}

fn allowed(events: &[Was], member_id: MemberId) -> PermissionSet {
    organization(events).access_of(member_id).unwrap().organization
}

#[test]
fn a_role_is_defined_with_a_name_of_its_own() {
    let asked = || define(by(ben()), 1, " Inviter ", inviter());
    check(&staffed(), asked(), Ok(vec![defined(1, "Inviter", inviter())]));
    let given = with_role(inviter());
    let taken = Refused::RoleNameTaken("INVITER".to_owned());
    check(&given, define(by(ben()), 2, "INVITER", inviter()), Err(taken));
    let empty = Refused::Text(TextError::Empty { what: "name" });
    check(&staffed(), define(by(ben()), 1, " ", inviter()), Err(empty));
    let nothing = define(by(ada()), 1, "Nothing", PermissionSet::NONE);
    check(&staffed(), nothing, Err(Refused::RoleWithoutPermissions));
    check(&archived(), asked(), Err(Refused::Archived));
}

#[test]
fn what_decides_over_access_is_in_no_custom_role() {
    for permission in [
        Permission::SecurityUpdate,
        Permission::OrganizationArchive,
        Permission::RolesUpdate,
        Permission::GroupsUpdate,
        Permission::ApprovalsDecide,
        Permission::BreakGlassDecide,
        Permission::PersonalDataErase,
    ] {
        let refused = || Err(Refused::NotOfCustomRoles(permission));
        check(&staffed(), define(by(ada()), 1, "All", set(&[permission])), refused());
        let given = with_role(inviter());
        check(&given, update(OPERATOR, None, Some(set(&[permission]))), refused());
    }
}

#[test]
fn nobody_gives_or_takes_permissions_that_they_do_not_have() {
    let credits = set(&[Permission::CreditsUpdate]);
    let above = || Err(Refused::PermissionAboveOwn(Permission::CreditsUpdate));
    check(&staffed(), define(by(ben()), 1, "Buyer", credits), above());
    check(
        &staffed(),
        define(by(ada()), 1, "Buyer", credits),
        Ok(vec![defined(1, "Buyer", credits)]),
    );
    let given = with_role(credits);
    for asked in [
        grant(by(ben()), to(ben()), None),
        grant(by(ben()), to(cyd()), None),
        withdraw(by(ben()), to(cyd())),
        update(by(ben()), Some("Mine"), None),
        update(by(ben()), None, Some(inviter())),
        remove(by(ben()), 1),
    ] {
        check(&given, asked, above());
    }
    check(&with_role(inviter()), update(by(ben()), None, Some(credits)), above());
    check(&given, grant(by(ada()), to(ben()), None), Ok(vec![granted(to(ben()), None)]));
    // Who was granted it has it, and still may not pass it on without defining roles.
    let cyd_has = with(given, [granted(to(cyd()), None)]);
    check(&cyd_has, grant(by(cyd()), to(dan()), None), Err(Refused::NotAllowed(cyd())));
}

#[test]
fn a_key_limited_to_scopes_gives_no_more_than_those() {
    let owner = event_schemas::KeyOwner::Member { member_id: ada() };
    let key = |scopes: &[Permission]| {
        let scopes = Some(set(scopes));
        Authority::ApiKey { owner, project_id: None, scopes, rank_max: None }
    };
    let narrow = key(&[Permission::RolesUpdate, Permission::UsageRead]);
    let above = Refused::PermissionAboveOwn(Permission::MembersInvite);
    check(&staffed(), define(narrow, 1, "Inviter", inviter()), Err(above));
    let reader = set(&[Permission::UsageRead]);
    check(&staffed(), define(narrow, 1, "Reader", reader), Ok(vec![defined(1, "Reader", reader)]));
    let without = key(&[Permission::UsageRead]);
    check(&staffed(), define(without, 1, "Reader", reader), Err(Refused::NotAllowed(ada())));
    let of_project =
        Authority::ApiKey { owner, project_id: Some(id(7)), scopes: None, rank_max: None };
    check(&staffed(), define(of_project, 1, "Reader", reader), Err(Refused::NotFound));
}

#[test]
fn an_update_says_only_what_differs() {
    let given = with_role(inviter());
    let updated = |name: Option<&str>, permissions| {
        let name = name.map(str::to_owned);
        Ok(vec![Was::RoleUpdated { role_id: custom(1), name, permissions }])
    };
    let reader = set(&[Permission::UsageRead]);
    check(
        &given,
        update(by(ben()), Some("INVITER"), Some(inviter())),
        updated(Some("INVITER"), None),
    );
    check(&given, update(by(ben()), Some(" Inviter"), Some(reader)), updated(None, Some(reader)));
    check(&given, update(by(ben()), None, Some(inviter())), Ok(vec![]));
    check(&staffed(), update(by(ben()), None, Some(reader)), Err(Refused::RoleNotFound(custom(1))));
    let given = with(given, [defined(2, "Second", reader)]);
    let taken = Refused::RoleNameTaken("second".to_owned());
    check(&given, update(by(ben()), Some("second"), None), Err(taken));
}

#[test]
fn a_role_is_granted_and_withdrawn() {
    let given = with_role(inviter());
    check(&given, grant(by(ben()), to(cyd()), None), Ok(vec![granted(to(cyd()), None)]));
    check(&given, grant(by(ben()), to(dan()), None), Err(Refused::MemberNotFound(dan())));
    let nowhere = Grantee::Group { group_id: group(1) };
    check(&given, grant(by(ben()), nowhere, None), Err(Refused::GroupNotFound(group(1))));
    check(&given, withdraw(by(ben()), to(cyd())), Ok(vec![]));
    let has = with(given, [granted(to(cyd()), None)]);
    check(&has, grant(by(ben()), to(cyd()), None), Ok(vec![]));
    check(&has, withdraw(by(ben()), to(cyd())), Ok(vec![withdrawn(to(cyd()))]));
    assert!(allowed(&has, cyd()).covers(inviter()));
    assert!(!allowed(&with(has.clone(), [withdrawn(to(cyd()))]), cyd()).covers(inviter()));
    let gone = with(has, [Was::RoleRemoved { role_id: custom(1) }]);
    assert!(!allowed(&gone, cyd()).covers(inviter()));
    check(&gone, remove(by(ben()), 1), Err(Refused::RoleNotFound(custom(1))));
    // Its name is free again, and a new role is not what was granted.
    let again = with(gone, [defined(1, "Inviter", inviter())]);
    assert!(!allowed(&again, cyd()).covers(inviter()));
}

#[test]
fn within_a_project_a_role_allows_what_belongs_to_projects() {
    let invites = set(&[Permission::MembersInvite]);
    let refused = Refused::RoleNotOfProjects(custom(1));
    check(&with_role(invites), grant(by(ben()), to(cyd()), Some(id(7))), Err(refused));
    let given = with_role(inviter());
    let in_seven = granted(to(cyd()), Some(id(7)));
    check(&given, grant(by(ben()), to(cyd()), Some(id(7))), Ok(vec![in_seven.clone()]));
    let access = organization(&with(given, [in_seven])).access_of(cyd()).unwrap();
    assert!(!access.organization.contains(Permission::UsageRead));
    assert_eq!(access.projects[&id(7)], set(&[Permission::UsageRead]), "and no invites");
}

#[test]
fn a_custom_role_lets_its_holder_act_up_to_what_they_have() {
    let manager =
        set(&[Permission::MembersUpdate, Permission::MembersInvite, Permission::MembersRemove]);
    let given =
        with(with_role(manager), [granted(to(cyd()), None), added(dan(), "Dan", Role::Reader)]);
    let to_role = |member_id, role| Ask::ChangeMemberRole { by: by(cyd()), member_id, role };
    // A reader sees more than a member with this role.
    check(&given, to_role(dan(), Role::Member), Err(Refused::MemberAboveOwn(dan())));
    check(&given, to_role(cyd(), Role::Reader), Err(Refused::RoleAboveOwn(Role::Reader)));
    check(&given, to_role(cyd(), Role::Admin), Err(Refused::RoleAboveOwn(Role::Admin)));
    check(&given, to_role(ben(), Role::Member), Err(Refused::MemberAboveOwn(ben())));
    let eve = id(5);
    let given = with(given, [added(eve, "Eve", Role::Member)]);
    let suspend = Ask::SuspendMember { by: by(cyd()), member_id: eve, reason: None };
    check(&given, suspend, Ok(vec![suspended(eve)]));
}
