//! The appender: one task that commits what many callers append, a batch at a time.
//!
//! It takes all that is waiting and never waits for more: a lone caller pays one commit, a crowd
//! shares it. Conflicts are found in memory, against its own record of where each stream stands;
//! when the head has moved without it, it first reads what was appended in between.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Executor, PgConnection, Row};
use tokio::sync::{mpsc, oneshot, watch};

use crate::append::{Append, AppendError, Appended, Claim, Replay, StreamKey};
use crate::database::{self, DatabaseError, Role};
use crate::follow::NOTIFY_CHANNEL;

/// How many appends share one commit at most: bounds the time the head stays locked.
const BATCH_APPENDS_MAX: usize = 1_024;

/// How many streams' sequences are remembered. Past that, all are forgotten and read again as they
/// are needed.
const KNOWN_STREAMS_MAX: usize = 1_000_000;

/// An append on its way, and where its answer goes.
pub(crate) struct Submission {
    pub(crate) append: Append,
    pub(crate) reply: oneshot::Sender<Result<Appended, AppendError>>,
}

type Verdict = Result<Appended, AppendError>;

/// The head as it was when it was locked.
struct Head {
    position: i64,
    recorded_at: DateTime<Utc>,
}

/// What one transaction is about to write.
#[derive(Default)]
struct Plan<'a> {
    /// The appends that go through, with the position of their first event.
    accepted: Vec<(usize, &'a Append, i64)>,
    /// The sequence of each event, in the order of `accepted`.
    sequences: Vec<i64>,
    /// Where each stream that is written will stand.
    moved: HashMap<StreamKey, i64>,
    /// The position of the last event.
    last_position: i64,
}

pub(crate) struct Appender {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    waiting: mpsc::Receiver<Submission>,
    moved: watch::Sender<i64>,
    /// Where each stream stands, as of `known_head`.
    known: HashMap<StreamKey, i64>,
    known_head: Option<i64>,
}

impl Appender {
    pub(crate) fn new(
        options: PgConnectOptions,
        waiting: mpsc::Receiver<Submission>,
        moved: watch::Sender<i64>,
    ) -> Self {
        Self { options, connection: None, waiting, moved, known: HashMap::new(), known_head: None }
    }

    pub(crate) async fn run(mut self) {
        let mut batch = Vec::new();
        while self.waiting.recv_many(&mut batch, BATCH_APPENDS_MAX).await > 0 {
            let started = Instant::now();
            metrics::histogram!("orgledger_append_batch_appends").record(batch_size(batch.len()));
            let appends: Vec<Append> =
                batch.iter_mut().map(|s| std::mem::take(&mut s.append)).collect();
            let verdicts = self.commit(&appends).await;
            metrics::histogram!("orgledger_append_commit_seconds")
                .record(started.elapsed().as_secs_f64());
            for (submission, verdict) in batch.drain(..).zip(verdicts) {
                // A caller that has gone away does not need its answer; what it asked is done.
                let _ = submission.reply.send(verdict);
            }
        }
    }

    /// One verdict for each append.
    async fn commit(&mut self, appends: &[Append]) -> Vec<Verdict> {
        let mut verdicts: Vec<Option<Verdict>> = appends.iter().map(|_| None).collect();
        match self.commit_together(appends, &mut verdicts).await {
            Ok(()) => {}
            // What one of them holds is refused: each by itself, so that it fails alone.
            Err(failure) if failure.is_about_contents() && appends.len() > 1 => {
                for (append, verdict) in appends.chunks(1).zip(verdicts.chunks_mut(1)) {
                    if let Err(failure) = self.commit_together(append, verdict).await {
                        fail_rest(verdict, &failure);
                    }
                }
            }
            Err(failure) => fail_rest(&mut verdicts, &failure),
        }
        verdicts.into_iter().map(|v| v.unwrap_or(Err(AppendError::Closed))).collect()
    }

    /// Commits every append that has no verdict yet, in one transaction.
    async fn commit_together(
        &mut self,
        appends: &[Append],
        verdicts: &mut [Option<Verdict>],
    ) -> Result<(), Failure> {
        if verdicts.iter().all(Option::is_some) {
            return Ok(());
        }
        // A second try starts from a new connection and an empty memory, so that neither a broken
        // connection nor a wrong belief about a stream can fail a batch.
        let mut retried = false;
        loop {
            let Err(failure) = self.try_commit(appends, verdicts).await else { return Ok(()) };
            self.forget();
            if failure.outcome_unknown || retried {
                tracing::error!(error = %failure.error, "an append batch failed");
                return Err(failure);
            }
            tracing::warn!(error = %failure.error, "an append batch is tried again");
            retried = true;
        }
    }

