use event_schemas::{
    ApprovalEvent as Was, MemberId, OrganizationId, OrganizationRole, SensitiveRequest,
};

use super::{Approval, ApprovalCommand as Ask, ApprovalError as Refused};
use crate::organization::ActiveMember;
use crate::testing::{self, acme, active_member, at, id};

fn ada() -> ActiveMember {
    active_member(acme(), id(1))
}

fn ben() -> ActiveMember {
    active_member(acme(), id(2))
}

fn elsewhere() -> OrganizationId {
    id(0xbe)
}

fn request() -> SensitiveRequest {
    SensitiveRequest::ChangeMemberRole { member_id: id(3), role: OrganizationRole::Owner }
}

fn requested() -> Vec<Was> {
    vec![Was::Requested {
        approval_id: id(9),
        organization_id: acme(),
        request: request(),
        requested_by: id(1),
        expires_at: at(24),
    }]
}

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<Approval>(given, when, then);
}

fn approve(by: ActiveMember, hours: i64) -> Ask {
    Ask::Approve { by, now: at(hours) }
}

#[test]
fn a_second_person_approves_once_and_in_time() {
    let approved = Was::Approved { approved_by: id::<MemberId>(2) };
    let ask =
        Ask::Request { approval_id: id(9), request: request(), by: ada(), expires_at: at(24) };
    check(&[], ask.clone(), Ok(requested()));
    check(&requested(), ask, Err(Refused::AlreadyExists));
    check(&requested(), approve(ben(), 23), Ok(vec![approved.clone()]));
    check(&requested(), approve(ben(), 24), Err(Refused::Expired { expires_at: at(24) }));
    let done = [requested(), vec![approved]].concat();
    check(&done, approve(ben(), 23), Err(Refused::Decided));
    check(&[], approve(ben(), 1), Err(Refused::NotFound));
}

#[test]
fn who_asked_cannot_decide_and_a_stranger_finds_nothing() {
    check(&requested(), approve(ada(), 1), Err(Refused::SecondPersonNeeded));
    let decline = |by| Ask::Decline { by, reason: Some(" no ".to_owned()) };
    check(&requested(), decline(ada()), Err(Refused::SecondPersonNeeded));
    let stranger = active_member(elsewhere(), id(2));
    check(&requested(), approve(stranger, 1), Err(Refused::NotFound));
    check(&requested(), decline(stranger), Err(Refused::NotFound));
    let declined = Was::Declined { declined_by: id(2), reason: Some("no".to_owned()) };
    check(&requested(), decline(ben()), Ok(vec![declined]));
}

#[test]
fn only_who_asked_takes_it_back() {
    check(&requested(), Ask::Withdraw { by: ben() }, Err(Refused::NotYours));
    check(&requested(), Ask::Withdraw { by: ada() }, Ok(vec![Was::Withdrawn {}]));
    let withdrawn = [requested(), vec![Was::Withdrawn {}]].concat();
    check(&withdrawn, approve(ben(), 1), Err(Refused::Decided));
}
