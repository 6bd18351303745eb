//! What the appender says to Postgres, and what it keeps of a batch while it does.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event_schemas::{OrganizationId, PersonId};
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::{Executor, PgConnection, Postgres, Row};

use super::Verdict;
use super::corrections::CorrectionColumns;
use crate::append::{Append, AppendError, Claim, Replay, StreamKey, erased_by};
use crate::follow::NOTIFY_CHANNEL;
use crate::vault::ERASED_CHANNEL;

/// What one transaction is about to write.
#[derive(Default)]
pub(super) struct Plan<'a> {
    /// The last event that it was made up after: where there is a later one, it is not written.
    pub(super) after_event: i64,
    /// The appends that come too late, with a stream that has moved.
    pub(super) conflicts: Vec<(usize, StreamKey)>,
    /// The appends that go through, each with the place of its first event among the plan's, from 1.
    /// Where those stand is known when they are written: usage moves the head all the time.
    pub(super) accepted: Vec<(usize, &'a Append, i64)>,
    /// The sequence of each event, in the order of `accepted`.
    pub(super) sequences: Vec<i64>,
    /// Where each stream that is written will stand.
    pub(super) moved: HashMap<StreamKey, i64>,
    /// How many events it has.
    pub(super) events_count: i64,
}

/// Where and when a plan was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// The position that its first event follows.
    pub(super) after: i64,
    pub(super) recorded_at: DateTime<Utc>,
}

impl Plan<'_> {
    /// Gives those that came too late their verdict.
    pub(super) fn answer_conflicts(&self, verdicts: &mut [Option<Verdict>]) {
        for (index, stream) in &self.conflicts {
            verdicts[*index] = Some(Err(AppendError::Conflict(stream.clone())));
        }
    }
}

/// Where streams stand, for those that have events.
pub(super) async fn sequences(
    connection: &mut PgConnection,
    streams: &[&StreamKey],
) -> Result<HashMap<StreamKey, i64>, sqlx::Error> {
    let types: Vec<&str> = streams.iter().map(|s| s.aggregate_type).collect();
    let ids: Vec<&str> = streams.iter().map(|s| &*s.aggregate_id).collect();
    // The subquery reads one index entry a stream, however long the stream is.
    let rows = sqlx::query(
        "select n::bigint, (select e.sequence from log.events e
                            where e.aggregate_type = s.type and e.aggregate_id = s.id
                            order by e.sequence desc limit 1)
         from unnest($1::text[], $2::text[]) with ordinality as s(type, id, n)",
    )
    .bind(&types)
    .bind(&ids)
    .fetch_all(connection)
    .await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        let index = usize::try_from(row.get::<i64, _>(0) - 1).unwrap_or(usize::MAX);
        if let (Some(stream), Some(sequence)) = (streams.get(index), row.get::<Option<i64>, _>(1)) {
            found.insert((*stream).clone(), sequence);
        }
    }
    Ok(found)
}

