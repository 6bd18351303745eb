//! The appender: one task that commits what many callers append, a batch at a time.
//!
//! It takes all that is waiting and never waits for more: a lone caller pays one commit, a crowd
//! shares it. Conflicts are found in memory, against its own record of where each stream stands;
//! when the head has moved without it, it first reads what was appended in between.

mod known;
mod statements;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Executor, PgConnection};
use tokio::sync::{mpsc, oneshot, watch};

use crate::append::{Append, AppendError, Appended, StreamKey};
use crate::database::{self, DatabaseError, Role};
use known::KnownStreams;
use statements::{Head, Plan, answer_replays, lock_head, moved_after, write};

pub(crate) use statements::sequences;

/// How many appends share one commit at most: bounds the time the head stays locked.
const BATCH_APPENDS_MAX: usize = 1_024;

/// How many events of other processes are read to keep the record of sequences. Past that, it is
/// cheaper to forget all, and the head is not to stay locked for long.
const CATCH_UP_EVENTS_MAX: usize = 10_000;

/// An append on its way, and where its answer goes.
pub(crate) struct Submission {
    pub(crate) append: Append,
    pub(crate) reply: oneshot::Sender<Result<Appended, AppendError>>,
}

type Verdict = Result<Appended, AppendError>;

pub(crate) struct Appender {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    waiting: mpsc::Receiver<Submission>,
    moved: watch::Sender<i64>,
    /// Where each stream stands, as of `known_head`.
    known: KnownStreams,
    known_head: Option<i64>,
}

impl Appender {
    pub(crate) fn new(
        options: PgConnectOptions,
        waiting: mpsc::Receiver<Submission>,
        moved: watch::Sender<i64>,
    ) -> Self {
        Self {
            options,
            connection: None,
            waiting,
            moved,
            known: KnownStreams::default(),
            known_head: None,
        }
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
            None => {
                database::connect(&self.options, Role::Writer).await.map_err(Failure::before)?
            }
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
                for (stream, sequence) in moved {
                    self.known.set(stream, sequence);
                }
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
                report_position(last_position);
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
        if self.known.is_full() {
            self.known.clear();
        }
        match self.known_head {
            Some(known_head) if known_head == head.position => {}
            Some(known_head) => {
                let moved = moved_after(connection, known_head, CATCH_UP_EVENTS_MAX + 1).await?;
                if moved.len() > CATCH_UP_EVENTS_MAX {
                    self.known.clear();
                }
                for (aggregate_type, aggregate_id, sequence) in moved {
                    self.known.update(&aggregate_type, &aggregate_id, sequence);
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
            .filter(|stream| self.known.sequence(stream).is_none())
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<&StreamKey> = unknown.into_iter().collect();
        let found = sequences(connection, &unknown).await?;
        for stream in unknown {
            let sequence = found.get(stream).copied().unwrap_or(0);
            self.known.set(stream.clone(), sequence);
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
                let moved = plan.moved.get(stream).copied();
                moved.or_else(|| self.known.sequence(stream)).unwrap_or(0)
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

#[allow(clippy::cast_precision_loss)] // A batch has at most BATCH_APPENDS_MAX appends.
fn batch_size(appends: usize) -> f64 {
    appends as f64
}

/// Tells how far the log has grown.
#[allow(clippy::cast_precision_loss)] // Exact to 2^53 positions.
pub(crate) fn report_position(position: i64) {
    metrics::gauge!("orgledger_log_position").set(position as f64);
}
