//! What an access of the operator leaves behind rests from its end until its review.

use event_schemas::BreakGlassId;

use super::*;
use crate::organization::{BreakGlassCommand, BreakGlassDecider};

const OPS: &str = "ops";

fn access() -> BreakGlassId {
    id(0x400)
}

fn ask(command: BreakGlassCommand) -> Ask {
    Ask::BreakGlass(command)
}

/// Ops is let in until hour 4.
fn let_in() -> Vec<Was> {
    let requested = Was::BreakGlassRequested {
        break_glass_id: access(),
        operator: OPS.to_owned(),
        reason: "nobody can sign in".to_owned(),
        minutes: 60,
    };
    let approved = Was::BreakGlassApproved { break_glass_id: access(), expires_at: at(4) };
    with(staffed(), [requested, approved])
}

fn took_in(member_id: MemberId) -> Was {
    Was::BreakGlassTookIn { break_glass_id: access(), member_id }
}

fn ended() -> Was {
    Was::BreakGlassEnded { break_glass_id: access() }
}

fn reviewed() -> Was {
    Was::BreakGlassReviewed { break_glass_id: access(), note: "in order".to_owned() }
}

fn review(by: BreakGlassDecider) -> Ask {
    let (break_glass_id, note) = (access(), "in order".to_owned());
    ask(BreakGlassCommand::Review { by, break_glass_id, note, now: at(5) })
}

fn operator(name: &str) -> BreakGlassDecider {
    BreakGlassDecider::Operator(name.to_owned())
}

#[test]
fn whom_it_took_in_may_act_while_it_lasts_and_after_its_review() {
    let given = with(let_in(), [added(dan(), "Dan", Role::Owner), took_in(dan())]);
    let rests = |events: &[Was], hour| organization(events).member_rests(dan(), at(hour));
    assert!(!rests(&given, 3));
    assert!(rests(&given, 4), "its time is over, though nobody has recorded that");
    let over = with(given, [ended()]);
    assert!(rests(&over, 1), "it was ended before its time");
    assert!(!rests(&with(over.clone(), [reviewed()]), 5));
    assert!(!organization(&over).member_rests(ada(), at(5)), "others have nothing to do with it");
}

#[test]
fn who_accepts_an_invite_of_an_access_was_taken_in_by_it() {
    let send = ask(BreakGlassCommand::Invite { break_glass_id: access(), invite_id: invite(1) });
    let invited = Was::BreakGlassInvited { break_glass_id: access(), invite_id: invite(1) };
    let given = with(let_in(), [sent(1, "dan@acme.example", 9)]);
    check(&given, send, Ok(vec![invited.clone()]));
    let came_in = [
        invited,
        ended(),
        Was::InviteAccepted { invite_id: invite(1), member_id: dan() },
        added(dan(), "Dan", Role::Owner),
    ];
    let given = with(given, came_in);
    assert!(organization(&given).member_rests(dan(), at(5)));
    assert_eq!(organization(&given).taken_in_by(dan()), Some(access()));
}

#[test]
fn what_it_made_counts_while_it_lasts_and_after_its_review() {
    let rests = |events: &[Was], hour| organization(events).access_rests(access(), at(hour));
    assert!(!rests(&let_in(), 3));
    assert!(rests(&let_in(), 4));
    assert!(!rests(&with(let_in(), [ended(), reviewed()]), 5));
}

#[test]
fn nobody_reviews_what_they_may_have_done_themselves() {
    let given = with(let_in(), [added(dan(), "Dan", Role::Owner), took_in(dan()), ended()]);
    let second = || Err(Refused::SecondPersonNeeded);
    check(&given, review(operator(OPS)), second());
    check(&given, review(BreakGlassDecider::Member(by(dan()))), second());
    check(&given, review(BreakGlassDecider::Member(by(ben()))), Err(Refused::NotAllowed(ben())));
    check(&given, review(BreakGlassDecider::Member(by(ada()))), Ok(vec![reviewed()]));
    // Where nobody of the organization can: another who runs orgledger.
    check(&given, review(operator("night shift")), Ok(vec![reviewed()]));
}

#[test]
fn whom_it_took_in_lets_nobody_in() {
    let again: BreakGlassId = id(0x401);
    let requested = Was::BreakGlassRequested {
        break_glass_id: again,
        operator: OPS.to_owned(),
        reason: "once more".to_owned(),
        minutes: 60,
    };
    let given = with(let_in(), [added(dan(), "Dan", Role::Owner), took_in(dan()), requested]);
    let approve = |by| ask(BreakGlassCommand::Approve { by, break_glass_id: again, now: at(0) });
    let second = Err(Refused::SecondPersonNeeded);
    check(&given, approve(BreakGlassDecider::Member(by(dan()))), second);
    let approved = Was::BreakGlassApproved { break_glass_id: again, expires_at: at(1) };
    check(&given, approve(BreakGlassDecider::Member(by(ada()))), Ok(vec![approved]));
}

#[test]
fn whom_it_took_in_is_not_the_owner_that_stays() {
    let given = with(let_in(), [added(dan(), "Dan", Role::Owner), took_in(dan())]);
    let leave = Ask::RemoveMember { by: by(ada()), member_id: ada(), reason: None };
    check(&given, leave.clone(), Err(Refused::LastOwner));
    let settled = with(given, [ended(), reviewed()]);
    check(&settled, leave, Ok(vec![removed(ada())]));
}

#[test]
fn ownership_is_not_handed_to_whom_it_took_in() {
    let given = with(let_in(), [added(dan(), "Dan", Role::Member), took_in(dan())]);
    let transfer = || Ask::TransferOwnership { by: by(ada()), member_id: dan() };
    check(&given, transfer(), Err(Refused::LastOwner));
    check(&with(given.clone(), [ended()]), transfer(), Err(Refused::LastOwner));
    let changed =
        |member_id, previous_role, role| Was::MemberRoleChanged { member_id, role, previous_role };
    let handed_on = || {
        vec![changed(dan(), Role::Member, Role::Owner), changed(ada(), Role::Owner, Role::Admin)]
    };
    // Where another owner stays, or the access was reviewed, nobody is left alone.
    let two = with(given.clone(), [changed(ben(), Role::Admin, Role::Owner)]);
    check(&two, transfer(), Ok(handed_on()));
    check(&with(given, [ended(), reviewed()]), transfer(), Ok(handed_on()));
}