/// The streams of the events after a position, each with its sequence, in order; at most
/// `events_max` of them.
pub(super) async fn moved_after(
    connection: &mut PgConnection,
    position: i64,
    events_max: usize,
) -> Result<Vec<(String, String, i64)>, sqlx::Error> {
    sqlx::query_as(
        "select aggregate_type, aggregate_id, sequence
         from log.events where position > $1 order by position limit $2",
    )
    .bind(position)
    .bind(i64::try_from(events_max).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
}

/// Begins a transaction and locks the head: nobody else can append until it ends. Gives the position of
/// the last event.
pub(super) async fn lock_head(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    let rows = connection
        .fetch_all(
            "begin isolation level read committed;
             select last_event from log.head for update",
        )
        .await?;
    rows.first().map(|row| row.get(0)).ok_or(sqlx::Error::RowNotFound)
}

/// Where a plan was written, if it was. Its first event tells: all were written or none. A plan
/// without events answers none, and its idempotency keys find out.
pub(super) async fn written(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
) -> Result<Option<Written>, sqlx::Error> {
    let event = plan.accepted.iter().find_map(|(_, append, _)| append.events.first());
    let found: Option<(i64, DateTime<Utc>)> =
        sqlx::query_as("select position, recorded_at from log.events where event_id = $1")
            .bind(event.map(|event| event.event_id))
            .fetch_optional(connection)
            .await?;
    Ok(found.map(|(position, recorded_at)| Written { after: position - 1, recorded_at }))
}

/// Writes a plan in one statement and answers where; none, and nothing is written, where there are
/// events that it does not know of.
pub(super) async fn write(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
) -> Result<Option<Written>, sqlx::Error> {
    let mut rows = EventColumns::default();
    let mut claims = ClaimColumns::default();
    let mut erased = Vec::new();
    let mut corrected = CorrectionColumns::default();
    for (_, append, first) in &plan.accepted {
        for event in &append.events {
            rows.push(event);
            erased.extend(erased_by(event));
        }
        for claim in &append.claims {
            let covered = i64::try_from(claim.events_upto).unwrap_or(0);
            claims.push(claim, first + covered - 1);
        }
        corrected.push_all(&append.corrections, *first);
    }
    let places: Vec<i64> = (1..=plan.events_count).collect();
    // Hardly any batch erases anybody, so the others do not carry that part along.
    let (destroyed, from_destroyed) =
        if erased.is_empty() { (String::new(), "") } else { (destroyed(), ", destroyed") };
    let corrections = corrected.statement(if erased.is_empty() { 19 } else { 21 });
    let sql = format!(
        "with head as (
             update log.head
             set position = position + $17, recorded_at = greatest(recorded_at, clock_timestamp())
             where last_event = $18
             returning position - $17 as stood_at, position, recorded_at
         ), written as (
             insert into log.events (position, event_id, organization_id, aggregate_type,
                 aggregate_id, sequence, event_type, event_version, payload, metadata,
                 occurred_at, recorded_at)
             select stood_at + place, event_id, organization_id, aggregate_type, aggregate_id,
                 sequence, event_type, event_version, payload::json, metadata::json, occurred_at,
                 recorded_at
             from head, unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[],
                 $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::timestamptz[])
                 as e(place, event_id, organization_id, aggregate_type, aggregate_id, sequence,
                      event_type, event_version, payload, metadata, occurred_at)
         ), claimed as (
             insert into log.idempotency_keys (scope, key, fingerprint, outcome, position, recorded_at)
             select scope, key, fingerprint, outcome::json, stood_at + place, recorded_at
             from head, unnest($12::text[], $13::text[], $14::bytea[], $15::text[], $16::bigint[])
                 as c(scope, key, fingerprint, outcome, place)
         ), told as (
             select pg_notify('{NOTIFY_CHANNEL}', position::text) from head
         ){destroyed}{corrections}
         select stood_at, recorded_at from head, told{from_destroyed}"
    );
    let query = sqlx::query_as(&sql);
    let query = query
        .bind(places)
        .bind(rows.event_ids)
        .bind(rows.organization_ids)
        .bind(rows.aggregate_types)
        .bind(rows.aggregate_ids)
        .bind(&plan.sequences)
        .bind(rows.event_types)
        .bind(rows.event_versions)
        .bind(rows.payloads)
        .bind(rows.metadata)
        .bind(rows.occurred_at)
        .bind(&claims.scopes)
        .bind(&claims.keys)
        .bind(claims.fingerprints)
        .bind(claims.outcomes)
        .bind(claims.places)
        .bind(plan.events_count)
        .bind(plan.after_event);
    let query = if erased.is_empty() { query } else { bind_erased(query, &erased) };
    let found: Option<(i64, DateTime<Utc>)> =
        corrected.bind(query).fetch_optional(connection).await?;
    Ok(found.map(|(after, recorded_at)| Written { after, recorded_at }))
}

fn bind_erased<'q, O>(
    query: QueryAs<'q, Postgres, O, PgArguments>,
    erased: &[(PersonId, Option<OrganizationId>)],
) -> QueryAs<'q, Postgres, O, PgArguments> {
    let persons: Vec<uuid::Uuid> = erased.iter().map(|(person, _)| person.0).collect();
    let organizations: Vec<Option<uuid::Uuid>> =
        erased.iter().map(|(_, organization)| organization.map(|id| id.0)).collect();
    query.bind(persons).bind(organizations)
}

