//! The appender: one task that commits what many callers append, a batch at a time.
//!
//! It takes all that is waiting and never waits for more: a lone caller pays one commit, a crowd
//! shares it. Conflicts are found in memory, against its own record of where each stream stands.
//! That record holds as of the last event; a batch is written where that still is the last one, and only
//! there, in one statement, wherever usage has moved the head meanwhile. Where there are other events, it
//! locks the head and first reads what was appended in between.

mod commit;
mod corrections;
mod failure;
mod known;
mod statements;

use std::time::Instant;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{mpsc, oneshot, watch};

use crate::append::{Append, AppendError, Appended};
use failure::Failure;
use known::KnownStreams;

/// How many appends share one commit at most: bounds the time the head stays locked.
const BATCH_APPENDS_MAX: usize = 1_024;

/// How many callers the appender answers itself before it goes on.
const ANSWERED_AT_ONCE_MAX: usize = 8;

/// How many turns without anybody coming it takes to believe that nobody is on the way. Callers run
/// on other threads, too, and one turn is a few microseconds.
const GATHER_TURNS_MAX: usize = 4;

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
    /// Where each stream stands, as of the event at `known_upto`.
    known: KnownStreams,
    known_upto: Option<i64>,
    /// Whether nobody else had appended events, the last time it looked.
    alone: bool,
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
            known_upto: None,
            alone: true,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut batch = Vec::new();
        let mut crowd = 0;
        while self.waiting.recv_many(&mut batch, BATCH_APPENDS_MAX).await > 0 {
            self.gather(&mut batch, crowd).await;
            crowd = batch.len();
            let started = Instant::now();
            metrics::histogram!("orgledger_append_batch_appends").record(batch_size(batch.len()));
            let appends: Vec<Append> =
                batch.iter_mut().map(|s| std::mem::take(&mut s.append)).collect();
            let verdicts = self.commit(&appends).await;
            metrics::histogram!("orgledger_append_commit_seconds")
                .record(started.elapsed().as_secs_f64());
            let submissions = std::mem::take(&mut batch);
            let answer = move || {
                for (submission, verdict) in submissions.into_iter().zip(verdicts) {
                    // A caller that has gone away does not need its answer; what it asked is done.
                    let _ = submission.reply.send(verdict);
                }
                drop(appends);
            };
            // Many are answered beside the next batch.
            if crowd < ANSWERED_AT_ONCE_MAX {
                answer();
            } else {
                tokio::spawn(async move { answer() });
            }
        }
    }

    /// Lets the callers that were just answered come back before a few are served alone: half of
    /// them, so that the other half decides while these commit. It is a matter of turns, not of
    /// time: once nobody is on the way, it goes on with those that are there.
    async fn gather(&mut self, batch: &mut Vec<Submission>, crowd: usize) {
        let mut nobody_came = 0;
        while batch.len() < crowd / 2 && nobody_came < GATHER_TURNS_MAX {
            let gathered = batch.len();
            tokio::task::yield_now().await;
            while batch.len() < BATCH_APPENDS_MAX
                && let Ok(submission) = self.waiting.try_recv()
            {
                batch.push(submission);
            }
            nobody_came = if batch.len() == gathered { nobody_came + 1 } else { 0 };
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
                        failure.answer(verdict);
                    }
                }
            }
            Err(failure) => failure.answer(&mut verdicts),
        }
        verdicts.into_iter().map(|v| v.unwrap_or(Err(AppendError::Closed))).collect()
    }

    /// Commits every append that has no verdict yet, in one transaction.
    async fn commit_together(
        &mut self,
        appends: &[Append],
        verdicts: &mut [Option<Verdict>],
    ) -> Result<(), Failure> {
        // A second try starts from a new connection and an empty memory, so that neither a broken
        // connection nor a wrong belief about a stream can fail a batch.
        let mut in_doubt = None;
        let mut retried = false;
        loop {
            let tried = self.try_commit(appends, verdicts, &mut in_doubt).await;
            let Err(failure) = tried else { return Ok(()) };
            self.forget();
            if retried {
                tracing::error!(error = %failure.error, "an append batch failed");
                return Err(Failure { outcome_unknown: in_doubt.is_some(), ..failure });
            }
            tracing::warn!(error = %failure.error, "an append batch is tried again");
            retried = true;
        }
    }

    fn forget(&mut self) {
        self.connection = None;
        self.known.clear();
        self.known_upto = None;
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
