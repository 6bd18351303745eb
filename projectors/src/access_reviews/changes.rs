//! What a page says about access reviews, and the statements that write it: one of each kind,
//! however much the page says.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_schemas::{AccessReviewEvent, RecordedEvent, ReviewLine, ReviewOutcome};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::rows::HeldColumns;
use crate::events::{self, Stream};
use crate::projection::ProjectionError;

/// What a page says about access reviews.
#[derive(Default)]
pub(super) struct Changes {
    reviews: Vec<Opened>,
    lines: Vec<Added>,
    /// What was said last of each line.
    attested: BTreeMap<Uuid, Attested>,
    /// All that was said, by position.
    said: BTreeMap<i64, (Uuid, Attested)>,
    closed: Vec<Closed>,
    /// Where each review's stream stands.
    sequences: BTreeMap<Uuid, i64>,
}

struct Opened {
    access_review_id: Uuid,
    organization_id: Uuid,
    title: String,
    scope: Value,
    due_at: DateTime<Utc>,
    by: String,
    at: DateTime<Utc>,
    position: i64,
}

struct Added {
    access_review_id: Uuid,
    organization_id: Uuid,
    line: ReviewLine,
    held: Value,
}

#[derive(Clone)]
struct Attested {
    organization_id: Uuid,
    decision: &'static str,
    reason: Option<String>,
    by: String,
    at: DateTime<Utc>,
}

struct Closed {
    access_review_id: Uuid,
    outcome: &'static str,
    reason: Option<String>,
    by: String,
    at: DateTime<Utc>,
    position: i64,
    already_ended: Vec<Uuid>,
}

impl Changes {
    pub(super) fn of(recorded: &[RecordedEvent]) -> Result<Self, ProjectionError> {
        let mut changes = Self::default();
        for recorded in recorded {
            match Stream::of(recorded)? {
                Stream::AccessReview => changes.add(recorded)?,
                Stream::Organization
                | Stream::Project
                | Stream::ServiceAccount
                | Stream::ApiKey
                | Stream::Approval
                | Stream::Person
                | Stream::Usage
                | Stream::UsageMonth
                | Stream::Refusal
                | Stream::CreditAccount
                | Stream::Budget
                | Stream::Webhook
                | Stream::PriceList
                | Stream::Name
                | Stream::SigningKey => {}
            }
        }
        Ok(changes)
    }

    fn add(&mut self, recorded: &RecordedEvent) -> Result<(), ProjectionError> {
        let access_review_id = events::stream_id(recorded)?;
        let organization_id = events::organization(recorded)?.0;
        let by = events::actor(recorded)?;
        let (at, position) = (recorded.occurred_at, recorded.position);
        self.sequences.insert(access_review_id, recorded.sequence);
        match events::read::<AccessReviewEvent>(recorded)? {
            AccessReviewEvent::Opened {
                access_review_id: _,
                organization_id: _,
                title,
                scope,
                due_at,
                lines,
            } => {
                let scope = events::json(recorded, &scope)?;
                self.reviews.push(Opened {
                    access_review_id,
                    organization_id,
                    title,
                    scope,
                    due_at,
                    by,
                    at,
                    position,
                });
                self.add_lines(recorded, &lines)?;
            }
            AccessReviewEvent::LinesAdded { lines } => self.add_lines(recorded, &lines)?,
            AccessReviewEvent::Attested { line_id, decision, reason } => {
                let decision = decision.as_str();
                let attested = Attested { organization_id, decision, reason, by, at };
                self.said.insert(position, (line_id.0, attested.clone()));
                self.attested.insert(line_id.0, attested);
            }
            AccessReviewEvent::Closed {
                outcome,
                reason,
                kept: _,
                revoked: _,
                unattested: _,
                already_ended,
            } => self.closed.push(Closed {
                access_review_id,
                outcome: outcome.as_str(),
                reason,
                by,
                at,
                position,
                already_ended: already_ended.iter().map(|id| id.0).collect(),
            }),
        }
        Ok(())
    }

