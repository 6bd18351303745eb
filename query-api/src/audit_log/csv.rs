//! An audit log as CSV, for spreadsheets.

use super::AuditEntry;
use crate::costs::export::as_text;
use crate::error::QueryError;

const COLUMNS: [&str; 25] = [
    "position",
    "last_position",
    "event_id",
    "type",
    "action",
    "outcome",
    "problem",
    "permission",
    "actor",
    "credential",
    "target_kind",
    "target_id",
    "project_id",
    "concerns",
    "before",
    "after",
    "reason",
    "records",
    "caused_by",
    "request_id",
    "causation_id",
    "trace_id",
    "source_address",
    "occurred_at",
    "recorded_at",
];

/// Lines as CSV (RFC 4180) with a header. What is null is empty; before and after are JSON. A text that
/// a spreadsheet would take for a formula has a quote before it.
pub fn to_csv(entries: &[AuditEntry]) -> Result<String, QueryError> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(QueryError::unreadable)?;
    for entry in entries {
        writer.write_record(record(entry)).map_err(QueryError::unreadable)?;
    }
    let bytes = writer.into_inner().map_err(|error| QueryError::unreadable(error.into_error()))?;
    String::from_utf8(bytes).map_err(QueryError::unreadable)
}

fn record(entry: &AuditEntry) -> [String; 25] {
    let time = |time: chrono::DateTime<chrono::Utc>| {
        time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    };
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let json = |value: &Option<serde_json::Value>| {
        value.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    let concerns: Vec<String> = entry.concerns.iter().map(ToString::to_string).collect();
    [
        entry.position.to_string(),
        entry.last_position.to_string(),
        entry.event_id.to_string(),
        entry.event_type.clone(),
        entry.action.clone(),
        entry.outcome.as_str().to_owned(),
        text(entry.problem.as_deref()),
        text(entry.permission.as_deref()),
        text(entry.actor.as_deref()),
        text(entry.credential.as_deref()),
        entry.target.kind.clone(),
        text(Some(&entry.target.id)),
        entry.project_id.map(|id| id.to_string()).unwrap_or_default(),
        concerns.join(" "),
        json(&entry.before),
        json(&entry.after),
        text(entry.reason.as_deref()),
        number(entry.records),
        number(entry.caused_by),
        text(entry.request_id.as_deref()),
        text(entry.causation_id.as_deref()),
        text(entry.trace_id.as_deref()),
        text(entry.source_address.as_deref()),
        time(entry.occurred_at),
        time(entry.recorded_at),
    ]
}

fn text(text: Option<&str>) -> String {
    as_text(text.unwrap_or_default())
}
