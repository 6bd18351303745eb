//! Access reviews and their lines, as the events made them.

use event_schemas::{
    AccessReviewEvent, AccessReviewId, Grantee, HeldAccess, MemberId, OrganizationEvent,
    OrganizationId, OrganizationRole, ProjectId, ProjectRole, ReviewDecision, ReviewLine,
    ReviewLineId, ReviewOutcome, ReviewScope,
};
use serde_json::{Value, json};

use crate::support::{World, column, id, path, time};

const ACME: u128 = 1;
const PROD: u128 = 10;
const ALICE: u128 = 20;
const BOB: u128 = 21;
const FIRST: u128 = 40;
const SECOND: u128 = 41;

fn lines(first: u128) -> Vec<ReviewLine> {
    let member = |member| HeldAccess::MemberRole {
        member_id: MemberId(id(member)),
        role: OrganizationRole::Member,
    };
    let in_prod = HeldAccess::ProjectRole {
        project_id: ProjectId(id(PROD)),
        holder: Grantee::Member { member_id: MemberId(id(ALICE)) },
        role: ProjectRole::Owner,
    };
    let held = [member(ALICE), member(BOB), in_prod, member(99)];
    let lines = (first..).zip(held);
    lines.map(|(n, held)| ReviewLine { line_id: ReviewLineId(id(n)), held }).collect()
}

async fn open(world: &World, review: u128, at: &str, first_line: u128) {
    let mut lines = lines(first_line);
    let more = lines.split_off(3);
    let opened = AccessReviewEvent::Opened {
        access_review_id: AccessReviewId(id(review)),
        organization_id: OrganizationId(id(ACME)),
        title: format!("Review {review}"),
        scope: ReviewScope::Project { project_id: ProjectId(id(PROD)) },
        due_at: time("2026-06-01T00:00:00Z"),
        lines,
    };
    world.append(ACME, review, at, opened).await;
    world.append(ACME, review, at, AccessReviewEvent::LinesAdded { lines: more }).await;
}

async fn attest(world: &World, review: u128, line: u128, decision: ReviewDecision) {
    let attested = AccessReviewEvent::Attested {
        line_id: ReviewLineId(id(line)),
        decision,
        reason: Some("so".to_owned()),
    };
    world.append(ACME, review, "2026-03-01T00:00:00Z", attested).await;
}

async fn close(world: &World, review: u128, outcome: ReviewOutcome, ended: &[u128]) {
    let closed = AccessReviewEvent::Closed {
        outcome,
        reason: None,
        kept: 0,
        revoked: 0,
        unattested: 0,
        already_ended: ended.iter().map(|line| ReviewLineId(id(*line))).collect(),
    };
    world.append(ACME, review, "2026-04-01T00:00:00Z", closed).await;
}

async fn acme() -> World {
    let world = World::new().await;
    world.organization(ACME, "2026-01-01T00:00:00Z", "Acme").await;
    world.project(ACME, PROD, "2026-01-01T00:00:00Z", "Prod").await;
    world.member(ACME, ALICE, "2026-01-01T00:00:00Z", "alice").await;
    world.member(ACME, BOB, "2026-01-01T00:00:00Z", "bob").await;
    open(&world, FIRST, "2026-02-01T00:00:00Z", 100).await;
    open(&world, SECOND, "2026-02-02T00:00:00Z", 200).await;
    attest(&world, FIRST, 100, ReviewDecision::Revoke).await;
    attest(&world, FIRST, 100, ReviewDecision::Keep).await;
    attest(&world, FIRST, 101, ReviewDecision::Revoke).await;
    let left = OrganizationEvent::MemberRemoved { member_id: MemberId(id(BOB)), reason: None };
    world.append(ACME, ACME, "2026-03-02T00:00:00Z", left).await;
    world.project_all().await;
    world
}

fn lines_of(review: u128, query: &str) -> String {
    path(ACME, &format!("/access-reviews/{}/lines{query}", id(review)))
}

#[tokio::test]
async fn reviews_are_listed_the_newest_first_with_how_far_they_are() {
    let world = acme().await;
    let reviews = world.found(&path(ACME, "/access-reviews")).await.at("/items");
    assert_eq!(column(&reviews, "title"), ["Review 41", "Review 40"]);
    let first = world.found(&path(ACME, &format!("/access-reviews/{}", id(FIRST)))).await;
    // Opened, lines added, and attested three times.
    assert_eq!(first.headers["etag"], "\"5\"");
    let first = first.json();
    let expected = json!({
        "access_review_id": id(FIRST),
        "title": "Review 40",
        "scope": {"kind": "project", "project_id": id(PROD)},
        "due_at": "2026-06-01T00:00:00Z",
        "state": "open",
        "opened_by": "operator:ops",
        "opened_at": "2026-02-01T00:00:00Z",
        "closed_by": null,
        "closed_at": null,
        "reason": null,
        "lines": 4,
        "keep": 1,
        "revoke": 1,
        "revoked": 0,
    });
    assert_eq!(first, expected);
    assert_eq!(reviews[1], expected);

    close(&world, SECOND, ReviewOutcome::Cancelled, &[]).await;
    world.project_all().await;
    for (state, titles) in
        [("open", &["Review 40"][..]), ("cancelled", &["Review 41"]), ("completed", &[])]
    {
        let query = format!("/access-reviews?state={state}");
        let found = world.found(&path(ACME, &query)).await.at("/items");
        assert_eq!(column(&found, "title"), titles, "{state}");
    }
    let page = world.found(&path(ACME, "/access-reviews?limit=1")).await;
    let cursor = page.at("/next_cursor");
    let next = format!("/access-reviews?cursor={}", cursor.as_str().expect("there is more"));
    let next = world.found(&path(ACME, &next)).await.at("/items");
    assert_eq!(column(&next, "title"), ["Review 40"]);
}