    /// Commits every append that has no verdict yet and gives each one.
    async fn try_commit(
        &mut self,
        appends: &[Append],
        verdicts: &mut [Option<Verdict>],
    ) -> Result<(), Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => database::connect(&self.options, Role::Writer).await.map_err(Failure::before)?,
        };
        let head = lock_head(&mut connection).await?;
        self.catch_up(&mut connection, &head, appends).await?;
        loop {
            let plan = self.plan(appends, verdicts, &head);
            if plan.accepted.is_empty() {
                connection.execute("rollback").await?;
                break;
            }
            if write(&mut connection, &plan, &head).await? {
                let Plan { accepted, moved, last_position, .. } = plan;
                connection.execute("commit").await.map_err(Failure::unknown)?;
                self.known.extend(moved);
                self.known_head = Some(last_position);
                for (index, append, first_position) in accepted {
                    let events = i64::try_from(append.events.len()).unwrap_or(i64::MAX);
                    verdicts[index] = Some(Ok(Appended {
                        first_position,
                        last_position: first_position + events - 1,
                        recorded_at: head.recorded_at,
                    }));
                }
                self.moved.send_if_modified(|known| {
                    let moved = last_position > *known;
                    *known = last_position.max(*known);
                    moved
                });
                metrics::gauge!("orgledger_log_position").set(metric_position(last_position));
                break;
            }
            // Some idempotency keys were used before: take their commands out and go again. The
            // rows just written go with the savepoint; the head stays locked.
            connection.execute("rollback to written").await?;
            answer_replays(&mut connection, &plan, verdicts).await?;
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Brings the record of sequences to the locked head, and to every stream the batch names.
    async fn catch_up(
        &mut self,
        connection: &mut PgConnection,
        head: &Head,
        appends: &[Append],
    ) -> Result<(), Failure> {
        if self.known.len() > KNOWN_STREAMS_MAX {
            self.known.clear();
        }
        match self.known_head {
            Some(known_head) if known_head == head.position => {}
            Some(known_head) => {
                let rows = sqlx::query(
                    "select aggregate_type, aggregate_id, max(sequence)
                     from log.events where position > $1 group by 1, 2",
                )
                .bind(known_head)
                .fetch_all(&mut *connection)
                .await?;
                let newer: HashMap<(String, String), i64> =
                    rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
                for (stream, sequence) in &mut self.known {
                    let key = (stream.aggregate_type.to_owned(), stream.aggregate_id.to_string());
                    if let Some(newer) = newer.get(&key) {
                        *sequence = *newer;
                    }
                }
            }
            None => self.known.clear(),
        }
        self.known_head = Some(head.position);
        let unknown: HashSet<&StreamKey> = appends
            .iter()
            .flat_map(|append| {
                let expected = append.expected.iter().map(|(stream, _)| stream);
                expected.chain(append.events.iter().map(|event| &event.stream))
            })
            .filter(|stream| !self.known.contains_key(*stream))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<&StreamKey> = unknown.into_iter().collect();
        let found = sequences(connection, &unknown).await?;
        for stream in unknown {
            let sequence = found.get(stream).copied().unwrap_or(0);
            self.known.insert(stream.clone(), sequence);
        }
        Ok(())
    }

    /// Gives conflicts their verdict, and positions and sequences to all others.
    fn plan<'a>(
        &self,
        appends: &'a [Append],
        verdicts: &mut [Option<Verdict>],
        head: &Head,
    ) -> Plan<'a> {
        let mut plan = Plan { last_position: head.position, ..Plan::default() };
        let mut claimed: HashSet<(&str, &str)> = HashSet::new();
        for (index, append) in appends.iter().enumerate() {
            if verdicts[index].is_some() {
                continue;
            }
            let stands = |plan: &Plan<'_>, stream: &StreamKey| {
                let moved = plan.moved.get(stream).or_else(|| self.known.get(stream));
                moved.copied().unwrap_or(0)
            };
            let stale = append
                .expected
                .iter()
                .find(|(stream, sequence)| stands(&plan, stream) != *sequence);
            // The same idempotency key twice in one batch: the second looks like a conflict, comes
            // back, and then finds the first one's answer. Twice in one append, it never gets in.
            let keys: HashSet<(&str, &str)> =
                append.claims.iter().map(|c| (&*c.scope, c.key.as_str())).collect();
            let twice = keys.len() < append.claims.len() || !keys.is_disjoint(&claimed);
            if stale.is_some() || twice {
                let stream = stale.map_or_else(
                    || StreamKey::new("idempotency_key", ""),
                    |(stream, _)| stream.clone(),
                );
                verdicts[index] = Some(Err(AppendError::Conflict(stream)));
                continue;
            }
            claimed.extend(keys);
            plan.accepted.push((index, append, plan.last_position + 1));
            for event in &append.events {
                let sequence = stands(&plan, &event.stream) + 1;
                plan.moved.insert(event.stream.clone(), sequence);
                plan.sequences.push(sequence);
                plan.last_position += 1;
            }
        }
        plan
    }

    fn forget(&mut self) {
        self.connection = None;
        self.known.clear();
        self.known_head = None;
    }
}

