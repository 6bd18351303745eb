//! The report as CSV, for spreadsheets.

use super::dimension::Dimension;
use super::report::{CostReport, CostRow};
use crate::error::QueryError;

const SUMS: [&str; 9] = [
    "requests",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost",
    "currency",
    "unpriced_requests",
];

/// The rows of a report by these dimensions, as CSV (RFC 4180) with a header. What is null is empty.
pub fn to_csv(report: &CostReport, by: &[Dimension]) -> Result<String, QueryError> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let group = by.iter().flat_map(|dimension| {
        std::iter::once(dimension.as_str()).chain(dimension.named_by().map(|named_by| named_by.id))
    });
    writer.write_record(group.chain(SUMS)).map_err(QueryError::unreadable)?;
    for row in &report.rows {
        writer.write_record(record(row)).map_err(QueryError::unreadable)?;
    }
    let bytes = writer.into_inner().map_err(|error| QueryError::unreadable(error.into_error()))?;
    String::from_utf8(bytes).map_err(QueryError::unreadable)
}

fn record(row: &CostRow) -> Vec<String> {
    let sums = &row.sums;
    let group = row.group.0.iter().map(|(_, value)| value.clone().unwrap_or_default());
    group
        .chain([
            sums.requests.to_string(),
            sums.input_tokens.to_string(),
            sums.cached_input_tokens.to_string(),
            sums.cache_write_tokens.to_string(),
            sums.output_tokens.to_string(),
            sums.reasoning_tokens.to_string(),
            sums.cost.map(|cost| cost.to_string()).unwrap_or_default(),
            row.currency.clone().unwrap_or_default(),
            sums.unpriced_requests.to_string(),
        ])
        .collect()
}
