//! What a member has offered to others ends with what they may do themselves.

use event_schemas::{SecuritySettings, SensitiveAction};

use super::*;

/// An invite by Ben, who is an admin.
fn offered(number: u128, role: Role) -> Was {
    offered_by(ben(), number, role)
}

fn offered_by(who: MemberId, number: u128, role: Role) -> Was {
    match sent(number, &format!("x{number}@acme.example"), 9) {
        Was::InviteSent {
            invite_id, person_id, email, projects, expires_at, token_hash, ..
        } => {
            let invited_by = Some(who);
            Was::InviteSent {
                invite_id,
                person_id,
                email,
                role,
                projects,
                expires_at,
                token_hash,
                invited_by,
            }
        }
        other => other,
    }
}

fn accept(number: u128) -> Ask {
    let (invite_id, login) = (invite(number), "Xia".to_owned());
    Ask::AcceptInvite { invite_id, member_id: dan(), login, now: at(0) }
}

fn revoked(number: u128) -> Was {
    Was::InviteRevoked { invite_id: invite(number) }
}

fn demoted(member_id: MemberId, previous_role: Role, role: Role) -> Was {
    Was::MemberRoleChanged { member_id, role, previous_role }
}

#[test]
fn who_is_suspended_has_offered_nothing() {
    let given =
        with(staffed(), [offered(1, Role::Admin), offered(2, Role::Member), sent(3, "y@b.c", 9)]);
    let suspend = Ask::SuspendMember { by: by(ada()), member_id: ben(), reason: None };
    check(&given, suspend, Ok(vec![revoked(1), revoked(2), suspended(ben())]));
}

#[test]
fn who_is_demoted_has_offered_no_more_than_they_may() {
    let given = with(staffed(), [offered(1, Role::Admin), offered(2, Role::Member)]);
    let demote = Ask::ChangeMemberRole { by: by(ada()), member_id: ben(), role: Role::Reader };
    let to_reader = demoted(ben(), Role::Admin, Role::Reader);
    check(&given, demote, Ok(vec![revoked(1), revoked(2), to_reader]));
    // An owner who becomes an admin has still offered what an admin offers.
    let zoe: MemberId = id(9);
    let offers = [
        added(zoe, "Zoe", Role::Owner),
        offered_by(zoe, 1, Role::Owner),
        offered_by(zoe, 2, Role::Admin),
        offered_by(zoe, 3, Role::Billing),
    ];
    let given = with(staffed(), offers);
    let demote = Ask::ChangeMemberRole { by: by(ada()), member_id: zoe, role: Role::Admin };
    let to_admin = || demoted(zoe, Role::Owner, Role::Admin);
    check(&given, demote, Ok(vec![revoked(1), revoked(3), to_admin()]));
    let hand_over = Ask::TransferOwnership { by: by(zoe), member_id: ada() };
    check(&given, hand_over, Ok(vec![revoked(1), revoked(3), to_admin()]));
}

#[test]
fn an_offer_that_could_not_be_made_any_more_is_not_accepted() {
    let not_open = || Err(Refused::InviteNotOffered(invite(1)));
    let given = with(staffed(), [offered(1, Role::Member)]);
    let in_order = || {
        vec![
            Was::InviteAccepted { invite_id: invite(1), member_id: dan() },
            Was::MemberAdded {
                member_id: dan(),
                person_id: invitee(1),
                login: "Xia".to_owned(),
                email: Some("x1@acme.example".to_owned()),
                role: Role::Member,
            },
        ]
    };
    check(&given, accept(1), Ok(in_order()));
    // However it came that Ben may not: by a group, say, whose role is another.
    for change in [suspended(ben()), demoted(ben(), Role::Admin, Role::Reader)] {
        check(&with(given.clone(), [change]), accept(1), not_open());
    }
    let above = with(staffed(), [offered(1, Role::Owner)]);
    check(&above, accept(1), not_open());
}

#[test]
fn an_owner_invited_before_approvals_were_needed_needs_one_all_the_same() {
    let zoe = added(id(9), "Zoe", Role::Owner);
    let given = with(staffed(), [zoe, offered_by(ada(), 1, Role::Owner)]);
    assert!(crate::Decider::decide(&organization(&given), accept(1)).is_ok());
    // Whatever needs a second person: else one person would make the second.
    for action in SensitiveAction::ALL {
        let security = SecuritySettings { identity_provider: None, approvals: vec![*action] };
        let given = with(given.clone(), [Was::SecurityChanged { security }]);
        check(&given, accept(1), Err(Refused::OwnersNeedApproval));
    }
}