/// Where streams stand, for those that have events.
pub(crate) async fn sequences(
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

/// Begins a transaction and locks the head in one round trip. The savepoint behind it lets a batch
/// be written again without the lock being given up.
async fn lock_head(connection: &mut PgConnection) -> Result<Head, Failure> {
    let rows = connection
        .fetch_all(
        "begin isolation level read committed;
         select position, greatest(recorded_at, clock_timestamp()) from log.head for update;
         savepoint written",
    )
    .await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    Ok(Head { position: row.get(0), recorded_at: row.get(1) })
}

/// Writes a plan in one statement. False where an idempotency key was there already.
async fn write(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
    head: &Head,
) -> Result<bool, Failure> {
    let mut rows = EventColumns::default();
    let mut claims = ClaimColumns::default();
    for (_, append, first_position) in &plan.accepted {
        for event in &append.events {
            rows.push(event);
        }
        for claim in &append.claims {
            let covered = i64::try_from(claim.events_upto).unwrap_or(0);
            claims.push(claim, first_position + covered - 1);
        }
    }
    let positions: Vec<i64> = (head.position + 1..=plan.last_position).collect();
    let claimed: i64 = sqlx::query_scalar(&format!(
        "with written as (
             insert into log.events (position, event_id, organization_id, aggregate_type,
                 aggregate_id, sequence, event_type, event_version, payload, metadata,
                 occurred_at, recorded_at)
             select position, event_id, organization_id, aggregate_type, aggregate_id, sequence,
                 event_type, event_version, payload::json, metadata::json, occurred_at, $12
             from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[],
                 $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::timestamptz[])
                 as e(position, event_id, organization_id, aggregate_type, aggregate_id, sequence,
                      event_type, event_version, payload, metadata, occurred_at)
         ), claimed as (
             insert into log.idempotency_keys (scope, key, fingerprint, outcome, position, recorded_at)
             select scope, key, fingerprint, outcome::json, position, $12
             from unnest($13::text[], $14::text[], $15::bytea[], $16::text[], $17::bigint[])
                 as c(scope, key, fingerprint, outcome, position)
             on conflict do nothing
             returning 1
         ), head as (
             update log.head set position = $18, recorded_at = $12
         ), told as (
             select pg_notify('{NOTIFY_CHANNEL}', $18::text)
         )
         select count(*) from claimed, told"
    ))
    .bind(positions)
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
    .bind(head.recorded_at)
    .bind(&claims.scopes)
    .bind(&claims.keys)
    .bind(claims.fingerprints)
    .bind(claims.outcomes)
    .bind(claims.positions)
    .bind(plan.last_position)
    .fetch_one(connection)
    .await?;
    Ok(usize::try_from(claimed) == Ok(claims.keys.len()))
}

/// Gives every command whose idempotency key was used before the answer of then.
async fn answer_replays(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
    verdicts: &mut [Option<Verdict>],
) -> Result<(), Failure> {
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

/// Why a batch failed, and whether it may have been written all the same.
struct Failure {
    error: Arc<sqlx::Error>,
    outcome_unknown: bool,
}

impl Failure {
    fn before(error: DatabaseError) -> Self {
        let error = match error {
            DatabaseError::Sqlx(error)
            | DatabaseError::Unreachable { source: error, .. }
            | DatabaseError::RoleRefused { source: error, .. } => error,
            other @ (DatabaseError::TooOld { .. }
            | DatabaseError::Unsafe { .. }
            | DatabaseError::NotMigrated
            | DatabaseError::Migrate(_)) => sqlx::Error::Configuration(Box::new(other)),
        };
        Self { error: Arc::new(error), outcome_unknown: false }
    }

    fn unknown(error: sqlx::Error) -> Self {
        // The server answered: it refused the commit, so nothing was written.
        let outcome_unknown = error.as_database_error().is_none();
        Self { error: Arc::new(error), outcome_unknown }
    }

    /// Whether the server refused what was to be written, and not the connection or the role:
    /// SQLSTATE classes 22 (data exception), 23 (constraint) and 54 (program limit).
    fn is_about_contents(&self) -> bool {
        let code = self.error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self { error: Arc::new(error), outcome_unknown: false }
    }
}

fn fail_rest(verdicts: &mut [Option<Verdict>], failure: &Failure) {
    for verdict in verdicts.iter_mut().filter(|v| v.is_none()) {
        let error = Arc::clone(&failure.error);
        *verdict = Some(Err(if failure.outcome_unknown {
            AppendError::Unknown(error)
        } else {
            AppendError::Database(error)
        }));
    }
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
    positions: Vec<i64>,
}

impl<'a> ClaimColumns<'a> {
    fn push(&mut self, claim: &'a Claim, position: i64) {
        self.scopes.push(&claim.scope);
        self.keys.push(&claim.key);
        self.fingerprints.push(&claim.fingerprint);
        self.outcomes.push(&claim.outcome);
        self.positions.push(position);
    }
}

#[allow(clippy::cast_precision_loss)] // A batch has at most BATCH_APPENDS_MAX appends.
fn batch_size(appends: usize) -> f64 {
    appends as f64
}

#[allow(clippy::cast_precision_loss)] // Exact to 2^53 positions.
fn metric_position(position: i64) -> f64 {
    position as f64
}
