use event_schemas::{
    Grantee, GroupId, KeyOwner, MemberId, OrganizationEvent, OrganizationRole, PermissionSet,
    ProjectRole, ReviewDecision,
};

use super::*;
use crate::Decider as _;
use crate::organization::{Authority, Organization};
use crate::testing::{acme, at, check, folded, id};
use AccessReviewCommand as Ask;
use AccessReviewError as Refused;
use AccessReviewEvent as Was;

mod invariants;
mod scopes;

fn ada() -> MemberId {
    id(1)
}

fn bob() -> MemberId {
    id(2)
}

fn ops() -> GroupId {
    id(7)
}

fn added(member_id: MemberId, role: OrganizationRole) -> OrganizationEvent {
    let (person_id, login) = (id(0x1000), member_id.to_string());
    OrganizationEvent::MemberAdded { member_id, person_id, login, email: None, role }
}

/// Acme with Ada and Bob, admins, and Cyd, a reader; Ada is in the group.
fn organization() -> Organization {
    folded::<Organization>(&[
        OrganizationEvent::Created {
            organization_id: acme(),
            name: "Acme".to_owned(),
            seat_limit: None,
        },
        added(ada(), OrganizationRole::Admin),
        added(bob(), OrganizationRole::Admin),
        added(id(3), OrganizationRole::Reader),
        OrganizationEvent::GroupCreated { group_id: ops(), name: "Ops".to_owned(), role: None },
        OrganizationEvent::GroupMemberAdded { group_id: ops(), member_id: ada() },
    ])
}

fn by(member_id: MemberId) -> Reviewer {
    organization().reviewer(Authority::Member(member_id)).unwrap()
}

fn of_another_organization() -> Reviewer {
    let created = OrganizationEvent::Created {
        organization_id: id(0xbad),
        name: "Other".to_owned(),
        seat_limit: None,
    };
    folded::<Organization>(&[created]).reviewer(Authority::Operator).unwrap()
}

/// A line for each of the members with these numbers, of the same number.
fn lines(numbers: std::ops::RangeInclusive<u128>) -> Vec<ReviewLine> {
    let held = |n| HeldAccess::MemberRole { member_id: id(n), role: OrganizationRole::Reader };
    numbers.map(|n| ReviewLine { line_id: id(n), held: held(n) }).collect()
}

fn opened(lines: Vec<ReviewLine>) -> Was {
    Was::Opened {
        access_review_id: id(20),
        organization_id: acme(),
        title: "First quarter".to_owned(),
        scope: ReviewScope::Members {},
        due_at: at(100),
        lines,
    }
}

fn open(title: &str, due: i64, lines: Vec<ReviewLine>) -> Ask {
    Ask::Open {
        reviewer: by(ada()),
        access_review_id: id(20),
        title: title.to_owned(),
        scope: ReviewScope::Members {},
        due_at: at(due),
        lines,
        now: at(0),
    }
}

fn attested(line: u128, decision: ReviewDecision, reason: Option<&str>) -> Was {
    Was::Attested { line_id: id(line), decision, reason: reason.map(str::to_owned) }
}

fn attest(reviewer: Reviewer, said: &[(u128, ReviewDecision, Option<&str>)]) -> Ask {
    let attestations = said.iter().map(|(line, decision, reason)| Attestation {
        line_id: id(*line),
        decision: *decision,
        reason: reason.map(str::to_owned),
    });
    Ask::Attest { reviewer, attestations: attestations.collect() }
}

fn close(reviewer: Reviewer, revoke_unattested: bool) -> Ask {
    Ask::Close { reviewer, revoke_unattested, already_ended: vec![] }
}

fn closed(outcome: ReviewOutcome, kept: u32, revoked: u32, unattested: u32) -> Was {
    Was::Closed { outcome, reason: None, kept, revoked, unattested, already_ended: vec![] }
}

use ReviewDecision::{Keep, Revoke};

#[test]
fn it_is_opened_once_with_something_to_review() {
    let three = lines(1..=3);
    check::<AccessReview>(
        &[],
        open(" First quarter ", 100, three.clone()),
        Ok(vec![opened(three.clone())]),
    );
    check::<AccessReview>(
        &[opened(three.clone())],
        open("x", 100, three.clone()),
        Err(Refused::AlreadyExists),
    );
    check::<AccessReview>(&[], open("x", 100, vec![]), Err(Refused::NothingToReview));
    let late = Refused::DueInThePast { due_at: at(0) };
    check::<AccessReview>(&[], open("x", 0, three.clone()), Err(late));
    let empty = Refused::Text(TextError::Empty { what: "title" });
    check::<AccessReview>(&[], open("  ", 100, three), Err(empty));
}

