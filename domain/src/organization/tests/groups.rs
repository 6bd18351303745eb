//! Groups: who may fill them, and what being in one gives.

use event_schemas::{Grantee, KeyOwner, Permission, PermissionSet};

use super::*;
use crate::organization::GroupCommand;

fn asks(by: Authority, command: GroupCommand) -> Ask {
    Ask::Group { by, command }
}

fn create(by: Authority, number: u128, name: &str, role: Option<Role>) -> Ask {
    asks(by, GroupCommand::Create { group_id: group(number), name: name.to_owned(), role })
}

fn rename(by: Authority, number: u128, name: &str) -> Ask {
    asks(by, GroupCommand::Rename { group_id: group(number), name: name.to_owned() })
}

fn change(by: Authority, role: Option<Role>) -> Ask {
    asks(by, GroupCommand::ChangeRole { group_id: group(1), role })
}

fn remove(by: Authority, number: u128) -> Ask {
    asks(by, GroupCommand::Remove { group_id: group(number) })
}

fn put(by: Authority, member_id: MemberId) -> Ask {
    asks(by, GroupCommand::AddMember { group_id: group(1), member_id })
}

fn take(by: Authority, member_id: MemberId) -> Ask {
    asks(by, GroupCommand::RemoveMember { group_id: group(1), member_id })
}

fn made(number: u128, name: &str, role: Option<Role>) -> Was {
    Was::GroupCreated { group_id: group(number), name: name.to_owned(), role }
}

fn changed(role: Option<Role>, previous_role: Option<Role>) -> Was {
    Was::GroupRoleChanged { group_id: group(1), role, previous_role }
}

fn gone(number: u128) -> Was {
    Was::GroupRemoved { group_id: group(number) }
}

fn is_in(member_id: MemberId) -> Was {
    Was::GroupMemberAdded { group_id: group(1), member_id }
}

fn is_out(member_id: MemberId) -> Was {
    Was::GroupMemberRemoved { group_id: group(1), member_id }
}

fn with_group(role: Option<Role>) -> Vec<Was> {
    with(staffed(), [made(1, "Finance", role)])
}

/// A group that may buy, by a custom role that only an owner can grant.
fn buyers() -> Vec<Was> {
    let permissions = [Permission::CreditsUpdate].into_iter().collect();
    let grantee = Grantee::Group { group_id: group(1) };
    let more = [
        Was::RoleDefined { role_id: custom(1), name: "Buyer".to_owned(), permissions },
        Was::RoleGranted { role_id: custom(1), grantee, project_id: None },
    ];
    with(with_group(None), more)
}

fn allowed(events: &[Was], member_id: MemberId) -> PermissionSet {
    organization(events).access_of(member_id).unwrap().organization
}

#[test]
fn a_group_is_made_with_a_name_of_its_own() {
    check(&staffed(), create(by(ben()), 1, " Finance ", None), Ok(vec![made(1, "Finance", None)]));
    let given = with_group(None);
    let taken = Refused::GroupNameTaken("FINANCE".to_owned());
    check(&given, create(by(ben()), 2, "FINANCE", None), Err(taken));
    check(&given, create(by(ben()), 1, "Other", None), Err(Refused::GroupIdTaken(group(1))));
    check(&staffed(), create(by(cyd()), 1, "Mine", None), Err(Refused::NotAllowed(cyd())));
    let owners = || Err(Refused::OwnersAreNotInherited);
    check(&staffed(), create(OPERATOR, 1, "Owners", Some(Role::Owner)), owners());
    check(&given, change(by(ada()), Some(Role::Owner)), owners());
}

#[test]
fn a_removed_groups_id_and_rights_do_not_come_back() {
    let given = with(with_group(Some(Role::Admin)), [is_in(cyd()), gone(1)]);
    assert!(!allowed(&given, cyd()).contains(Permission::MembersRead));
    check(&given, create(by(ben()), 1, "Finance", None), Err(Refused::GroupIdTaken(group(1))));
    check(&given, create(by(ben()), 2, "Finance", None), Ok(vec![made(2, "Finance", None)]));
    check(&given, put(by(ben()), cyd()), Err(Refused::GroupNotFound(group(1))));
    check(&given, remove(by(ben()), 1), Err(Refused::GroupNotFound(group(1))));
}

#[test]
fn a_group_is_renamed() {
    let given = with(with_group(None), [made(2, "Legal", None)]);
    let renamed = Was::GroupRenamed { group_id: group(1), name: "FINANCE".to_owned() };
    check(&given, rename(by(ben()), 1, "FINANCE"), Ok(vec![renamed]));
    check(&given, rename(by(ben()), 1, " Finance"), Ok(vec![]));
    check(&given, rename(by(ben()), 1, "legal"), Err(Refused::GroupNameTaken("legal".to_owned())));
    check(&given, rename(by(ben()), 3, "New"), Err(Refused::GroupNotFound(group(3))));
}

