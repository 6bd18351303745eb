//! Import usage from a CSV file: one request a row.
//!
//! Columns are found by their heading: a time (`ts_utc`, `occurred_at`, `timestamp` or `time`),
//! `input_tokens`, `output_tokens`, and where they are there `cached_input_tokens`, `request_id`
//! and the column that names the feature. A row without a `request_id` is named by its text, so
//! that a second run of the same file records nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use command_api::organizations::CreateOrganization;
use command_api::projects::{CreateProject, CreateProjectRequest};
use command_api::usage::{RecordFate, UsageRecorder};
use command_api::{CommandContext, Executor};
use domain::organization::Authority;
use domain::usage::UsageRecord;
use event_schemas::{OrganizationId, ProjectId};
use serde::Serialize;

use super::lines::{LineKeys, open};

/// How many rows share one commit.
const CHUNK_ROWS: usize = 5_000;

/// How many rejected rows are named; the rest is counted.
const REJECTED_NAMED_MAX: usize = 1_000;

/// Headings under which the time of a request is looked for.
const TIME_HEADINGS: [&str; 4] = ["ts_utc", "occurred_at", "timestamp", "time"];

/// What to import, and as what.
pub(crate) struct UsageImport {
    /// The file.
    pub path: PathBuf,
    /// The organization's name.
    pub organization: String,
    /// The project's name.
    pub project: String,
    /// The model that was used.
    pub model: String,
    /// Who served it.
    pub provider: String,
    /// The heading of the column that names the feature.
    pub feature_column: String,
    /// Whether to create the organization and the project where they are not there.
    pub create: bool,
}

/// What an import came to. Every row read is in exactly one of the counts.
#[derive(Debug, Default, Serialize)]
pub(crate) struct UsageReport {
    /// Rows read.
    pub read: u64,
    /// Rows recorded.
    pub recorded: u64,
    /// Of those, rows for which no price was known.
    pub unpriced: u64,
    /// Rows that were recorded before.
    pub duplicates: u64,
    /// Rows whose request was recorded before with other content.
    pub conflicts: u64,
    /// The lines of the first of them, from 1.
    pub conflict_lines: Vec<u64>,
    /// Rows that cannot be recorded.
    pub rejected_rows: u64,
    /// The first of them, and why.
    pub rejected: Vec<RejectedRow>,
    /// The position up to which the log must be read to see all of them.
    pub position: i64,
    /// Why the rest of the file could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<String>,
}

/// A row that cannot be recorded.
#[derive(Debug, Serialize)]
pub(crate) struct RejectedRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Where the columns stand.
struct Columns {
    time: usize,
    input: usize,
    cached: Option<usize>,
    output: usize,
    request_id: Option<usize>,
    feature: usize,
}

impl Columns {
    fn find(headings: &csv::StringRecord, path: &Path, feature: &str) -> anyhow::Result<Self> {
        let place = |name: &str| headings.iter().position(|heading| heading.trim() == name);
        let mut names: Vec<&str> = headings.iter().map(str::trim).collect();
        names.retain(|name| !name.is_empty());
        names.sort_unstable();
        let mut neighbours = names.iter().zip(names.iter().skip(1));
        if let Some((twice, _)) = neighbours.find(|(one, next)| one == next) {
            bail!("{} has two columns '{twice}'", path.display());
        }
        let required = |name: &str| {
            place(name).with_context(|| {
                let there = headings.iter().collect::<Vec<_>>().join(", ");
                format!("{} has no column '{name}'; it has: {there}", path.display())
            })
        };
        let time = TIME_HEADINGS.iter().find_map(|name| place(name));
        Ok(Self {
            time: match time {
                Some(time) => time,
                None => bail!(
                    "{} has no column for the time of a request: one of {}",
                    path.display(),
                    TIME_HEADINGS.join(", ")
                ),
            },
            input: required("input_tokens")?,
            cached: place("cached_input_tokens"),
            output: required("output_tokens")?,
            request_id: place("request_id"),
            feature: required(feature)?,
        })
    }
}

/// Imports a file. `progress` hears how many rows have been read.
pub(crate) async fn import(
    executor: &Executor,
    import: &UsageImport,
    context: &CommandContext,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<UsageReport> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(open(&import.path)?);
    let headings = reader.headers().context("the file has no headings")?.clone();
    let columns = Columns::find(&headings, &import.path, &import.feature_column)?;
    // Only for a file that can be read: what is made stays.
    let (organization_id, project_id) = place(executor, import, context).await?;
    let recorder = UsageRecorder::new(executor.clone());
    let mut keys = LineKeys::default();
    let mut report = UsageReport::default();
    let mut chunk: Vec<(u64, UsageRecord)> = Vec::with_capacity(CHUNK_ROWS);
    let mut row = csv::StringRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut row) {
            Ok(false) => break,
            Ok(true) => {
                report.read += 1;
                match record(&row, &headings, &columns, import, project_id, &mut keys) {
                    Ok(usage) => {
                        chunk.push((row.position().map_or(line, csv::Position::line), usage));
                    }
                    Err(reason) => report.reject(line, reason),
                }
            }
            Err(error) if error.is_io_error() => {
                report.cut_off = Some(format!("the file cannot be read on: {error}"));
                break;
            }
            Err(error) => {
                report.read += 1;
                report.reject(line, error.to_string());
            }
        }
        if chunk.len() == CHUNK_ROWS {
            write(&recorder, context, organization_id, &mut chunk, &mut report).await?;
            progress(report.read);
        }
    }
    write(&recorder, context, organization_id, &mut chunk, &mut report).await?;
    progress(report.read);
    // Rows that cannot be read are known before the others of their chunk are written.
    report.rejected.sort_by_key(|rejected| rejected.line);
    Ok(report)
}