#[test]
fn many_lines_come_in_events_of_500_and_too_many_are_refused() {
    let review = AccessReview::default();
    let counts = |count: u128| -> Vec<usize> {
        let events = review.decide(open("x", 1, lines(1..=count))).unwrap();
        let lines = |event: &Was| match event {
            Was::Opened { lines, .. } | Was::LinesAdded { lines } => lines.len(),
            Was::Attested { .. } | Was::Closed { .. } => panic!("{event:?}"),
        };
        events.iter().map(lines).collect()
    };
    assert_eq!(counts(500), [500]);
    assert_eq!(counts(501), [500, 1]);
    assert_eq!(counts(5_000), [500; 10]);
    let refused = review.decide(open("x", 1, lines(1..=5_001)));
    assert_eq!(refused, Err(Refused::TooManyLines { max: 5_000 }));
}

#[test]
fn lines_are_attested_until_it_is_closed_and_the_last_word_counts() {
    let given = [opened(lines(1..=3))];
    let check = |given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>| {
        check::<AccessReview>(given, when, then);
    };
    let revoke = attested(3, Revoke, Some("left"));
    check(&given, attest(by(ada()), &[(3, Keep, None)]), Ok(vec![attested(3, Keep, None)]));
    check(&given, attest(by(ada()), &[(3, Revoke, Some(" left "))]), Ok(vec![revoke.clone()]));
    let both = attest(by(ada()), &[(2, Keep, Some("on call")), (3, Revoke, Some("left"))]);
    check(&given, both, Ok(vec![attested(2, Keep, Some("on call")), revoke.clone()]));

    let given = [given[0].clone(), revoke.clone()];
    check(&given, attest(by(bob()), &[(3, Revoke, Some("left"))]), Ok(vec![]));
    check(&given, attest(by(bob()), &[(3, Keep, None)]), Ok(vec![attested(3, Keep, None)]));
    let other = Ok(vec![attested(3, Revoke, Some("gone"))]);
    check(&given, attest(by(bob()), &[(3, Revoke, Some("gone"))]), other);

    for (reason, blank) in [(None, "no"), (Some(" \n"), "a blank")] {
        let refused = Err(Refused::ReasonMissing(id(3)));
        check(&given, attest(by(ada()), &[(2, Keep, None), (3, Revoke, reason)]), refused);
        assert!(!blank.is_empty());
    }
    check(&given, attest(by(ada()), &[(9, Keep, None)]), Err(Refused::LineNotFound(id(9))));
    let twice = attest(by(ada()), &[(3, Keep, None), (3, Keep, None)]);
    check(&given, twice, Err(Refused::LineTwice(id(3))));
    for outcome in [ReviewOutcome::Completed, ReviewOutcome::Cancelled] {
        let given = [given[0].clone(), closed(outcome, 0, 0, 3)];
        let late = attest(by(ada()), &[(3, Keep, None)]);
        check(&given, late, Err(Refused::Closed { outcome }));
    }
}

#[test]
fn nobody_attests_their_own_access_in_whatever_form() {
    let me = Grantee::Member { member_id: ada() };
    let my_group = Grantee::Group { group_id: ops() };
    let key =
        |owner| HeldAccess::ApiKey { api_key_id: id(30), owner, project_id: None, scopes: None };
    let grant = |grantee| HeldAccess::RoleGrant {
        role_id: id(8),
        grantee,
        project_id: None,
        permissions: PermissionSet::NONE,
    };
    let in_project =
        |holder| HeldAccess::ProjectRole { project_id: id(9), holder, role: ProjectRole::Owner };
    let place = |group_id| HeldAccess::GroupMembership { group_id, member_id: ada(), role: None };
    let own = [
        HeldAccess::MemberRole { member_id: ada(), role: OrganizationRole::Admin },
        in_project(me),
        in_project(my_group),
        place(ops()),
        place(id(77)),
        grant(me),
        grant(my_group),
        key(KeyOwner::Member { member_id: ada() }),
    ];
    for held in own {
        let given = [opened(vec![ReviewLine { line_id: id(1), held }])];
        for (decision, reason) in [(Keep, None), (Revoke, Some("x"))] {
            let said = [(1, decision, reason)];
            let refused = Err(Refused::OwnAccess(id(1)));
            check::<AccessReview>(&given, attest(by(ada()), &said), refused);
            let fine = Ok(vec![attested(1, decision, reason)]);
            check::<AccessReview>(&given, attest(by(bob()), &said), fine);
        }
        // Nor by leaving it out and closing over it.
        let refused = Err(Refused::OwnAccess(id(1)));
        check::<AccessReview>(&given, close(by(ada()), true), refused);
    }
    {
        let held = key(KeyOwner::ServiceAccount { service_account_id: id(5) });
        let given = [opened(vec![ReviewLine { line_id: id(1), held }])];
        let fine = Ok(vec![attested(1, Keep, None)]);
        check::<AccessReview>(&given, attest(by(ada()), &[(1, Keep, None)]), fine);
    }
}

