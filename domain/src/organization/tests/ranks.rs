//! Who may ask for what: the same commands in the name of each rank.

use super::*;

fn on(member_id: MemberId) -> impl Fn(Authority) -> Vec<Ask> {
    move |by| {
        vec![
            Ask::RenameMember { by, member_id, login: "Else".to_owned() },
            Ask::ChangeMemberRole { by, member_id, role: Role::Reader },
            Ask::SuspendMember { by, member_id, reason: None },
            Ask::ReinstateMember { by, member_id },
            Ask::RemoveMember { by, member_id, reason: None },
        ]
    }
}

fn add(by: Authority, login: &str, role: Role) -> Ask {
    let (member_id, person_id) = (dan(), person(dan()));
    Ask::AddMember { by, member_id, person_id, login: login.to_owned(), email: None, role }
}

fn granting(by: Authority, role: Role) -> Vec<Ask> {
    vec![
        Ask::SendInvite {
            by,
            invite_id: invite(1),
            person_id: invitee(1),
            email: "dan@acme.example".to_owned(),
            role,
            projects: vec![],
            expires_at: at(1),
            token_hash: None,
            now: at(0),
        },
        add(by, "Dan", role),
        Ask::ChangeMemberRole { by, member_id: cyd(), role },
    ]
}

/// With a second owner, so that the last one is not what stands in the way.
fn two_owners() -> Vec<Was> {
    with(staffed(), [added(id(9), "Zoe", Role::Owner)])
}

#[track_caller]
fn refused(given: &[Was], asked: Vec<Ask>, reason: &Refused) {
    for command in asked {
        check(given, command, Err(reason.clone()));
    }
}

#[track_caller]
fn allowed(given: &[Was], asked: Vec<Ask>) {
    for command in asked {
        let shown = format!("{command:?}");
        assert!(crate::Decider::decide(&organization(given), command).is_ok(), "{shown}");
    }
}

#[test]
fn who_is_not_owner_or_admin_changes_nothing() {
    for role in [Role::Billing, Role::Member, Role::Reader, Role::Auditor] {
        let given = with(two_owners(), [added(dan(), "Dee", role)]);
        refused(&given, on(cyd())(by(dan())), &Refused::NotAllowed(dan()));
        refused(&given, granting(by(dan()), Role::Reader), &Refused::NotAllowed(dan()));
        let revoke = Ask::RevokeInvite { by: by(dan()), invite_id: invite(1) };
        refused(&given, vec![revoke], &Refused::NotAllowed(dan()));
    }
}

#[test]
fn a_stranger_and_a_suspended_admin_change_nothing() {
    refused(&two_owners(), on(cyd())(by(dan())), &Refused::NotAllowed(dan()));
    let given = with(two_owners(), [suspended(ben())]);
    refused(&given, on(cyd())(by(ben())), &Refused::MemberSuspended(ben()));
    refused(&given, on(ben())(by(ben())), &Refused::MemberSuspended(ben()));
    let gone = with(two_owners(), [removed(ben())]);
    refused(&gone, on(cyd())(by(ben())), &Refused::NotAllowed(ben()));
}

#[test]
fn nobody_grants_above_their_own_role() {
    refused(&two_owners(), granting(by(ben()), Role::Owner), &Refused::RoleAboveOwn(Role::Owner));
    allowed(&two_owners(), granting(by(ben()), Role::Admin));
    allowed(&two_owners(), granting(by(ada()), Role::Owner));
    for system in [Authority::Operator, Authority::System] {
        allowed(&two_owners(), granting(system, Role::Owner));
    }
    // Billing ranks below an admin, but may what no admin may.
    let credits = Refused::PermissionAboveOwn(event_schemas::Permission::CreditsUpdate);
    refused(&two_owners(), granting(by(ben()), Role::Billing), &credits);
    allowed(&two_owners(), granting(by(ada()), Role::Billing));
    let myself = Ask::ChangeMemberRole { by: by(ben()), member_id: ben(), role: Role::Owner };
    check(&two_owners(), myself, Err(Refused::RoleAboveOwn(Role::Owner)));
}

#[test]
fn nobody_touches_a_member_above_themselves() {
    refused(&two_owners(), on(ada())(by(ben())), &Refused::MemberAboveOwn(ada()));
    allowed(&two_owners(), on(cyd())(by(ben())));
    allowed(&two_owners(), on(ben())(by(ada())));
    allowed(&two_owners(), on(ada())(Authority::System));
    let demote = Ask::ChangeMemberRole { by: by(ben()), member_id: ada(), role: Role::Member };
    check(&two_owners(), demote, Err(Refused::MemberAboveOwn(ada())));
}

#[test]
fn an_invite_to_a_role_above_is_not_revoked() {
    let given = with(
        two_owners(),
        [Was::InviteSent {
            invite_id: invite(1),
            person_id: invitee(1),
            email: "dan@acme.example".to_owned(),
            role: Role::Owner,
            projects: vec![],
            expires_at: at(1),
            token_hash: None,
            invited_by: None,
        }],
    );
    let revoke = |by| Ask::RevokeInvite { by, invite_id: invite(1) };
    check(&given, revoke(by(ben())), Err(Refused::RoleAboveOwn(Role::Owner)));
    check(&given, revoke(by(ada())), Ok(vec![Was::InviteRevoked { invite_id: invite(1) }]));
}

#[test]
fn anybody_may_leave_but_the_last_owner() {
    let leave = |who| Ask::RemoveMember { by: by(who), member_id: who, reason: None };
    check(&staffed(), leave(cyd()), Ok(vec![removed(cyd())]));
    check(&with(staffed(), [removed(cyd())]), leave(cyd()), Ok(vec![]));
    check(&staffed(), leave(ada()), Err(Refused::LastOwner));
    check(&two_owners(), leave(ada()), Ok(vec![removed(ada())]));
    check(&staffed(), leave(dan()), Err(Refused::MemberNotFound(dan())));
}