#[tokio::test]
async fn lines_say_what_was_held_and_what_was_said_of_it() {
    let world = acme().await;
    let lines = world.found(&lines_of(FIRST, "")).await.at("/items");
    let line = |n: usize, field: &str| lines[n][field].clone();
    assert_eq!([0, 1, 2, 3].map(|n| line(n, "ordinal")), [1, 2, 3, 4].map(|n| json!(n)));
    assert_eq!(line(0, "line_id"), json!(id(100)));
    let held = json!({"kind": "member_role", "member_id": id(ALICE), "role": "member"});
    assert_eq!(line(0, "held"), held);
    assert_eq!((line(0, "holder"), line(0, "decision")), (json!("alice"), json!("keep")));
    // Bob has left: his last name tells whose it was.
    assert_eq!((line(1, "holder"), line(1, "decision")), (json!("bob"), json!("revoke")));
    assert_eq!((line(2, "project"), line(2, "holder")), (json!("Prod"), json!("alice")));
    assert_eq!((line(3, "decision"), line(3, "outcome")), (Value::Null, Value::Null));

    let numbers = async |query: &str| -> Vec<i64> {
        let found = world.found(&lines_of(FIRST, query)).await.at("/items");
        let found = found.as_array().expect("an array").iter();
        found.map(|line| line["ordinal"].as_i64().expect("a number")).collect()
    };
    assert_eq!(numbers("?state=open").await, [3, 4]);
    assert_eq!(numbers("?state=attested").await, [1, 2]);
    assert_eq!(numbers("?decision=revoke").await, [2]);
    let page = world.found(&lines_of(FIRST, "?limit=3")).await.at("/next_cursor");
    let cursor = page.as_str().expect("there is more");
    assert_eq!(numbers(&format!("?cursor={cursor}")).await, [4]);
    world.get(&lines_of(SECOND, &format!("?cursor={cursor}"))).await.assert_problem(
        400,
        "invalid-request",
        "another review's",
    );
    world.get(&lines_of(77, "")).await.assert_problem(404, "not-found", "no such review");
}

#[tokio::test]
async fn once_it_is_closed_lines_say_what_became_of_them() {
    let world = acme().await;
    close(&world, FIRST, ReviewOutcome::Completed, &[101]).await;
    close(&world, SECOND, ReviewOutcome::Cancelled, &[]).await;
    world.project_all().await;
    let outcomes = async |review| {
        let lines = world.found(&lines_of(review, "")).await.at("/items");
        column(&lines, "outcome")
    };
    assert_eq!(outcomes(FIRST).await, ["kept", "already_ended", "revoked", "revoked"]);
    assert_eq!(outcomes(SECOND).await, ["cancelled"; 4]);
    let first = world.found(&path(ACME, &format!("/access-reviews/{}", id(FIRST)))).await;
    assert_eq!((first.at("/state"), first.at("/revoked")), (json!("completed"), json!(2)));
}

#[tokio::test]
async fn a_review_is_as_it_was_and_as_it_was_known() {
    let world = acme().await;
    close(&world, FIRST, ReviewOutcome::Completed, &[]).await;
    world.project_all().await;
    let decided = async |query: &str| {
        let lines = world.found(&lines_of(FIRST, query)).await.at("/items");
        (lines[0]["decision"].clone(), lines[0]["outcome"].clone(), lines[1]["decision"].clone())
    };
    let none = || Value::Null;
    // What was said first of the first line is not forgotten.
    assert_eq!(decided("").await, (json!("keep"), json!("kept"), json!("revoke")));
    assert_eq!(decided("?at_position=9").await, (json!("revoke"), none(), none()));
    assert_eq!(decided("?at_position=10").await, (json!("keep"), none(), none()));
    assert_eq!(decided("?as_of=2026-02-15").await, (none(), none(), none()));
    assert_eq!(decided("?as_of=2026-03-15").await, (json!("keep"), none(), json!("revoke")));
    let state = async |query: &str| {
        let review = path(ACME, &format!("/access-reviews/{}{query}", id(FIRST)));
        let review = world.found(&review).await;
        (review.at("/state"), review.at("/keep"), review.at("/closed_at"))
    };
    assert_eq!(state("?as_of=2026-03-15").await, (json!("open"), json!(1), none()));
    assert_eq!(state("?as_of=2026-04-15").await.0, json!("completed"));
    let open = world.found(&path(ACME, "/access-reviews?as_of=2026-02-01")).await.at("/items");
    assert_eq!(column(&open, "title"), ["Review 40"]);
    let early = path(ACME, &format!("/access-reviews/{}?as_of=2026-01-15", id(FIRST)));
    world.get(&early).await.assert_problem(404, "not-found", "before it was opened");
}