/// The part of the statement that destroys the keys of those who are erased, in the same transaction
/// as the events that say so: there is no moment at which one is so and the other is not. A person
/// without a key gets the mark too, so that none is made later.
fn destroyed() -> String {
    format!(
        ", marked as (
             insert into vault.person_keys as k (person_id, organization_id, destroyed_at)
             select e.person_id, e.organization_id, head.recorded_at
             from head, unnest($19::uuid[], $20::uuid[]) as e(person_id, organization_id)
             on conflict (person_id) do update
                 set wrapped_key = null, master_key_id = null, destroyed_at = excluded.destroyed_at
                 where k.destroyed_at is null
         ), destroyed as (
             select count(pg_notify('{ERASED_CHANNEL}', concat_ws(' ', e.person_id, e.organization_id)))
             from head, unnest($19::uuid[], $20::uuid[]) as e(person_id, organization_id)
         )"
    )
}

/// Gives every command whose idempotency key was used before the answer of then.
pub(super) async fn answer_replays(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
    verdicts: &mut [Option<Verdict>],
) -> Result<(), sqlx::Error> {
    let claims = || plan.accepted.iter().flat_map(|(_, append, _)| &append.claims);
    let scopes: Vec<&str> = claims().map(|c| &*c.scope).collect();
    let keys: Vec<&str> = claims().map(|c| c.key.as_str()).collect();
    let rows: Vec<(String, String, Vec<u8>, String, i64)> = sqlx::query_as(
        "select i.scope, i.key, i.fingerprint, i.outcome::text, i.position
         from log.idempotency_keys i join unnest($1::text[], $2::text[]) as c(scope, key)
           on i.scope = c.scope and i.key = c.key",
    )
    .bind(&scopes)
    .bind(&keys)
    .fetch_all(connection)
    .await?;
    let used: HashMap<(&str, &str), Replay> = rows
        .iter()
        .map(|(scope, key, fingerprint, outcome, position)| {
            let replay = Replay {
                scope: scope.clone(),
                key: key.clone(),
                fingerprint: fingerprint.clone(),
                outcome: outcome.clone(),
                position: *position,
            };
            ((scope.as_str(), key.as_str()), replay)
        })
        .collect();
    for (index, append, _) in &plan.accepted {
        let replay = append.claims.iter().find_map(|c| used.get(&(&*c.scope, c.key.as_str())));
        if let Some(replay) = replay {
            verdicts[*index] = Some(Err(AppendError::Replayed(Box::new(replay.clone()))));
        }
    }
    Ok(())
}

#[derive(Default)]
struct EventColumns<'a> {
    event_ids: Vec<uuid::Uuid>,
    organization_ids: Vec<Option<uuid::Uuid>>,
    aggregate_types: Vec<&'a str>,
    aggregate_ids: Vec<&'a str>,
    event_types: Vec<&'a str>,
    event_versions: Vec<&'a str>,
    payloads: Vec<&'a str>,
    metadata: Vec<&'a str>,
    occurred_at: Vec<DateTime<Utc>>,
}

impl<'a> EventColumns<'a> {
    fn push(&mut self, event: &'a crate::NewEvent) {
        self.event_ids.push(event.event_id);
        self.organization_ids.push(event.organization_id.map(|id| id.0));
        self.aggregate_types.push(event.stream.aggregate_type);
        self.aggregate_ids.push(&event.stream.aggregate_id);
        self.event_types.push(&event.event_type);
        self.event_versions.push(&event.event_version);
        self.payloads.push(&event.payload);
        self.metadata.push(&event.metadata);
        self.occurred_at.push(event.occurred_at);
    }
}

#[derive(Default)]
struct ClaimColumns<'a> {
    scopes: Vec<&'a str>,
    keys: Vec<&'a str>,
    fingerprints: Vec<&'a [u8]>,
    outcomes: Vec<&'a str>,
    places: Vec<i64>,
}

impl<'a> ClaimColumns<'a> {
    fn push(&mut self, claim: &'a Claim, place: i64) {
        self.scopes.push(&claim.scope);
        self.keys.push(&claim.key);
        self.fingerprints.push(&claim.fingerprint);
        self.outcomes.push(&claim.outcome);
        self.places.push(place);
    }
}
