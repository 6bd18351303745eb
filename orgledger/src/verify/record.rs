//! A single usage record of a file of evidence, out of its row.

use anyhow::{Context as _, ensure};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use event_log::exact::RECORD_COLUMNS;
use event_schemas::Amount;
use proofs::bundle::ProvenRecord;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Postgres counts from here.
const EPOCH: NaiveDate = match NaiveDate::from_ymd_opt(2000, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// Of what type a column is.
enum Kind {
    Uuid,
    Integer,
    Text,
    Json,
    Time,
    Day,
}

fn kind(column: &str) -> Kind {
    match column {
        "batch_id" | "organization_id" | "project_id" | "api_key_id" | "member_id"
        | "service_account_id" | "request_key" | "content_key" => Kind::Uuid,
        "end_user" | "feature" | "provider" | "model" | "request_id" | "currency"
        | "service_tier" | "error_type" => Kind::Text,
        "tags" | "units" => Kind::Json,
        "occurred_at" => Kind::Time,
        "occurred_day" => Kind::Day,
        _ => Kind::Integer,
    }
}

/// The columns of a record, by their names in the log, and its position.
pub(super) fn read(record: &ProvenRecord) -> anyhow::Result<Map<String, Value>> {
    let mut fields = fields(&record.row).context("the record's row cannot be read")?.into_iter();
    let mut read = Map::new();
    read.insert("position".to_owned(), record.position.into());
    for column in RECORD_COLUMNS.split(", ") {
        let field = fields.next().with_context(|| format!("the record has no {column}"))?;
        let value = match field {
            None => Value::Null,
            Some(bytes) => value(&kind(column), bytes)
                .with_context(|| format!("the record's {column} is none"))?,
        };
        read.insert(column.to_owned(), value);
    }
    ensure!(fields.next().is_none(), "the record has more columns than this program knows");
    let pico = read.get("cost_pico").and_then(Value::as_i64);
    let cost = pico.map(|pico| Amount::from_pico(i128::from(pico)).to_string());
    read.insert("cost".to_owned(), json!(cost));
    Ok(read)
}

/// The fields of a row of the binary COPY format; none for nulls.
fn fields(row: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let (count, mut rest) = row.split_first_chunk::<2>()?;
    let mut fields = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = i32::from_be_bytes(*length);
        if length < 0 {
            fields.push(None);
            rest = after;
            continue;
        }
        let (field, after) = after.split_at_checked(usize::try_from(length).ok()?)?;
        fields.push(Some(field));
        rest = after;
    }
    rest.is_empty().then_some(fields)
}

fn value(kind: &Kind, bytes: &[u8]) -> Option<Value> {
    let text = || std::str::from_utf8(bytes).ok();
    let number = || match bytes.len() {
        4 => Some(i64::from(i32::from_be_bytes(bytes.try_into().ok()?))),
        8 => Some(i64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    };
    Some(match kind {
        Kind::Uuid => json!(Uuid::from_slice(bytes).ok()?),
        Kind::Integer => json!(number()?),
        Kind::Text => json!(text()?),
        Kind::Json => serde_json::from_str(text()?).ok()?,
        Kind::Time => {
            let since = TimeDelta::microseconds(number()?);
            let time: DateTime<Utc> =
                EPOCH.and_hms_opt(0, 0, 0)?.and_utc().checked_add_signed(since)?;
            json!(time)
        }
        Kind::Day => json!(EPOCH.checked_add_signed(TimeDelta::try_days(number()?)?)?),
    })
}

/// What says nothing to a person: it is said elsewhere, or is how the log finds it.
const NOT_SHOWN: [&str; 8] = [
    "position",
    "batch_id",
    "ordinal",
    "organization_id",
    "occurred_day",
    "request_key",
    "content_key",
    "cost_pico",
];

pub(super) fn told(place: &ProvenRecord, record: &Map<String, Value>) -> String {
    let mut text = format!(
        "  record           position {}, {} of the {} in batch {} (the first is 0)\n",
        place.position, place.ordinal, place.count, place.batch_id
    );
    for column in RECORD_COLUMNS.split(", ").chain(["cost"]) {
        if NOT_SHOWN.contains(&column) {
            continue;
        }
        let value = record.get(column).filter(|value| !value.is_null());
        let value = match value {
            None if column == "cost" => {
                "none: no price was known, or nothing was to be paid".to_owned()
            }
            None => continue,
            Some(Value::String(value)) => value.replace(['\n', '\r'], " "),
            Some(value) => value.to_string(),
        };
        text.push_str(&format!("    {column:<21}{value}\n"));
    }
    text
}
