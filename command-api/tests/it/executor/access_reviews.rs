//! Reviews in a race: what is attested, closed and ended at once.

use command_api::access_reviews::{
    AttestAccessReviewLine, AttestAccessReviewLineRequest, CloseAccessReview,
    CloseAccessReviewRequest, OpenAccessReview, OpenAccessReviewRequest,
};
use command_api::members::{AddMember, AddMemberRequest, RemoveMember, RemoveMemberRequest};
use command_api::organizations::CreateOrganization;
use command_api::{Command, CommandContext, ExecuteError, Executor, Refusal};
use domain::access_review::AccessReviewError;
use domain::organization::Authority;
use embedded::testing::unique_name;
use event_schemas::{
    AccessReviewId, MemberId, OrganizationId, OrganizationRole, ReviewDecision, ReviewLineId,
    ReviewScope,
};

use crate::support::{App, unlimited};

fn by(authority: Authority) -> CommandContext {
    CommandContext { authority, ..unlimited(None) }
}

async fn done<C: Command>(executor: &Executor, command: &C) -> C::Outcome {
    executor.execute(&by(Authority::System), command).await.expect("nothing limits it").outcome
}

/// A review of an organization's members: an owner, and one who is to go.
struct Race {
    organization_id: OrganizationId,
    access_review_id: AccessReviewId,
    owner: MemberId,
    leaver: MemberId,
    lines: Vec<(ReviewLineId, MemberId)>,
}

impl Race {
    async fn new(app: &App) -> Self {
        let executor = app.executor();
        let create = CreateOrganization { name: unique_name(), seat_limit: None, owner: None };
        let organization_id = done(executor, &create).await.organization_id;
        let add = async |role| {
            let request = AddMemberRequest { login: unique_name(), email: None, role: Some(role) };
            done(executor, &AddMember { organization_id, request }).await.member_id
        };
        let owner = add(OrganizationRole::Owner).await;
        let leaver = add(OrganizationRole::Member).await;
        let request = OpenAccessReviewRequest {
            title: "Members".to_owned(),
            scope: ReviewScope::Members {},
            due_at: event_log::clock::now() + chrono::TimeDelta::days(1),
        };
        let opened = done(executor, &OpenAccessReview { organization_id, request }).await;
        let access_review_id = opened.access_review_id;
        let lines = app.review_lines(&access_review_id.to_string()).await;
        let lines = lines.into_iter().map(|(line, held)| {
            let member = held["member_id"].as_str().expect("a member's");
            (line.parse().expect("an id"), member.parse().expect("an id"))
        });
        Self { organization_id, access_review_id, owner, leaver, lines: lines.collect() }
    }

    fn attest(&self, member_id: MemberId, decision: ReviewDecision) -> AttestAccessReviewLine {
        let line = self.lines.iter().find(|(_, of)| *of == member_id).expect("a line");
        AttestAccessReviewLine {
            organization_id: self.organization_id,
            access_review_id: self.access_review_id,
            line_id: line.0,
            request: AttestAccessReviewLineRequest { decision, reason: Some("so".to_owned()) },
        }
    }

    fn close(&self) -> CloseAccessReview {
        let request = CloseAccessReviewRequest { revoke_unattested: false };
        let (organization_id, access_review_id) = (self.organization_id, self.access_review_id);
        CloseAccessReview { organization_id, access_review_id, request }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_attested_last_before_the_end_is_what_ends() {
    let app = App::new().await;
    let processes = [app.executor().clone(), app.process().await.executor];
    for round in 0..12 {
        let race = Race::new(&app).await;
        done(&processes[0], &race.attest(race.owner, ReviewDecision::Keep)).await;
        done(&processes[0], &race.attest(race.leaver, ReviewDecision::Revoke)).await;
        let (change, close) = (race.attest(race.leaver, ReviewDecision::Keep), race.close());
        let owner = by(Authority::Member(race.owner));
        let (changed, closed) = tokio::join!(
            processes[round % 2].execute(&owner, &change),
            processes[1].execute(&owner, &close),
        );
        let closed = closed.expect("every line is attested").outcome;
        let removed = app.count("member.removed").await;
        match changed {
            Ok(changed) => assert!(changed.position > 0 && closed.revoked == 0),
            Err(ExecuteError::Refused(Refusal::AccessReview(AccessReviewError::Closed {
                ..
            }))) => assert_eq!(closed.revoked, 1),
            Err(error) => panic!("{error:?}"),
        }
        let last: String = sqlx::query_scalar(
            "select payload ->> 'decision' from log.events where aggregate_id = $1
             and event_type = 'access_review.attested' and payload ->> 'line_id' = $2
             order by position desc limit 1",
        )
        .bind(race.access_review_id.to_string())
        .bind(change.line_id.to_string())
        .fetch_one(app.pool())
        .await
        .expect("it was attested");
        assert_eq!(closed.revoked == 1, last == "revoke", "{removed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_membership_that_ends_meanwhile_ends_once() {
    let app = App::new().await;
    let other = app.process().await.executor;
    for round in 1..=12 {
        let race = Race::new(&app).await;
        done(app.executor(), &race.attest(race.owner, ReviewDecision::Keep)).await;
        done(app.executor(), &race.attest(race.leaver, ReviewDecision::Revoke)).await;
        let remove = RemoveMember {
            organization_id: race.organization_id,
            member_id: race.leaver,
            request: RemoveMemberRequest { reason: None },
        };
        let (owner, close) = (by(Authority::Member(race.owner)), race.close());
        let (removed, closed) =
            tokio::join!(other.execute(&owner, &remove), app.executor().execute(&owner, &close),);
        removed.expect("it is so now, whoever did it");
        let closed = closed.expect("every line is attested").outcome;
        assert_eq!(closed.revoked + closed.already_ended, 1);
        assert_eq!(app.count("member.removed").await, round);
    }
}
