use super::*;
use crate::text::TextError;
use event_schemas::{ProjectGrant, ProjectRole};

const DAN: &str = "dan@acme.example";

fn send(number: u128, email: &str, expires: i64, now: i64) -> Ask {
    Ask::SendInvite {
        by: OPERATOR,
        invite_id: invite(number),
        person_id: invitee(number),
        email: email.to_owned(),
        role: Role::Member,
        projects: vec![],
        expires_at: at(expires),
        token_hash: Some("token".to_owned()),
        now: at(now),
    }
}

fn accept(number: u128, member_id: MemberId, login: &str, now: i64) -> Ask {
    Ask::AcceptInvite {
        invite_id: invite(number),
        member_id,
        login: login.to_owned(),
        now: at(now),
    }
}

fn revoke(number: u128) -> Ask {
    Ask::RevokeInvite { by: OPERATOR, invite_id: invite(number) }
}

fn expire(number: u128, now: i64) -> Ask {
    Ask::ExpireInvite { invite_id: invite(number), now: at(now) }
}

fn expired(number: u128) -> Was {
    Was::InviteExpired { invite_id: invite(number) }
}

fn revoked(number: u128) -> Was {
    Was::InviteRevoked { invite_id: invite(number) }
}

fn accepted(number: u128) -> Was {
    Was::InviteAccepted { invite_id: invite(number), member_id: dan() }
}

fn invited() -> Vec<Was> {
    with(staffed(), [sent(1, DAN, 10)])
}

#[test]
fn an_invite_is_sent() {
    check(&staffed(), send(1, DAN, 10, 0), Ok(vec![sent(1, DAN, 10)]));
    check(&[], send(1, DAN, 10, 0), Err(Refused::NotFound));
    check(&archived(), send(1, DAN, 10, 0), Err(Refused::Archived));
    let past = Refused::ExpiryInThePast { expires_at: at(10) };
    check(&staffed(), send(1, DAN, 10, 10), Err(past));
    let nobody = Refused::Text(TextError::NotAnAddress);
    check(&staffed(), send(1, "dan", 10, 0), Err(nobody));
}

#[test]
fn a_present_members_address_is_not_invited() {
    check(&staffed(), send(1, "CYD@acme.example", 10, 0), Err(Refused::AlreadyMember));
    let left = with(staffed(), [removed(cyd())]);
    check(&left, send(1, "cyd@acme.example", 10, 0), Ok(vec![sent(1, "cyd@acme.example", 10)]));
    // Two members with one address: it is free when both are gone.
    let twin = Was::MemberAdded {
        member_id: dan(),
        person_id: person(dan()),
        login: "Twin".to_owned(),
        email: Some("Cyd@acme.example".to_owned()),
        role: Role::Member,
    };
    let one_left = with(staffed(), [twin, removed(cyd())]);
    check(&one_left, send(1, "cyd@acme.example", 10, 0), Err(Refused::AlreadyMember));
}

#[test]
fn an_address_has_one_open_invite() {
    let open = Refused::InviteAlreadyOpen { invite_id: invite(1) };
    check(&invited(), send(2, "DAN@acme.example", 20, 9), Err(open));
    check(&invited(), send(2, DAN, 20, 10), Ok(vec![expired(1), sent(2, DAN, 20)]));
    let taken_back = with(invited(), [revoked(1)]);
    check(&taken_back, send(2, DAN, 20, 0), Ok(vec![sent(2, DAN, 20)]));
    check(&taken_back, send(1, DAN, 20, 0), Err(Refused::InviteAlreadyExists(invite(1))));
    check(&invited(), send(1, "x@y", 20, 0), Err(Refused::InviteAlreadyExists(invite(1))));
}

