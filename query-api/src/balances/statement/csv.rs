//! A statement as CSV, for spreadsheets.

use super::{OrganizationStatement, Statement, StatementLine};
use crate::costs::export::as_text;
use crate::error::QueryError;

const COLUMNS: [&str; 12] = [
    "currency",
    "day",
    "kind",
    "amount",
    "balance",
    "occurred_at",
    "position",
    "event_id",
    "lot_id",
    "other_organization_id",
    "actor",
    "note",
];

/// The statements as CSV (RFC 4180) with a header; each begins with a line `opening` and ends with a
/// line `closing`. What is null is empty. A text that a spreadsheet would take for a formula has a quote
/// before it.
pub fn to_csv(found: &OrganizationStatement) -> Result<String, QueryError> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(QueryError::unreadable)?;
    let day = |time: Option<chrono::DateTime<chrono::Utc>>| {
        time.map(|time| time.date_naive().to_string()).unwrap_or_default()
    };
    for statement in &found.statements {
        let Statement { currency, opening, lines, closing } = statement;
        let end = |kind: &str, day: String, balance: String| {
            let mut record = vec![currency.clone(), day, kind.to_owned(), String::new(), balance];
            record.resize(COLUMNS.len(), String::new());
            record
        };
        let first = end("opening", day(found.from), opening.to_string());
        writer.write_record(first).map_err(QueryError::unreadable)?;
        for line in lines {
            writer.write_record(record(currency, line)).map_err(QueryError::unreadable)?;
        }
        let last = end("closing", day(found.to), closing.to_string());
        writer.write_record(last).map_err(QueryError::unreadable)?;
    }
    let bytes = writer.into_inner().map_err(|error| QueryError::unreadable(error.into_error()))?;
    String::from_utf8(bytes).map_err(QueryError::unreadable)
}

fn record(currency: &str, line: &StatementLine) -> Vec<String> {
    let mut record = vec![
        currency.to_owned(),
        line.day.to_string(),
        line.kind.clone(),
        line.amount.to_string(),
        line.balance.to_string(),
    ];
    if let Some(movement) = &line.movement {
        record.extend([
            movement.occurred_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
            movement.position.to_string(),
            movement.event_id.to_string(),
            movement.lot_id.to_string(),
            movement.other_organization_id.map(|id| id.to_string()).unwrap_or_default(),
            as_text(&movement.actor),
            as_text(movement.note.as_deref().unwrap_or_default()),
        ]);
    }
    record.resize(COLUMNS.len(), String::new());
    record
}
