//! Ownership, handed on and kept.

use event_schemas::{KeyOwner, Permission};

use super::*;

fn transfer(by: Authority, member_id: MemberId) -> Ask {
    Ask::TransferOwnership { by, member_id }
}

fn changed(member_id: MemberId, previous_role: Role, role: Role) -> Was {
    Was::MemberRoleChanged { member_id, role, previous_role }
}

#[test]
fn an_owner_hands_ownership_on_and_becomes_an_admin() {
    let steps_down = || changed(ada(), Role::Owner, Role::Admin);
    let heir = changed(cyd(), Role::Member, Role::Owner);
    check(&staffed(), transfer(by(ada()), cyd()), Ok(vec![heir, steps_down()]));
    check(&staffed(), transfer(by(ada()), ada()), Ok(vec![]));
    check(&staffed(), transfer(by(ada()), dan()), Err(Refused::MemberNotFound(dan())));
    let two = with(staffed(), [changed(ben(), Role::Admin, Role::Owner)]);
    check(&two, transfer(by(ada()), ben()), Ok(vec![steps_down()]));
    let away = with(staffed(), [suspended(ben())]);
    check(&away, transfer(by(ada()), ben()), Err(Refused::MemberSuspended(ben())));
}

#[test]
fn only_an_owner_hands_ownership_on() {
    for who in [by(ben()), OPERATOR, Authority::System] {
        check(&staffed(), transfer(who, cyd()), Err(Refused::NotAnOwner));
    }
    check(&staffed(), transfer(by(cyd()), cyd()), Err(Refused::NotAllowed(cyd())));
    check(&staffed(), transfer(Authority::Nobody, cyd()), Err(Refused::NotFound));
    let out = with(staffed(), [changed(ben(), Role::Admin, Role::Owner), suspended(ada())]);
    check(&out, transfer(by(ada()), cyd()), Err(Refused::MemberSuspended(ada())));
}

#[test]
fn a_limited_key_of_an_owner_makes_no_owners_and_does_not_leave() {
    let owner = KeyOwner::Member { member_id: ada() };
    let scopes = [Permission::MembersUpdate, Permission::MembersInvite].into_iter().collect();
    let key = Authority::ApiKey { owner, project_id: None, scopes: Some(scopes), rank_max: None };
    let above = || Err(Refused::PermissionAboveOwn(Permission::OrganizationRead));
    check(&staffed(), transfer(key, cyd()), above());
    let promote = Ask::ChangeMemberRole { by: key, member_id: cyd(), role: Role::Owner };
    check(&staffed(), promote, above());
    let leave = |by, member_id| Ask::RemoveMember { by, member_id, reason: None };
    let two = with(staffed(), [changed(ben(), Role::Admin, Role::Owner)]);
    check(&two, leave(key, ada()), Err(Refused::NotAllowed(ada())));
    let of_project =
        Authority::ApiKey { owner, project_id: Some(id(7)), scopes: None, rank_max: None };
    check(&two, leave(of_project, ada()), Err(Refused::NotFound));
    let whole = Authority::ApiKey { owner, project_id: None, scopes: None, rank_max: None };
    check(&two, leave(whole, ada()), Ok(vec![removed(ada())]));
}

#[test]
fn leaving_takes_back_what_one_has_offered() {
    let offered = |number, email: &str, by_whom| {
        let mut was = sent(number, email, 9);
        if let Was::InviteSent { invited_by, .. } = &mut was {
            *invited_by = Some(by_whom);
        }
        was
    };
    let given = with(
        staffed(),
        [offered(1, "a@x", ben()), offered(2, "b@x", ada()), offered(3, "c@x", ben())],
    );
    let revoked = |number| Was::InviteRevoked { invite_id: invite(number) };
    let ended = vec![revoked(1), revoked(3), removed(ben())];
    for who in [by(ben()), by(ada()), OPERATOR] {
        let remove = Ask::RemoveMember { by: who, member_id: ben(), reason: None };
        check(&given, remove, Ok(ended.clone()));
    }
}
