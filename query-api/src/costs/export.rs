//! The report as a table: CSV for spreadsheets, Parquet for whoever computes with it.

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::Amount;
use parquet_file::{Column, ParquetWriter, Values};

use super::dimension::Dimension;
use super::report::{CostReport, CostRow};
use crate::error::QueryError;

const COUNTS: [&str; 6] = [
    "requests",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
];

/// What stands after the counts.
const REST: [&str; 7] = [
    "cost",
    "currency",
    "unpriced_requests",
    "failed_requests",
    "price_status",
    "unattributed",
    "units",
];

/// The rows of a report by these dimensions, as CSV (RFC 4180) with a header. What is null is empty.
/// Units are JSON. A text that a spreadsheet would take for a formula has a quote before it.
pub fn to_csv(report: &CostReport, by: &[Dimension]) -> Result<String, QueryError> {
    let header = fields(by).into_iter().chain(COUNTS.iter().chain(&REST).map(ToString::to_string));
    csv_of(header, report.rows.iter().map(record))
}

/// A spreadsheet takes a cell that begins like this for a formula; a quote before it makes it text.
pub(crate) fn as_text(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        return format!("'{text}");
    }
    text.to_owned()
}

/// CSV with a header, in lines that end as RFC 4180 says.
pub(super) fn csv_of<R>(
    header: impl IntoIterator<Item = String>,
    records: impl Iterator<Item = R>,
) -> Result<String, QueryError>
where
    R: IntoIterator<Item = String>,
{
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(header).map_err(QueryError::unreadable)?;
    for record in records {
        writer.write_record(record).map_err(QueryError::unreadable)?;
    }
    let bytes = writer.into_inner().map_err(|error| QueryError::unreadable(error.into_error()))?;
    String::from_utf8(bytes).map_err(QueryError::unreadable)
}

/// The fields of a group: the name, and where there is one, the id.
fn fields(by: &[Dimension]) -> Vec<String> {
    let fields = by.iter().flat_map(|dimension| {
        let id = dimension.named_by().map(|named_by| named_by.id.to_owned());
        std::iter::once(dimension.word().into_owned()).chain(id)
    });
    fields.collect()
}

fn record(row: &CostRow) -> Vec<String> {
    let sums = &row.sums;
    let group = row.group.0.iter().map(|(_, value)| as_text(value.as_deref().unwrap_or_default()));
    let rest = [
        sums.cost.map(|cost| cost.to_string()).unwrap_or_default(),
        row.currency.clone().unwrap_or_default(),
        sums.unpriced_requests.to_string(),
        sums.failed_requests.to_string(),
        row.price_status.to_string(),
        row.unattributed.to_string(),
        units(row).unwrap_or_default(),
    ];
    group.chain(counts(row).map(|count| count.to_string())).chain(rest).collect()
}

fn counts(row: &CostRow) -> [i64; 6] {
    let sums = &row.sums;
    [
        sums.requests,
        sums.input_tokens,
        sums.cached_input_tokens,
        sums.cache_write_tokens,
        sums.output_tokens,
        sums.reasoning_tokens,
    ]
}

/// As JSON; none where there are none.
pub(super) fn units(row: &CostRow) -> Option<String> {
    let units = &row.sums.units;
    if units.is_empty() { None } else { serde_json::to_string(units).ok() }
}

/// The rows of a report by these dimensions, as a Parquet file. Columns are those of CSV; days and
/// weeks are dates, hours times, costs decimals of twelve places, and what is null is null.
pub fn to_parquet(report: &CostReport, by: &[Dimension]) -> Result<Vec<u8>, QueryError> {
    let mut table = Table::default();
    let rows = &report.rows;
    for (index, field) in fields(by).into_iter().enumerate() {
        let values = || rows.iter().map(|row| row.group.0[index].1.as_deref());
        table.add(&field, typed(&field, values()));
    }
    for (index, name) in COUNTS.into_iter().enumerate() {
        table.add(name, Values::Integer(rows.iter().map(|row| Some(counts(row)[index])).collect()));
    }
    let integers = |read: &dyn Fn(&CostRow) -> i64| {
        Values::Integer(rows.iter().map(|r| Some(read(r))).collect())
    };
    table.add(
        "cost",
        Values::Decimal(rows.iter().map(|row| row.sums.cost.map(Amount::pico)).collect()),
    );
    table.add("currency", Values::Text(rows.iter().map(|row| row.currency.clone()).collect()));
    table.add("unpriced_requests", integers(&|row| row.sums.unpriced_requests));
    table.add("failed_requests", integers(&|row| row.sums.failed_requests));
    let status = rows.iter().map(|row| Some(row.price_status.to_string()));
    table.add("price_status", Values::Text(status.collect()));
    let unattributed = rows.iter().map(|row| Some(row.unattributed));
    table.add("unattributed", Values::Boolean(unattributed.collect()));
    table.add("units", Values::Text(rows.iter().map(units).collect()));
    table.written()
}

/// A group's field, as what it is.
fn typed<'a>(field: &str, values: impl Iterator<Item = Option<&'a str>>) -> Values {
    match field {
        "hour" => {
            let time = |text: &str| text.parse::<DateTime<Utc>>().ok();
            Values::Time(values.map(|value| value.and_then(time)).collect())
        }
        "day" | "week" => {
            let date = |text: &str| text.parse::<NaiveDate>().ok();
            Values::Date(values.map(|value| value.and_then(date)).collect())
        }
        _ => Values::Text(values.map(|value| value.map(str::to_owned)).collect()),
    }
}

/// A table that is small enough to be held, to be written as one row group.
#[derive(Default)]
pub(super) struct Table {
    columns: Vec<Column>,
    values: Vec<Values>,
}

impl Table {
    pub(super) fn add(&mut self, name: &str, values: Values) {
        self.columns.push(Column::new(name, values.kind()));
        self.values.push(values);
    }

    pub(super) fn written(self) -> Result<Vec<u8>, QueryError> {
        let mut writer =
            ParquetWriter::new(Vec::new(), self.columns).map_err(QueryError::unreadable)?;
        writer.write(&self.values).map_err(QueryError::unreadable)?;
        writer.finish().map_err(QueryError::unreadable)
    }
}