#[test]
fn who_sends_an_invite_again_has_offered_it() {
    // Zoe's offer, sent again by Ben: it is Ben who has had the token.
    let zoe: MemberId = id(9);
    let again = Was::InviteResent {
        invite_id: invite(1),
        expires_at: at(9),
        token_hash: "second".to_owned(),
        resent_by: Some(ben()),
    };
    let offered = [added(zoe, "Zoe", Role::Owner), offered_by(zoe, 1, Role::Member)];
    let given = with(staffed(), offered);
    let resend = Ask::ResendInvite {
        by: by(ben()),
        invite_id: invite(1),
        expires_at: at(9),
        token_hash: "second".to_owned(),
        now: at(0),
    };
    check(&given, resend, Ok(vec![again.clone()]));
    let given = with(given, [again]);
    let suspend = |member_id| Ask::SuspendMember { by: by(ada()), member_id, reason: None };
    check(&given, suspend(ben()), Ok(vec![revoked(1), suspended(ben())]));
    check(&given, suspend(zoe), Ok(vec![suspended(zoe)]));
}

#[test]
fn nobody_gets_an_owners_token_where_owners_need_approval() {
    let security =
        SecuritySettings { identity_provider: None, approvals: vec![SensitiveAction::GrantOwner] };
    let zoe = added(id(9), "Zoe", Role::Owner);
    // As the operator offers it in an emergency.
    let given = with(staffed(), [zoe, offered_by(ada(), 1, Role::Owner)]);
    let given = with(given, [Was::SecurityChanged { security }]);
    let resend = Ask::ResendInvite {
        by: by(ada()),
        invite_id: invite(1),
        expires_at: at(9),
        token_hash: "second".to_owned(),
        now: at(0),
    };
    check(&given, resend, Err(Refused::OwnersNeedApproval));
}

#[test]
fn whoever_runs_orgledger_offers_one_first_ownership() {
    let send = |number: u128, by: Authority| Ask::SendInvite {
        by,
        invite_id: invite(number),
        person_id: invitee(number),
        email: format!("x{number}@acme.example"),
        role: Role::Owner,
        projects: vec![],
        expires_at: at(9),
        token_hash: Some("token".to_owned()),
        now: at(0),
    };
    let first = match sent(1, "x1@acme.example", 9) {
        Was::InviteSent {
            invite_id, person_id, email, projects, expires_at, token_hash, ..
        } => {
            let (role, invited_by) = (Role::Owner, None);
            Was::InviteSent {
                invite_id,
                person_id,
                email,
                role,
                projects,
                expires_at,
                token_hash,
                invited_by,
            }
        }
        other => other,
    };
    check(&[created(None)], send(1, OPERATOR), Ok(vec![first.clone()]));
    let open = vec![created(None), first];
    // A second one would be accepted once there are owners, by whoever kept it.
    let already = Err(Refused::InviteAlreadyOpen { invite_id: invite(1) });
    check(&open, send(2, OPERATOR), already);
    let add = Ask::AddMember {
        by: OPERATOR,
        member_id: ada(),
        person_id: person(ada()),
        login: "Ada".to_owned(),
        email: Some("ada@acme.example".to_owned()),
        role: Role::Owner,
    };
    check(&open, add, Ok(vec![revoked(1), added(ada(), "Ada", Role::Owner)]));
}

#[test]
fn who_came_in_by_somebody_who_has_gone_came_in_by_who_had_invited_them() {
    let accepted = |number, member_id| Was::InviteAccepted { invite_id: invite(number), member_id };
    let (eve, zoe): (MemberId, MemberId) = (id(8), id(9));
    let came = [
        offered_by(ada(), 1, Role::Admin),
        accepted(1, eve),
        added(eve, "Eve", Role::Admin),
        offered_by(eve, 2, Role::Admin),
        accepted(2, zoe),
        added(zoe, "Zoe", Role::Admin),
    ];
    let given = with(staffed(), came);
    let gone = |member_id| Was::MemberRemoved { member_id, reason: None };
    for given in [given.clone(), with(given, [gone(eve)])] {
        assert!(organization(&given).came_in_by(zoe, ada()));
        assert!(!organization(&given).came_in_by(zoe, ben()));
    }
}