#[test]
fn closing_wants_every_line_attested_or_revoked() {
    let given = [opened(lines(3..=6)), attested(3, Keep, None), attested(4, Revoke, Some("left"))];
    let unattested = Refused::Unattested { lines: 2, first: id(5) };
    check::<AccessReview>(&given, close(by(ada()), false), Err(unattested));
    let all = closed(ReviewOutcome::Completed, 1, 1, 2);
    check::<AccessReview>(&given, close(by(ada()), true), Ok(vec![all.clone()]));

    let mut review = folded::<AccessReview>(&given);
    let named = |review: &AccessReview, unattested: bool| -> Vec<(ReviewLineId, String)> {
        let all = review.revocations(unattested);
        all.into_iter().map(|revoked| (revoked.line_id, revoked.reason)).collect()
    };
    let left = (id(4), "left".to_owned());
    assert_eq!(named(&review, false), std::slice::from_ref(&left));
    let nobody = "nobody attested it in the access review “First quarter”".to_owned();
    assert_eq!(named(&review, true), [left, (id(5), nobody.clone()), (id(6), nobody)]);
    review.evolve(&all);
    assert_eq!(named(&review, true), []);
    assert_eq!(review.held(id(4)), None);

    // Closed is closed: again changes nothing, and it cannot be cancelled any more.
    let done = [&given[..], &[all]].concat();
    check::<AccessReview>(&done, close(by(ada()), false), Ok(vec![]));
    let outcome = ReviewOutcome::Completed;
    let cancel = Ask::Cancel { reviewer: by(ada()), reason: None };
    check::<AccessReview>(&done, cancel, Err(Refused::Closed { outcome }));
}

#[test]
fn what_ended_by_itself_is_named_where_it_was_to_be_revoked() {
    let given = [opened(lines(3..=5)), attested(3, Keep, None), attested(4, Revoke, Some("left"))];
    let close = Ask::Close {
        reviewer: by(ada()),
        revoke_unattested: true,
        already_ended: vec![id(5), id(3), id(4), id(4), id(99)],
    };
    let then = Was::Closed {
        outcome: ReviewOutcome::Completed,
        reason: None,
        kept: 1,
        revoked: 1,
        unattested: 1,
        already_ended: vec![id(4), id(5)],
    };
    check::<AccessReview>(&given, close, Ok(vec![then]));
}

#[test]
fn a_cancelled_review_ends_nothing_and_stays_cancelled() {
    let given = [opened(lines(3..=4)), attested(4, Revoke, Some("left"))];
    let cancel = |reason: Option<&str>| Ask::Cancel {
        reviewer: by(ada()),
        reason: reason.map(str::to_owned),
    };
    let Was::Closed { outcome, kept, revoked, unattested, already_ended, .. } =
        closed(ReviewOutcome::Cancelled, 0, 1, 1)
    else {
        unreachable!("it is closed")
    };
    let reason = Some("opened twice".to_owned());
    let cancelled = Was::Closed { outcome, reason, kept, revoked, unattested, already_ended };
    check::<AccessReview>(&given, cancel(Some("opened twice")), Ok(vec![cancelled.clone()]));
    let done = [&given[..], &[cancelled]].concat();
    check::<AccessReview>(&done, cancel(None), Ok(vec![]));
    check::<AccessReview>(&done, close(by(ada()), true), Err(Refused::Closed { outcome }));
    assert_eq!(folded::<AccessReview>(&done).revocations(true), []);
}

#[test]
fn to_another_organization_and_before_it_is_opened_there_is_none() {
    let asked = |reviewer: &Reviewer| {
        [
            attest(reviewer.clone(), &[(3, Keep, None)]),
            close(reviewer.clone(), true),
            Ask::Cancel { reviewer: reviewer.clone(), reason: None },
        ]
    };
    let open = [opened(lines(3..=3))];
    let ended = [open[0].clone(), closed(ReviewOutcome::Completed, 0, 0, 1)];
    for given in [&open[..], &ended[..]] {
        for when in asked(&of_another_organization()) {
            check::<AccessReview>(given, when, Err(Refused::NotFound));
        }
    }
    for when in asked(&by(ada())) {
        check::<AccessReview>(&[], when, Err(Refused::NotFound));
    }
}

#[test]
fn only_who_may_review_is_a_reviewer() {
    use crate::organization::OrganizationError as No;
    let organization = organization();
    let reviewer = |by| organization.reviewer(by).map(|_| ());
    assert_eq!(reviewer(Authority::Member(ada())), Ok(()));
    assert_eq!(reviewer(Authority::Operator), Ok(()));
    assert_eq!(reviewer(Authority::Member(id(3))), Err(No::NotAllowed(id(3))));
    assert_eq!(reviewer(Authority::Member(id(9))), Err(No::NotAllowed(id(9))));
    let owner = KeyOwner::Member { member_id: ada() };
    let key = |project_id, scopes| Authority::ApiKey { owner, project_id, scopes, rank_max: None };
    assert_eq!(reviewer(key(None, None)), Ok(()));
    assert_eq!(reviewer(key(None, Some(PermissionSet::NONE))), Err(No::NotAllowed(ada())));
    assert_eq!(reviewer(key(Some(id(9)), None)), Err(No::NotFound));
    assert_eq!(Organization::default().reviewer(Authority::Operator).err(), Some(No::NotFound));
}