    fn add_lines(
        &mut self,
        recorded: &RecordedEvent,
        lines: &[ReviewLine],
    ) -> Result<(), ProjectionError> {
        let access_review_id = events::stream_id(recorded)?;
        let organization_id = events::organization(recorded)?.0;
        for line in lines {
            let held = events::json(recorded, &line.held)?;
            self.lines.push(Added { access_review_id, organization_id, line: *line, held });
        }
        Ok(())
    }

    pub(super) async fn insert_reviews(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let reviews = &self.reviews;
        if reviews.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into access_reviews (access_review_id, organization_id, title, scope, due_at,
                 state, opened_by, opened_at, opened_position)
             select id, organization_id, title, scope, due_at, 'open', by, at, position
             from unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[], $5::timestamptz[],
                 $6::text[], $7::timestamptz[], $8::bigint[])
                 as r(id, organization_id, title, scope, due_at, by, at, position)",
        )
        .bind(reviews.iter().map(|r| r.access_review_id).collect::<Vec<_>>())
        .bind(reviews.iter().map(|r| r.organization_id).collect::<Vec<_>>())
        .bind(reviews.iter().map(|r| r.title.as_str()).collect::<Vec<_>>())
        .bind(reviews.iter().map(|r| &r.scope).collect::<Vec<_>>())
        .bind(reviews.iter().map(|r| r.due_at).collect::<Vec<_>>())
        .bind(reviews.iter().map(|r| r.by.as_str()).collect::<Vec<_>>())
        .bind(reviews.iter().map(|r| r.at).collect::<Vec<_>>())
        .bind(reviews.iter().map(|r| r.position).collect::<Vec<_>>())
        .execute(tx)
        .await?;
        Ok(())
    }

    /// A line's place follows those that the review has already, wherever pages begin.
    pub(super) async fn insert_lines(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let lines = &self.lines;
        if lines.is_empty() {
            return Ok(());
        }
        let held: Vec<HeldColumns> = lines.iter().map(|l| HeldColumns::of(&l.line.held)).collect();
        sqlx::query(
            "insert into access_review_lines (line_id, access_review_id, organization_id, ordinal,
                 kind, holder_kind, holder_id, project_id, group_id, role_id, api_key_id, held)
             select l.id, l.review_id, l.organization_id,
                 coalesce(b.lines, 0) + row_number() over (partition by l.review_id order by l.n),
                 l.kind, l.holder_kind, l.holder_id, l.project_id, l.group_id, l.role_id,
                 l.api_key_id, l.held
             from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[],
                 $7::uuid[], $8::uuid[], $9::uuid[], $10::uuid[], $11::jsonb[]) with ordinality
                 as l(id, review_id, organization_id, kind, holder_kind, holder_id, project_id,
                      group_id, role_id, api_key_id, held, n)
             left join (select access_review_id, count(*) as lines from access_review_lines
                        where access_review_id = any($2) group by access_review_id) b
                 on b.access_review_id = l.review_id",
        )
        .bind(lines.iter().map(|l| l.line.line_id.0).collect::<Vec<_>>())
        .bind(lines.iter().map(|l| l.access_review_id).collect::<Vec<_>>())
        .bind(lines.iter().map(|l| l.organization_id).collect::<Vec<_>>())
        .bind(held.iter().map(|h| h.kind).collect::<Vec<_>>())
        .bind(held.iter().map(|h| h.holder_kind).collect::<Vec<_>>())
        .bind(held.iter().map(|h| h.holder_id).collect::<Vec<_>>())
        .bind(held.iter().map(|h| h.project_id).collect::<Vec<_>>())
        .bind(held.iter().map(|h| h.group_id).collect::<Vec<_>>())
        .bind(held.iter().map(|h| h.role_id).collect::<Vec<_>>())
        .bind(held.iter().map(|h| h.api_key_id).collect::<Vec<_>>())
        .bind(lines.iter().map(|l| &l.held).collect::<Vec<_>>())
        .execute(tx)
        .await?;
        Ok(())
    }

    pub(super) async fn attest_lines(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let said = &self.attested;
        if said.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update access_review_lines l
             set decision = a.decision, reason = a.reason, attested_by = a.by, attested_at = a.at
             from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
                 as a(id, decision, reason, by, at)
             where l.line_id = a.id",
        )
        .bind(said.keys().copied().collect::<Vec<_>>())
        .bind(said.values().map(|a| a.decision).collect::<Vec<_>>())
        .bind(said.values().map(|a| a.reason.as_deref()).collect::<Vec<_>>())
        .bind(said.values().map(|a| a.by.as_str()).collect::<Vec<_>>())
        .bind(said.values().map(|a| a.at).collect::<Vec<_>>())
        .execute(tx)
        .await?;
        Ok(())
    }

    pub(super) async fn keep_attestations(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let said = &self.said;
        if said.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into access_review_attestations (position, line_id, organization_id, decision,
                 reason, attested_by, attested_at)
             select * from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[],
                 $6::text[], $7::timestamptz[])",
        )
        .bind(said.keys().copied().collect::<Vec<_>>())
        .bind(said.values().map(|(line_id, _)| *line_id).collect::<Vec<_>>())
        .bind(said.values().map(|(_, a)| a.organization_id).collect::<Vec<_>>())
        .bind(said.values().map(|(_, a)| a.decision).collect::<Vec<_>>())
        .bind(said.values().map(|(_, a)| a.reason.as_deref()).collect::<Vec<_>>())
        .bind(said.values().map(|(_, a)| a.by.as_str()).collect::<Vec<_>>())
        .bind(said.values().map(|(_, a)| a.at).collect::<Vec<_>>())
        .execute(tx)
        .await?;
        Ok(())
    }

    pub(super) async fn move_sequences(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.sequences.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update access_reviews r set sequence = s.sequence
             from unnest($1::uuid[], $2::bigint[]) as s(id, sequence)
             where r.access_review_id = s.id",
        )
        .bind(self.sequences.keys().copied().collect::<Vec<_>>())
        .bind(self.sequences.values().copied().collect::<Vec<_>>())
        .execute(tx)
        .await?;
        Ok(())
    }

    pub(super) async fn close_reviews(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let closed = &self.closed;
        if closed.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "update access_reviews r
             set state = c.outcome, reason = c.reason, closed_by = c.by, closed_at = c.at,
                 closed_position = c.position
             from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
                 $6::bigint[]) as c(id, outcome, reason, by, at, position)
             where r.access_review_id = c.id",
        )
        .bind(closed.iter().map(|c| c.access_review_id).collect::<Vec<_>>())
        .bind(closed.iter().map(|c| c.outcome).collect::<Vec<_>>())
        .bind(closed.iter().map(|c| c.reason.as_deref()).collect::<Vec<_>>())
        .bind(closed.iter().map(|c| c.by.as_str()).collect::<Vec<_>>())
        .bind(closed.iter().map(|c| c.at).collect::<Vec<_>>())
        .bind(closed.iter().map(|c| c.position).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
        let ended: Vec<Uuid> = closed.iter().flat_map(|c| c.already_ended.clone()).collect();
        sqlx::query(
            "update access_review_lines l
             set outcome = case
                 when r.state = $3 then r.state
                 when l.decision = 'keep' then 'kept'
                 when l.line_id = any($2) then 'already_ended'
                 else 'revoked' end
             from access_reviews r
             where r.access_review_id = any($1) and l.access_review_id = r.access_review_id",
        )
        .bind(closed.iter().map(|c| c.access_review_id).collect::<Vec<_>>())
        .bind(ended)
        .bind(ReviewOutcome::Cancelled.as_str())
        .execute(tx)
        .await?;
        Ok(())
    }
}
