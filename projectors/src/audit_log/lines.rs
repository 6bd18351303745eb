//! The lines of an audit log, to their table.

use chrono::{DateTime, Utc};
use event_schemas::{RecordedEvent, RefusalEvent};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::states::Difference;
use super::told::Told;
use crate::events;
use crate::feed::UsagePart;
use crate::projection::ProjectionError;

/// What stands in the stream's place where usage records have none.
const USAGE: &str = "usage";

/// A line, as in `tables.sql`.
#[derive(Debug, Clone)]
pub(super) struct Line {
    organization_id: Uuid,
    position: i64,
    last_position: i64,
    event_id: Uuid,
    event_type: String,
    stream_type: String,
    stream_id: String,
    sequence: Option<i64>,
    action: String,
    refused: Option<Refused>,
    actor: Option<String>,
    actor_person_id: Option<Uuid>,
    sender: Sender,
    target_kind: &'static str,
    target_id: String,
    project_id: Option<Uuid>,
    concerns: Vec<Uuid>,
    difference: Difference,
    reason: Option<String>,
    caused_by: Option<i64>,
    records: Option<i64>,
    occurred_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
}

/// What of a command was refused.
#[derive(Debug, Clone)]
struct Refused {
    problem: String,
    permission: Option<String>,
    unrecorded_before: u64,
}

/// What metadata says beside the actor.
#[derive(Debug, Clone, Default)]
struct Sender {
    credential: Option<String>,
    source_address: Option<String>,
    request_id: Option<String>,
    causation_id: Option<String>,
    traceparent: Option<String>,
}

impl Sender {
    fn of(metadata: &Value) -> Self {
        let text = |name: &str| metadata.get(name)?.as_str().map(str::to_owned);
        Self {
            credential: text("credential"),
            source_address: text("source_address"),
            request_id: text("correlation_id"),
            causation_id: text("causation_id"),
            traceparent: text("traceparent"),
        }
    }
}

impl Line {
    /// The line of an event.
    pub(super) fn of(
        recorded: &RecordedEvent,
        organization_id: Uuid,
        told: Told,
        difference: Difference,
    ) -> Result<Self, ProjectionError> {
        Ok(Self {
            organization_id,
            position: recorded.position,
            last_position: recorded.position,
            event_id: recorded.event_id,
            event_type: recorded.event_type.clone(),
            stream_type: recorded.aggregate_type.clone(),
            stream_id: recorded.aggregate_id.clone(),
            sequence: Some(recorded.sequence),
            action: recorded.event_type.clone(),
            refused: None,
            actor: Some(events::actor(recorded)?),
            actor_person_id: events::external_person(recorded).map(|id| id.0),
            sender: Sender::of(&recorded.metadata),
            target_kind: told.kind,
            target_id: told.id,
            project_id: told.project_id,
            concerns: told.concerns,
            difference,
            reason: told.reason,
            caused_by: told.caused_by,
            records: None,
            occurred_at: recorded.occurred_at,
            recorded_at: recorded.recorded_at,
        })
    }

    /// The line of a command that was refused.
    pub(super) fn refused(
        recorded: &RecordedEvent,
        organization_id: Uuid,
        event: RefusalEvent,
    ) -> Result<Self, ProjectionError> {
        let RefusalEvent::Recorded {
            organization_id: _,
            command,
            problem,
            permission,
            unrecorded_before,
        } = event;
        let told = Told::of("organization", organization_id);
        let line = Self::of(recorded, organization_id, told, Difference::default())?;
        let refused = Some(Refused { problem, permission, unrecorded_before });
        Ok(Self { action: command, refused, concerns: Vec::new(), ..line })
    }

    /// The line of a batch of usage records, as far as it stands on a page.
    pub(super) fn usage(part: &UsagePart) -> Self {
        let metadata = part.metadata.as_ref();
        let text = |name: &str| metadata?.get(name)?.as_str();
        let actor = text("actor_kind").zip(text("actor_id"));
        Self {
            organization_id: part.organization_id.0,
            position: part.first_position,
            last_position: part.first_position + part.records - 1,
            event_id: part.batch_id,
            event_type: event_schemas::usage::USAGE_RECORDED.to_owned(),
            stream_type: USAGE.to_owned(),
            stream_id: part.batch_id.to_string(),
            sequence: None,
            action: event_schemas::usage::USAGE_RECORDED.to_owned(),
            refused: None,
            actor: actor.map(|(kind, id)| format!("{kind}:{id}")),
            actor_person_id: None,
            sender: metadata.map(Sender::of).unwrap_or_default(),
            target_kind: "usage_batch",
            target_id: part.batch_id.to_string(),
            project_id: None,
            concerns: vec![part.batch_id],
            difference: Difference::default(),
            reason: None,
            caused_by: None,
            records: Some(part.records),
            // Each record says when its request was made; a batch is when it was recorded.
            occurred_at: part.recorded_at,
            recorded_at: part.recorded_at,
        }
    }