#[test]
fn an_open_invite_holds_a_seat_until_its_time_is_over() {
    let full = [created(Some(2)), sent(1, "a@x", 10), sent(2, "b@x", 20)];
    let no_seat = || Err(Refused::SeatLimitReached { seat_limit: 2 });
    check(&full, send(3, "c@x", 30, 9), no_seat());
    check(&full, send(3, "c@x", 30, 10), Ok(vec![expired(1), sent(3, "c@x", 30)]));
    check(&full, send(3, "a@x", 30, 10), Ok(vec![expired(1), sent(3, "a@x", 30)]));
    let one_taken = [created(Some(1)), added(ada(), "Ada", Role::Owner)];
    check(&one_taken, send(1, "a@x", 10, 0), Err(Refused::SeatLimitReached { seat_limit: 1 }));
    // While there is room, an invite past its time to another address is left for its own command.
    let roomy = [created(Some(3)), sent(1, "a@x", 10)];
    check(&roomy, send(2, "b@x", 30, 10), Ok(vec![sent(2, "b@x", 30)]));
}

#[test]
fn accepting_an_invite_makes_a_member_of_its_address_and_role() {
    let joined = Was::MemberAdded {
        member_id: dan(),
        person_id: invitee(1),
        login: "Dan".to_owned(),
        email: Some(DAN.to_owned()),
        role: Role::Member,
    };
    check(&invited(), accept(1, dan(), "Dan", 9), Ok(vec![accepted(1), joined]));
    check(&invited(), accept(1, dan(), "Dan", 10), Err(Refused::InviteExpired(invite(1))));
    check(&invited(), accept(1, dan(), "ada", 0), Err(Refused::LoginTaken("ada".to_owned())));
    check(&invited(), accept(1, cyd(), "Dan", 0), Err(Refused::MemberIdTaken(cyd())));
    let no_login = Refused::Text(TextError::Empty { what: "login" });
    check(&invited(), accept(1, dan(), "", 0), Err(no_login));
}

#[test]
fn an_invite_is_accepted_once_and_only_while_open() {
    let not_open = || Err(Refused::InviteNotOpen(invite(1)));
    check(&staffed(), accept(1, dan(), "Dan", 0), not_open());
    check(&with(invited(), [accepted(1)]), accept(1, dan(), "Dan", 0), not_open());
    check(&with(invited(), [revoked(1)]), accept(1, dan(), "Dan", 0), not_open());
    let over = Err(Refused::InviteExpired(invite(1)));
    check(&with(invited(), [expired(1)]), accept(1, dan(), "Dan", 0), over);
}

#[test]
fn a_limit_lowered_after_the_invite_still_holds() {
    let lowered = Was::Updated { name: None, seat_limit: Some(3) };
    let given = with(invited(), [lowered]);
    let no_seat = Refused::SeatLimitReached { seat_limit: 3 };
    check(&given, accept(1, dan(), "Dan", 0), Err(no_seat));
}

#[test]
fn an_invite_is_revoked() {
    check(&invited(), revoke(1), Ok(vec![revoked(1)]));
    check(&invited(), revoke(2), Err(Refused::InviteNotFound(invite(2))));
    check(&with(invited(), [revoked(1)]), revoke(1), Ok(vec![]));
    check(&with(invited(), [expired(1)]), revoke(1), Ok(vec![]));
    let used = Refused::InviteAlreadyAccepted(invite(1));
    check(&with(invited(), [accepted(1)]), revoke(1), Err(used));
}

#[test]
fn an_invite_expires_when_its_time_is_over() {
    check(&invited(), expire(1, 10), Ok(vec![expired(1)]));
    check(&invited(), expire(1, 9), Err(Refused::NotYetExpired { expires_at: at(10) }));
    check(&invited(), expire(2, 10), Err(Refused::InviteNotFound(invite(2))));
    check(&with(invited(), [expired(1)]), expire(1, 10), Ok(vec![]));
    let used = Refused::InviteAlreadyAccepted(invite(1));
    check(&with(invited(), [accepted(1)]), expire(1, 10), Err(used));
}

#[test]
fn an_open_invite_can_be_read_with_the_projects_it_carries() {
    let projects = vec![ProjectGrant { project_id: id(7), role: ProjectRole::Owner }];
    let was = Was::InviteSent {
        invite_id: invite(1),
        person_id: invitee(1),
        email: DAN.to_owned(),
        role: Role::Member,
        projects: projects.clone(),
        expires_at: at(1),
        token_hash: None,
        invited_by: None,
    };
    let open = organization(&with(staffed(), [was.clone()]));
    assert_eq!(open.invite(invite(1)).unwrap().projects, projects);
    assert_eq!(open.invite(invite(2)), None);
    let ended = organization(&with(staffed(), [was, revoked(1)]));
    assert_eq!(ended.invite(invite(1)), None);
}