#[test]
fn members_inherit_while_they_are_in() {
    let given = with_group(Some(Role::Billing));
    check(&given, put(by(ada()), cyd()), Ok(vec![is_in(cyd())]));
    let above = Refused::PermissionAboveOwn(Permission::CreditsUpdate);
    check(&given, put(by(ben()), cyd()), Err(above));
    check(&given, put(by(ada()), dan()), Err(Refused::MemberNotFound(dan())));
    check(&given, take(by(ben()), cyd()), Ok(vec![]));
    let inside = with(given, [is_in(cyd())]);
    check(&inside, put(by(ada()), cyd()), Ok(vec![]));
    check(&inside, take(by(ben()), cyd()), Ok(vec![is_out(cyd())]));
    assert!(allowed(&inside, cyd()).contains(Permission::CreditsUpdate));
    let reads = with(inside.clone(), [changed(Some(Role::Reader), Some(Role::Billing))]);
    assert!(!allowed(&reads, cyd()).contains(Permission::CreditsUpdate));
    assert!(allowed(&reads, cyd()).contains(Permission::MembersRead));
    for end in [is_out(cyd()), gone(1)] {
        assert_eq!(allowed(&with(inside.clone(), [end]), cyd()), Role::Member.permissions());
    }
    let suspended = organization(&with(inside, [suspended(cyd())]));
    assert_eq!(suspended.access_of(cyd()), None);
}

#[test]
fn an_inherited_role_gives_its_rank() {
    let given = with(with_group(Some(Role::Admin)), [is_in(cyd())]);
    assert_eq!(organization(&given).access_of(cyd()).unwrap().rank, Role::Admin.rank());
    check(&given, put(by(cyd()), ben()), Ok(vec![is_in(ben())]));
    // Who is an admin by a group is not below one who is by themselves, and not above an owner.
    let demote = |member_id| Ask::ChangeMemberRole { by: by(cyd()), member_id, role: Role::Member };
    let demoted =
        Was::MemberRoleChanged { member_id: ben(), role: Role::Member, previous_role: Role::Admin };
    check(&given, demote(ben()), Ok(vec![demoted]));
    check(&given, demote(ada()), Err(Refused::MemberAboveOwn(ada())));
    // Nor does being the admin of a group keep the last owner.
    let leave = Ask::RemoveMember { by: by(ada()), member_id: ada(), reason: None };
    check(&given, leave, Err(Refused::LastOwner));
}

#[test]
fn nobody_fills_a_group_that_may_do_more_than_they() {
    let above = || Err(Refused::PermissionAboveOwn(Permission::CreditsUpdate));
    for asked in [put(by(ben()), cyd()), put(by(ben()), ben()), take(by(ben()), cyd())] {
        check(&buyers(), asked, above());
    }
    check(&buyers(), remove(by(ben()), 1), above());
    check(&buyers(), change(by(ben()), Some(Role::Reader)), above());
    check(&buyers(), put(by(ada()), ben()), Ok(vec![is_in(ben())]));
}

#[test]
fn nobody_gives_themselves_by_a_group_what_they_do_not_have() {
    let above = || Err(Refused::PermissionAboveOwn(Permission::CreditsUpdate));
    check(&with_group(Some(Role::Billing)), put(by(ben()), ben()), above());
    check(&with_group(Some(Role::Billing)), put(by(ada()), ada()), Ok(vec![is_in(ada())]));
    let inside = with(with_group(None), [is_in(ben())]);
    check(&inside, change(by(ben()), Some(Role::Billing)), above());
    let to_reader = changed(Some(Role::Reader), None);
    check(&inside, change(by(ben()), Some(Role::Reader)), Ok(vec![to_reader]));
    let myself = Ask::ChangeMemberRole { by: by(ben()), member_id: ben(), role: Role::Billing };
    check(&staffed(), myself, above());
}

#[test]
fn a_limited_key_makes_no_admins_by_a_group() {
    let owner = KeyOwner::Member { member_id: ada() };
    let scopes = Some([Permission::GroupsUpdate].into_iter().collect());
    let key = Authority::ApiKey { owner, project_id: None, scopes, rank_max: None };
    let above = || Err(Refused::PermissionAboveOwn(Permission::OrganizationRead));
    check(&staffed(), create(key, 1, "Admins", Some(Role::Admin)), above());
    check(&with_group(Some(Role::Admin)), put(key, cyd()), above());
    check(&with_group(None), change(key, Some(Role::Admin)), above());
    check(&with_group(None), put(key, cyd()), Ok(vec![is_in(cyd())]));
    // Taking away gives nobody anything.
    let inside = with(with_group(Some(Role::Admin)), [is_in(cyd())]);
    check(&inside, take(key, cyd()), Ok(vec![is_out(cyd())]));
}

#[test]
fn who_leaves_is_in_no_group_any_more() {
    let given = with(with_group(Some(Role::Admin)), [is_in(cyd()), removed(cyd())]);
    check(&given, take(by(ben()), cyd()), Ok(vec![]));
    let back = with(given, [added(dan(), "Cyd", Role::Member)]);
    assert_eq!(allowed(&back, dan()), Role::Member.permissions());
}

#[test]
fn evidence_of_a_group_needs_one_of_an_open_organization() {
    let there = organization(&with_group(None)).existing_group(group(1)).unwrap();
    assert_eq!((there.group_id(), there.organization_id()), (group(1), acme()));
    let missing = organization(&staffed()).existing_group(group(1));
    assert_eq!(missing, Err(Refused::GroupNotFound(group(1))));
    let closed = organization(&with(with_group(None), [Was::Archived {}]));
    assert_eq!(closed.existing_group(group(1)), Err(Refused::Archived));
}