    fn after(&self) -> Option<Value> {
        match &self.refused {
            Some(refused) if refused.unrecorded_before > 0 => {
                Some(serde_json::json!({ "unrecorded_before": refused.unrecorded_before }))
            }
            Some(_) | None => self.difference.after.clone(),
        }
    }

    /// What it is about, as Postgres writes an array: arrays of arrays must all be of one length.
    fn concerns(&self) -> String {
        let ids: Vec<String> = self.concerns.iter().map(Uuid::to_string).collect();
        format!("{{{}}}", ids.join(","))
    }
}

/// Writes lines. Of a batch of usage records that began on an earlier page it adds what came since.
pub(super) async fn write(tx: &mut PgConnection, lines: &[Line]) -> Result<(), sqlx::Error> {
    if lines.is_empty() {
        return Ok(());
    }
    macro_rules! column {
        ($line:ident => $value:expr) => {
            lines.iter().map(|$line| $value).collect::<Vec<_>>()
        };
    }
    let refused = |line: &Line| line.refused.clone();
    sqlx::query(
        "insert into audit_log as l (organization_id, position, last_position, event_id, event_type,
             stream_type, stream_id, sequence, action, outcome, problem, permission, actor,
             actor_person_id, credential, target_kind, target_id, project_id, person_id, concerns,
             before, after, reason, caused_by, records, source_address, request_id, causation_id,
             traceparent, occurred_at, recorded_at)
         select t.organization_id, t.position, t.last_position, t.event_id, t.event_type,
             t.stream_type, t.stream_id, t.sequence, t.action,
             case when t.problem is null then 'done' else 'refused' end, t.problem, t.permission,
             t.actor, t.actor_person_id, t.credential, t.target_kind, t.target_id, t.project_id,
             t.person_id, t.concerns::uuid[], t.before, t.after, t.reason, t.caused_by, t.records,
             t.source_address, t.request_id, t.causation_id, t.traceparent, t.occurred_at,
             t.recorded_at
         from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::uuid[], $5::text[], $6::text[],
             $7::text[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[],
             $13::uuid[], $14::text[], $15::text[], $16::text[], $17::uuid[], $18::uuid[],
             $19::text[], $20::jsonb[], $21::jsonb[], $22::text[], $23::bigint[], $24::bigint[],
             $25::text[], $26::text[], $27::text[], $28::text[], $29::timestamptz[],
             $30::timestamptz[])
             as t(organization_id, position, last_position, event_id, event_type, stream_type,
             stream_id, sequence, action, problem, permission, actor, actor_person_id, credential,
             target_kind, target_id, project_id, person_id, concerns, before, after, reason,
             caused_by, records, source_address, request_id, causation_id, traceparent,
             occurred_at, recorded_at)
         on conflict (organization_id, position) do update
             set records = l.records + excluded.records,
                 last_position = l.last_position + excluded.records",
    )
    .bind(column!(line => line.organization_id))
    .bind(column!(line => line.position))
    .bind(column!(line => line.last_position))
    .bind(column!(line => line.event_id))
    .bind(column!(line => line.event_type.as_str()))
    .bind(column!(line => line.stream_type.as_str()))
    .bind(column!(line => line.stream_id.as_str()))
    .bind(column!(line => line.sequence))
    .bind(column!(line => line.action.as_str()))
    .bind(column!(line => refused(line).map(|refused| refused.problem)))
    .bind(column!(line => refused(line).and_then(|refused| refused.permission)))
    .bind(column!(line => line.actor.as_deref()))
    .bind(column!(line => line.actor_person_id))
    .bind(column!(line => line.sender.credential.as_deref()))
    .bind(column!(line => line.target_kind))
    .bind(column!(line => line.target_id.as_str()))
    .bind(column!(line => line.project_id))
    .bind(column!(line => line.difference.person_id))
    .bind(column!(line => line.concerns()))
    .bind(column!(line => line.difference.before.clone()))
    .bind(column!(line => line.after()))
    .bind(column!(line => line.reason.as_deref()))
    .bind(column!(line => line.caused_by))
    .bind(column!(line => line.records))
    .bind(column!(line => line.sender.source_address.as_deref()))
    .bind(column!(line => line.sender.request_id.as_deref()))
    .bind(column!(line => line.sender.causation_id.as_deref()))
    .bind(column!(line => line.sender.traceparent.as_deref()))
    .bind(column!(line => line.occurred_at))
    .bind(column!(line => line.recorded_at))
    .execute(tx)
    .await?;
    Ok(())
}
