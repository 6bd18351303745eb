//! `orgledger import`: runs an import on this installation and prints what it came to.

use std::io::{IsTerminal, Write};

use command_api::{CommandContext, Executor};
use domain::organization::Authority;
use event_log::{EventLog, clock};
use event_schemas::{Actor, EventMetadata};
use serde::Serialize;

use crate::cli::{ImportCommand, PlaceArgs};
use crate::import::membership::{self, MembershipReport};
use crate::import::prices::{self, PricesReport};
use crate::import::usage::{self, UsageImport, UsageReport};
use crate::installation::Installation;

/// How many rejected lines are printed for a person; `--json` has them all.
const REJECTED_PRINTED_MAX: usize = 20;

/// Runs an import.
pub(crate) async fn run(place: &PlaceArgs, import: ImportCommand) -> anyhow::Result<()> {
    let installation = Installation::open(place).await?;
    let log = EventLog::open(&installation.log, installation.master_keys()?).await?;
    let executor = Executor::new(log, installation.pepper()?);
    let now = clock::now();
    match import {
        ImportCommand::Membership(args) => {
            let lines = progress("lines");
            let report = membership::import(&executor, &args.file, now, lines).await?;
            output(args.json, &report, membership_text)?;
            read_whole(report.cut_off.as_deref())?;
        }
        ImportCommand::Prices(args) => {
            let context = operator("import prices");
            let report =
                prices::import(&executor, &args.file, args.effective_from, &context).await?;
            output(args.json, &report, prices_text)?;
        }
        ImportCommand::Usage(args) => {
            let import = UsageImport {
                path: args.file,
                organization: args.organization,
                project: args.project,
                model: args.model,
                provider: args.provider,
                feature_column: args.feature_column,
                create: args.create,
            };
            let context = operator("import usage");
            let report = usage::import(&executor, &import, &context, progress("rows")).await?;
            output(args.json, &report, usage_text)?;
            read_whole(report.cut_off.as_deref())?;
        }
    }
    drop(executor);
    installation.close().await
}

/// An error where the file ended before its end; what was read by then is recorded and told.
fn read_whole(cut_off: Option<&str>) -> anyhow::Result<()> {
    match cut_off {
        Some(why) => anyhow::bail!("{why}; what came before it is recorded as told"),
        None => Ok(()),
    }
}

/// The operator at this terminal, now.
pub(crate) fn operator(what: &str) -> CommandContext {
    let now = clock::now();
    CommandContext {
        metadata: EventMetadata {
            actor: Actor::operator("command-line"),
            correlation_id: format!("{what} {}", now.to_rfc3339()),
            causation_id: None,
            traceparent: None,
            source_address: None,
            credential: None,
        },
        authority: Authority::System,
        now,
        occurred_at: now,
        idempotency_key: None,
        expected_sequence: None,
        presented: None,
    }
}

/// Tells a person how far it is; a program hears nothing.
fn progress(unit: &'static str) -> impl FnMut(u64) {
    let shows = std::io::stderr().is_terminal();
    move |read| {
        if shows {
            eprint!("\r{read} {unit} read");
            let _ = std::io::stderr().flush();
        }
    }
}

fn output<R: Serialize>(json: bool, report: &R, text: fn(&R) -> String) -> anyhow::Result<()> {
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    if json { crate::print(&serde_json::to_string(report)?) } else { crate::print(&text(report)) }
}

fn rejected_text<'a>(rejected: impl ExactSizeIterator<Item = (u64, &'a str)>) -> String {
    let count = rejected.len();
    let mut text = String::new();
    for (line, reason) in rejected.take(REJECTED_PRINTED_MAX) {
        text.push_str(&format!("\n  line {line}: {reason}"));
    }
    if count > REJECTED_PRINTED_MAX {
        text.push_str(&format!("\n  and {} more; --json names them", count - REJECTED_PRINTED_MAX));
    }
    text
}

fn membership_text(report: &MembershipReport) -> String {
    let mut text = format!(
        "{} lines read: {} recorded, {} changed nothing, {} imported before, {} skipped, {} rejected",
        report.read,
        report.recorded,
        report.unchanged,
        report.already_imported,
        report.skipped.values().sum::<u64>(),
        report.rejected.len(),
    );
    for (kind, count) in &report.skipped {
        text.push_str(&format!("\n  skipped {kind}: {count}"));
    }
    let rejected = report.rejected.iter().map(|one| (one.line, one.reason.as_str()));
    text.push_str(&rejected_text(rejected));
    text
}

fn prices_text(report: &PricesReport) -> String {
    let mut text = format!(
        "{} models of {} providers read: {} priced; {} price lists published, {} as they were",
        report.models, report.providers, report.priced, report.published, report.unchanged
    );
    for (why, count) in &report.left_out {
        text.push_str(&format!("\n  left out, {why}: {count} models"));
    }
    for (unit, count) in &report.prices_not_taken {
        text.push_str(&format!("\n  not taken, {unit}: of {count} models"));
    }
    for one in &report.rejected {
        text.push_str(&format!("\n  refused, {}: {}", one.provider, one.reason));
    }
    text
}

fn usage_text(report: &UsageReport) -> String {
    let mut text = format!(
        "{} rows read: {} recorded, {} duplicates, {} conflicts, {} rejected",
        report.read, report.recorded, report.duplicates, report.conflicts, report.rejected_rows
    );
    if report.unpriced > 0 {
        text.push_str(&format!(
            "\n  {} of them unpriced: no list priced the model when they were used, and a price published \
             later does not change that",
            report.unpriced
        ));
    }
    let conflicting = "the request was recorded before with other content";
    let conflicts = report.conflict_lines.iter().map(|line| (*line, conflicting));
    text.push_str(&rejected_text(conflicts));
    let rejected = report.rejected.iter().map(|one| (one.line, one.reason.as_str()));
    text.push_str(&rejected_text(rejected));
    text
}
