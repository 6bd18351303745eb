//! What is read of the log, and what stands in the schema `delivery`.

use chrono::{DateTime, Utc};
use event_schemas::{OrganizationId, WebhookId};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use super::message::Event;
use super::send::{Fate, Outcome};

/// How many events are read at once.
const EVENTS_MAX: i64 = 1_000;

/// How many deliveries are forgotten in one statement.
const FORGOTTEN_MAX: i64 = 5_000;

/// An event that may be somebody's to send.
pub(super) struct Entry {
    pub(super) position: i64,
    pub(super) organization_id: Option<OrganizationId>,
    pub(super) event_type: String,
    /// Of a webhook's own stream: which, at which sequence, and the payload.
    pub(super) of_webhook: Option<(WebhookId, i64, serde_json::Value)>,
}

/// Where the log ends.
pub(super) async fn head(log: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select position from log.head").fetch_one(log).await
}

/// The events of webhooks' streams up to a position.
pub(super) async fn webhooks(log: &PgPool, upto: i64) -> anyhow::Result<Vec<Entry>> {
    let rows = sqlx::query(
        "select position, organization_id, event_type, aggregate_type, aggregate_id, sequence, payload
         from log.events where aggregate_type = 'webhook' and position <= $1 order by position",
    )
    .bind(upto)
    .fetch_all(log)
    .await?;
    rows.iter().map(entry).collect()
}

/// The events after a position and up to another that are of these organizations, or of a webhook's
/// stream; and up to where that is all of them.
pub(super) async fn page(
    log: &PgPool,
    after: i64,
    upto: i64,
    organizations: &[Uuid],
) -> anyhow::Result<(Vec<Entry>, i64)> {
    let rows = sqlx::query(
        "select position, organization_id, event_type, aggregate_type, aggregate_id, sequence,
             case when aggregate_type = 'webhook' then payload end as payload
         from log.events
         where position > $1 and position <= $2
             and (organization_id = any($3) or aggregate_type = 'webhook')
         order by position limit $4",
    )
    .bind(after)
    .bind(upto)
    .bind(organizations)
    .bind(EVENTS_MAX)
    .fetch_all(log)
    .await?;
    let entries = rows.iter().map(entry).collect::<anyhow::Result<Vec<_>>>()?;
    let is_full = i64::try_from(entries.len()) == Ok(EVENTS_MAX);
    let last = entries.last().map(|entry| entry.position).filter(|_| is_full);
    Ok((entries, last.unwrap_or(upto)))
}

fn entry(row: &PgRow) -> anyhow::Result<Entry> {
    let of_webhook = match row.try_get("aggregate_type")? {
        "webhook" => {
            let id: &str = row.try_get("aggregate_id")?;
            Some((id.parse()?, row.try_get("sequence")?, row.try_get("payload")?))
        }
        _other => None,
    };
    Ok(Entry {
        position: row.try_get("position")?,
        organization_id: row.try_get::<Option<Uuid>, _>("organization_id")?.map(OrganizationId),
        event_type: row.try_get("event_type")?,
        of_webhook,
    })
}

/// The types of an organization's events after a position and up to another, and up to where that is
/// all of them. It reads that piece of the log: events have no index by organization, which every append
/// would pay for.
pub(super) async fn types(
    log: &PgPool,
    organization_id: OrganizationId,
    after: i64,
    upto: i64,
) -> Result<(Vec<(i64, String)>, i64), sqlx::Error> {
    let found: Vec<(i64, String)> = sqlx::query_as(
        "select position, event_type from log.events
         where position > $1 and position <= $2 and organization_id = $3 order by position limit $4",
    )
    .bind(after)
    .bind(upto)
    .bind(organization_id.0)
    .bind(EVENTS_MAX)
    .fetch_all(log)
    .await?;
    let is_full = i64::try_from(found.len()) == Ok(EVENTS_MAX);
    let last = found.last().map(|(position, _)| *position).filter(|_| is_full);
    Ok((found, last.unwrap_or(upto)))
}

/// The event at a position, of that organization.
pub(super) async fn event(
    log: &PgPool,
    organization_id: OrganizationId,
    position: i64,
) -> Result<Event, sqlx::Error> {
    let row = sqlx::query(
        "select event_id, aggregate_type, aggregate_id, sequence, event_type, event_version,
             payload::text as payload,
             (metadata ->> 'actor_kind') || ':' || (metadata ->> 'actor_id') as actor,
             occurred_at, recorded_at
         from log.events where position = $1 and organization_id = $2",
    )
    .bind(position)
    .bind(organization_id.0)
    .fetch_one(log)
    .await?;
    Ok(Event {
        position,
        event_id: row.try_get("event_id")?,
        organization_id,
        stream_type: row.try_get("aggregate_type")?,
        stream_id: row.try_get("aggregate_id")?,
        sequence: row.try_get("sequence")?,
        event_type: row.try_get("event_type")?,
        event_version: row.try_get("event_version")?,
        payload: row.try_get("payload")?,
        actor: row.try_get("actor")?,
        occurred_at: row.try_get("occurred_at")?,
        recorded_at: row.try_get("recorded_at")?,
    })
}