fn resend(by: Authority, number: u128, expires: i64) -> Ask {
    Ask::ResendInvite {
        by,
        invite_id: invite(number),
        expires_at: at(expires),
        token_hash: "second".to_owned(),
        now: at(5),
    }
}

fn resent(number: u128, expires: i64) -> Was {
    Was::InviteResent {
        invite_id: invite(number),
        expires_at: at(expires),
        token_hash: "second".to_owned(),
        resent_by: None,
    }
}

#[test]
fn an_invite_is_sent_again_with_a_new_token_and_time() {
    check(&invited(), resend(OPERATOR, 1, 20), Ok(vec![resent(1, 20)]));
    let past = Refused::ExpiryInThePast { expires_at: at(5) };
    check(&invited(), resend(OPERATOR, 1, 5), Err(past));
    let given = with(invited(), [resent(1, 20)]);
    let open = organization(&given);
    assert_eq!(open.invite(invite(1)).unwrap().token_hash.as_deref(), Some("second"));
    check(&given, expire(1, 19), Err(Refused::NotYetExpired { expires_at: at(20) }));
    assert!(crate::Decider::decide(&open, accept(1, dan(), "Dan", 19)).is_ok());
    // Past its time, but not yet recorded so, it can be sent again.
    let late = with(staffed(), [sent(1, DAN, 4)]);
    check(&late, resend(OPERATOR, 1, 20), Ok(vec![resent(1, 20)]));
}

#[test]
fn what_has_ended_is_not_sent_again() {
    check(&staffed(), resend(OPERATOR, 1, 20), Err(Refused::InviteNotFound(invite(1))));
    for end in [revoked(1), expired(1)] {
        let refused = Refused::InviteNotOpen(invite(1));
        check(&with(invited(), [end]), resend(OPERATOR, 1, 20), Err(refused));
    }
    let used = Refused::InviteAlreadyAccepted(invite(1));
    check(&with(invited(), [accepted(1)]), resend(OPERATOR, 1, 20), Err(used));
}

#[test]
fn who_sends_again_could_have_sent_it() {
    let mut owners = sent(1, DAN, 10);
    if let Was::InviteSent { role, .. } = &mut owners {
        *role = Role::Owner;
    }
    let given = with(staffed(), [owners]);
    check(&given, resend(by(ben()), 1, 20), Err(Refused::RoleAboveOwn(Role::Owner)));
    let mut by_ada = resent(1, 20);
    if let Was::InviteResent { resent_by, .. } = &mut by_ada {
        *resent_by = Some(ada());
    }
    check(&given, resend(by(ada()), 1, 20), Ok(vec![by_ada]));
    check(&given, resend(by(cyd()), 1, 20), Err(Refused::NotAllowed(cyd())));
}

#[test]
fn an_invite_says_who_sent_it() {
    let asked = |who| {
        let mut ask = send(1, DAN, 10, 0);
        if let Ask::SendInvite { by, .. } = &mut ask {
            *by = who;
        }
        ask
    };
    let sent_by = |who| {
        let mut was = sent(1, DAN, 10);
        if let Was::InviteSent { invited_by, .. } = &mut was {
            *invited_by = who;
        }
        Ok(vec![was])
    };
    check(&staffed(), asked(by(ben())), sent_by(Some(ben())));
    check(&staffed(), asked(Authority::System), sent_by(None));
}

#[test]
fn an_address_that_has_become_a_members_is_not_taken_up_again() {
    let mut taken = added(id(7), "Danny", Role::Member);
    if let Was::MemberAdded { email, .. } = &mut taken {
        *email = Some("DAN@acme.example".to_owned());
    }
    check(&with(invited(), [taken]), accept(1, dan(), "Dan", 0), Err(Refused::AlreadyMember));
}

#[test]
fn a_letter_that_looks_like_another_is_no_address() {
    let lookalike = Refused::Text(TextError::NotAscii);
    check(&staffed(), send(1, "dаn@acme.example", 10, 0), Err(lookalike));
}
