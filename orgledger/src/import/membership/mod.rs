//! Import a history of people and teams: one JSON object a line, in the order in which the changes
//! came about.
//!
//! Every line is a command with an idempotency key made from its text: a second run of the same
//! file, or of one that has grown since, records only what is new. Hundreds of lines share one
//! append.

mod change;

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Duration, Utc};
use command_api::{CommandContext, Executor};
use domain::organization::Authority;
use event_schemas::{Actor, EventMetadata};
use serde::Serialize;

use super::lines::{Line, LineKeys, Lines, open};
use change::{Change, Kind, LineOutcome, SUBJECT};

/// How many lines share one append.
const CHUNK_LINES: usize = 500;

/// How far in the future a change may lie: clocks differ, and no more.
const FUTURE_MAX: Duration = Duration::days(1);

/// What an import came to. Every line read is in exactly one of the counts.
#[derive(Debug, Default, Serialize)]
pub(crate) struct MembershipReport {
    /// Lines read.
    pub read: u64,
    /// Lines whose change was recorded.
    pub recorded: u64,
    /// Lines that changed nothing: it was so already.
    pub unchanged: u64,
    /// Lines that an earlier import recorded.
    pub already_imported: u64,
    /// Lines that are not part of an access register, by kind.
    pub skipped: BTreeMap<String, u64>,
    /// Lines that cannot be recorded.
    pub rejected: Vec<Rejected>,
    /// Why the rest of the file could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<String>,
}

/// A line that cannot be recorded.
#[derive(Debug, Serialize)]
pub(crate) struct Rejected {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// A change that is ready to be recorded.
struct Ready {
    line: u64,
    change: Change,
    context: CommandContext,
}

impl Ready {
    /// As it is told: what is kept of a refusal names nobody, and here the line is at hand.
    fn rejected(&self, reason: &str) -> Rejected {
        let subject = self.change.subject().map(|login| format!("'{login}'"));
        let subject = subject.unwrap_or_else(|_| SUBJECT.to_owned());
        Rejected { line: self.line, reason: reason.replacen(SUBJECT, &subject, 1) }
    }
}

/// Imports a file. `progress` hears how many lines have been read.
pub(crate) async fn import(
    executor: &Executor,
    path: &Path,
    now: DateTime<Utc>,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<MembershipReport> {
    let mut lines = Lines::new(open(path)?);
    let mut keys = LineKeys::under(executor.pepper());
    let mut report = MembershipReport::default();
    let correlation_id = format!("import membership {}", now.to_rfc3339());
    let mut chunk = Vec::with_capacity(CHUNK_LINES);
    loop {
        let line = match lines.next() {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(error) => {
                report.cut_off = Some(format!("{error:#}"));
                break;
            }
        };
        report.read += 1;
        match prepare(&line, &mut keys, &correlation_id, now) {
            Ok(Some(ready)) => chunk.push(ready),
            Ok(None) => {}
            Err(Unrecorded::Skipped(kind)) => *report.skipped.entry(kind).or_default() += 1,
            Err(Unrecorded::Rejected(reason)) => {
                report.rejected.push(Rejected { line: line.number, reason });
            }
        }
        if chunk.len() == CHUNK_LINES {
            record(executor, std::mem::take(&mut chunk), &mut report).await?;
            progress(report.read);
        }
    }
    record(executor, chunk, &mut report).await?;
    progress(report.read);
    report.rejected.sort_by_key(|rejected| rejected.line);
    Ok(report)
}

/// Why a line is not even tried.
enum Unrecorded {
    Skipped(String),
    Rejected(String),
}

fn prepare(
    line: &Line,
    keys: &mut LineKeys,
    correlation_id: &str,
    now: DateTime<Utc>,
) -> Result<Option<Ready>, Unrecorded> {
    let text = line.text.as_ref().map_err(|why| Unrecorded::Rejected(why.clone()))?;
    let change: Change = serde_json::from_str(text)
        .map_err(|error| Unrecorded::Rejected(format!("not a change: {error}")))?;
    let Some(kind) = Kind::of(&change.kind) else {
        return Err(Unrecorded::Rejected(format!("unknown kind '{}'", change.kind)));
    };
    if kind == Kind::NotAccess {
        return Err(Unrecorded::Skipped(change.kind));
    }
    if change.ts > now + FUTURE_MAX {
        return Err(Unrecorded::Rejected(format!("its time {} lies in the future", change.ts)));
    }
    let metadata = EventMetadata {
        actor: Actor::external(change.actor.as_deref().unwrap_or("unknown")),
        correlation_id: correlation_id.to_owned(),
        causation_id: change.commit.clone(),
        traceparent: None,
        source_address: None,
        credential: None,
    };
    let context = CommandContext {
        metadata,
        authority: Authority::System,
        now,
        occurred_at: change.ts,
        idempotency_key: Some(keys.key(text)),
        expected_sequence: None,
        presented: None,
    };
    Ok(Some(Ready { line: line.number, change, context }))
}

/// Records a chunk of lines in one append.
async fn record(
    executor: &Executor,
    mut chunk: Vec<Ready>,
    report: &mut MembershipReport,
) -> anyhow::Result<()> {
    let Some(first) = chunk.first() else { return Ok(()) };
    let scope = first.context.scope();
    let keys: Vec<String> =
        chunk.iter().filter_map(|ready| ready.context.idempotency_key.clone()).collect();
    let mut before = BTreeMap::new();
    for replay in executor.log().replays(&scope, &keys).await? {
        before.insert(replay.key, serde_json::from_str::<LineOutcome>(&replay.outcome)?);
    }
    chunk.retain(|ready| {
        let outcome = ready.context.idempotency_key.as_ref().and_then(|key| before.get(key));
        match outcome {
            Some(LineOutcome::Rejected { reason }) => {
                report.rejected.push(ready.rejected(reason));
            }
            Some(LineOutcome::Recorded { .. } | LineOutcome::Unchanged) => {
                report.already_imported += 1;
            }
            None => {}
        }
        outcome.is_none()
    });
    if chunk.is_empty() {
        return Ok(());
    }
    let commands: Vec<_> = chunk.iter().map(|ready| (&ready.context, &ready.change)).collect();
    let answers = executor.execute_all(&commands).await?;
    for (ready, answer) in chunk.iter().zip(answers) {
        match answer?.outcome {
            LineOutcome::Recorded { .. } => report.recorded += 1,
            LineOutcome::Unchanged => report.unchanged += 1,
            LineOutcome::Rejected { reason } => {
                report.rejected.push(ready.rejected(&reason));
            }
        }
    }
    Ok(())
}