/// How far a webhook is, as `delivery.webhooks` has it.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    pub(super) webhook_id: WebhookId,
    pub(super) position: i64,
    pub(super) replay: i64,
    pub(super) replay_position: Option<i64>,
    pub(super) replay_upto: Option<i64>,
    pub(super) attempts: i32,
    pub(super) sequence: i64,
    pub(super) next_attempt_at: Option<DateTime<Utc>>,
    pub(super) status: Option<i16>,
    /// The position of the last test that was sent.
    pub(super) tested: i64,
}

impl Progress {
    /// How far a webhook is; one that was not looked at before begins after its creation.
    pub(super) async fn of(
        log: &PgPool,
        webhook_id: WebhookId,
        organization_id: OrganizationId,
        created_at_position: i64,
    ) -> Result<Self, sqlx::Error> {
        sqlx::query(
            "insert into delivery.webhooks (webhook_id, organization_id, position)
             values ($1, $2, $3) on conflict (webhook_id) do nothing",
        )
        .bind(webhook_id.0)
        .bind(organization_id.0)
        .bind(created_at_position)
        .execute(log)
        .await?;
        let row = sqlx::query(
            "select position, replay, replay_position, replay_upto, attempts, sequence,
                 next_attempt_at, status, tested
             from delivery.webhooks where webhook_id = $1",
        )
        .bind(webhook_id.0)
        .fetch_one(log)
        .await?;
        Ok(Self {
            webhook_id,
            position: row.try_get("position")?,
            replay: row.try_get("replay")?,
            replay_position: row.try_get("replay_position")?,
            replay_upto: row.try_get("replay_upto")?,
            attempts: row.try_get("attempts")?,
            sequence: row.try_get("sequence")?,
            next_attempt_at: row.try_get("next_attempt_at")?,
            status: row.try_get("status")?,
            tested: row.try_get("tested")?,
        })
    }

    /// Keeps it, where nothing was sent.
    pub(super) async fn save(&self, log: &PgPool) -> Result<(), sqlx::Error> {
        sqlx::query(
            "update delivery.webhooks set position = $2, replay = $3, replay_position = $4,
                 replay_upto = $5, attempts = $6, sequence = $7, next_attempt_at = $8
             where webhook_id = $1",
        )
        .bind(self.webhook_id.0)
        .bind(self.position)
        .bind(self.replay)
        .bind(self.replay_position)
        .bind(self.replay_upto)
        .bind(self.attempts)
        .bind(self.sequence)
        .bind(self.next_attempt_at)
        .execute(log)
        .await?;
        Ok(())
    }

    /// Keeps it together with what came of sending an event, in one statement.
    pub(super) async fn note(
        &self,
        log: &PgPool,
        event: &Event,
        state: &str,
        outcome: &Outcome,
        at: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "with progress as (
                 update delivery.webhooks set position = $2, replay_position = $3, attempts = $4,
                     next_attempt_at = $5, attempted_at = $6, status = $7, error = $8
                 where webhook_id = $1)
             insert into delivery.deliveries as d (webhook_id, position, organization_id, event_id,
                 event_type, state, attempts, status, error, first_attempt_at, last_attempt_at)
             values ($1, $9, $10, $11, $12, $13, 1, $7, $8, $6, $6)
             on conflict (webhook_id, position) do update set state = excluded.state,
                 attempts = d.attempts + 1, status = excluded.status, error = excluded.error,
                 last_attempt_at = excluded.last_attempt_at",
        )
        .bind(self.webhook_id.0)
        .bind(self.position)
        .bind(self.replay_position)
        .bind(self.attempts)
        .bind(self.next_attempt_at)
        .bind(at)
        .bind(outcome.status.and_then(|status| i16::try_from(status).ok()))
        .bind(&outcome.error)
        .bind(event.position)
        .bind(event.organization_id.0)
        .bind(event.event_id)
        .bind(&event.event_type)
        .bind(state)
        .execute(log)
        .await?;
        Ok(())
    }
}

/// Keeps what came of a test, and that it was sent. Nothing else about the webhook follows from it.
pub(super) async fn note_test(
    log: &PgPool,
    webhook_id: WebhookId,
    event: &Event,
    outcome: &Outcome,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with progress as (
             update delivery.webhooks set tested = $2 where webhook_id = $1)
         insert into delivery.deliveries as d (webhook_id, position, organization_id, event_id,
             event_type, state, attempts, status, error, first_attempt_at, last_attempt_at)
         values ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9, $9)
         on conflict (webhook_id, position) do update set state = excluded.state,
             attempts = d.attempts + 1, status = excluded.status, error = excluded.error,
             last_attempt_at = excluded.last_attempt_at",
    )
    .bind(webhook_id.0)
    .bind(event.position)
    .bind(event.organization_id.0)
    .bind(event.event_id)
    .bind(&event.event_type)
    .bind(if outcome.fate == Fate::Taken { "delivered" } else { "failed" })
    .bind(outcome.status.and_then(|status| i16::try_from(status).ok()))
    .bind(&outcome.error)
    .bind(at)
    .execute(log)
    .await?;
    Ok(())
}

/// Forgets deliveries that nothing came of since a time.
pub(super) async fn forget(log: &PgPool, since: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let forget = "delete from delivery.deliveries where (webhook_id, position) in (
        select webhook_id, position from delivery.deliveries where last_attempt_at < $1 limit $2)";
    loop {
        let done = sqlx::query(forget).bind(since).bind(FORGOTTEN_MAX).execute(log).await?;
        if i64::try_from(done.rows_affected()).unwrap_or(0) < FORGOTTEN_MAX {
            return Ok(());
        }
    }
}