impl UsageReport {
    fn reject(&mut self, line: u64, reason: String) {
        self.rejected_rows += 1;
        if self.rejected.len() < REJECTED_NAMED_MAX {
            self.rejected.push(RejectedRow { line, reason });
        }
    }
}

async fn write(
    recorder: &UsageRecorder,
    context: &CommandContext,
    organization_id: OrganizationId,
    chunk: &mut Vec<(u64, UsageRecord)>,
    report: &mut UsageReport,
) -> anyhow::Result<()> {
    if chunk.is_empty() {
        return Ok(());
    }
    let (lines, records): (Vec<u64>, Vec<UsageRecord>) = chunk.drain(..).unzip();
    let answer = recorder.record(context, organization_id, records).await?;
    report.position = report.position.max(answer.position);
    report.unpriced += answer.unpriced as u64;
    for (line, fate) in lines.into_iter().zip(answer.records) {
        match fate {
            RecordFate::Recorded { .. } => report.recorded += 1,
            RecordFate::Duplicate => report.duplicates += 1,
            RecordFate::Conflict => {
                report.conflicts += 1;
                if report.conflict_lines.len() < REJECTED_NAMED_MAX {
                    report.conflict_lines.push(line);
                }
            }
            RecordFate::Invalid { reason, field: _ } => report.reject(line, reason),
        }
    }
    Ok(())
}

/// The organization and the project, created where that is asked for.
async fn place(
    executor: &Executor,
    import: &UsageImport,
    context: &CommandContext,
) -> anyhow::Result<(OrganizationId, ProjectId)> {
    let mut session = executor.reading(Authority::System, true);
    let found = session.organization_named(&import.organization).await;
    let organization_id = match found.map_err(command_api::Refusal::into_error)? {
        Some(organization_id) => organization_id,
        None if import.create => {
            let create = CreateOrganization {
                name: import.organization.clone(),
                seat_limit: None,
                owner: None,
            };
            executor.execute(context, &create).await?.outcome.organization_id
        }
        None => bail!("there is no organization '{}'; --create makes it", import.organization),
    };
    let mut session = executor.reading(Authority::System, true);
    let found = session.project_named(organization_id, &import.project).await;
    let project_id = match found.map_err(command_api::Refusal::into_error)? {
        Some(project_id) => project_id,
        None if import.create => {
            let request = CreateProjectRequest { name: import.project.clone(), environment: None };
            let create = CreateProject { organization_id, request };
            executor.execute(context, &create).await?.outcome.project_id
        }
        None => bail!(
            "there is no project '{}' in the organization '{}'; --create makes it",
            import.project,
            import.organization
        ),
    };
    Ok((organization_id, project_id))
}

fn record(
    row: &csv::StringRecord,
    headings: &csv::StringRecord,
    columns: &Columns,
    import: &UsageImport,
    project_id: ProjectId,
    keys: &mut LineKeys,
) -> Result<UsageRecord, String> {
    // A comma too many would move every field after it into another column.
    if row.len() != headings.len() {
        return Err(format!("it has {} fields, and the heading {}", row.len(), headings.len()));
    }
    let text = row.iter().collect::<Vec<_>>().join("\u{1f}");
    let key = keys.key(&text);
    let field = |place: usize, name: &str| {
        row.get(place).map(str::trim).ok_or_else(|| format!("{name} is missing"))
    };
    let tokens = |place: usize, name: &str| {
        let text = field(place, name)?;
        text.parse::<i64>().map_err(|_| format!("{name} is '{text}', not a whole number"))
    };
    let cached = match columns.cached.and_then(|place| row.get(place)).map(str::trim) {
        None | Some("") => 0,
        Some(text) => text
            .parse()
            .map_err(|_| format!("cached_input_tokens is '{text}', not a whole number"))?,
    };
    let time = field(columns.time, "the time")?;
    let occurred_at = DateTime::parse_from_rfc3339(time)
        .map_err(|_| format!("the time is '{time}', not like 2026-01-31T12:00:00Z"))?;
    let request_id = columns.request_id.and_then(|place| row.get(place)).map(str::trim);
    Ok(UsageRecord {
        project_id,
        api_key_id: None,
        member_id: None,
        service_account_id: None,
        end_user: None,
        feature: field(columns.feature, &import.feature_column)?.to_owned(),
        provider: import.provider.clone(),
        model: import.model.clone(),
        request_id: match request_id {
            Some(id) if !id.is_empty() => id.to_owned(),
            Some(_) | None => format!("csv:{key}"),
        },
        // As fine as Postgres keeps it; the digits beyond are cut off.
        occurred_at: chrono::SubsecRound::trunc_subsecs(occurred_at.with_timezone(&Utc), 6),
        input_tokens: tokens(columns.input, "input_tokens")?,
        cached_input_tokens: cached,
        cache_write_tokens: 0,
        output_tokens: tokens(columns.output, "output_tokens")?,
        reasoning_tokens: 0,
        units: event_schemas::Units::NONE,
        service_tier: None,
        error_type: None,
        duration_ms: None,
        tags: std::collections::BTreeMap::new(),
    })
}
