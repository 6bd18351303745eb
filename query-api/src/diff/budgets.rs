//! Thresholds of budgets that were reached.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value, json};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::names::Names;
use super::{Area, Became, DiffLine, LINES_MAX, Span};
use crate::balances::amount;
use crate::error::QueryError;
use crate::snapshot::Snapshot;

/// What was told of budgets: each threshold, and all of the amount, at the event that has it on record.
pub(super) async fn lines(
    snapshot: &mut Snapshot,
    span: &Span,
    names: &Names,
) -> Result<Vec<DiffLine>, QueryError> {
    let rows = sqlx::query(
        "select budget_id, period, starts_at, amount::text, threshold, spent::text, position,
             recorded_at_position, told_at
         from read.budget_crossings
         where organization_id = $1 and recorded_at_position <= $2 and told_at is not null
             and ($3::timestamptz is null or told_at > $3)
             and ($4::timestamptz is null or told_at <= $4)
         order by recorded_at_position limit $5",
    )
    .bind(span.organization_id)
    .bind(span.position)
    .bind(span.from)
    .bind(span.to)
    .bind(i64::try_from(LINES_MAX + 1).unwrap_or(i64::MAX))
    .fetch_all(snapshot.connection())
    .await?;
    rows.iter().map(|row| line(row, names)).collect()
}

fn line(row: &PgRow, names: &Names) -> Result<DiffLine, QueryError> {
    let budget_id: Uuid = row.try_get("budget_id")?;
    let ids = Map::from_iter([("budget_id".to_owned(), json!(budget_id))]);
    let threshold: Option<i32> = row.try_get("threshold")?;
    let starts_at: Option<DateTime<Utc>> = row.try_get("starts_at")?;
    // Where the period never begins anew, it has no day to begin with.
    let period: Option<NaiveDate> = starts_at.map(|_| row.try_get("period")).transpose()?;
    let crossed_at: i64 = row.try_get("position")?;
    let mut after = Map::from_iter([
        ("amount".to_owned(), json!(amount(row, "amount")?)),
        ("crossed_at".to_owned(), json!(crossed_at)),
        ("period".to_owned(), json!(period)),
        ("spent".to_owned(), json!(amount(row, "spent")?)),
    ]);
    let (key, share, text) = match threshold {
        Some(percent) => ("threshold", json!(percent), format!("{percent} %")),
        None => ("exhausted", json!(true), "all".to_owned()),
    };
    after.insert(key.to_owned(), share);
    Ok(DiffLine {
        area: Area::Budgets,
        kind: "budget_threshold".to_owned(),
        name: format!("{} · {text}", names.of("budget", &ids, None)),
        became: Became::Began,
        ids,
        before: None,
        after: Some(Value::Object(after)),
        at: row.try_get("told_at")?,
        position: row.try_get("recorded_at_position")?,
        changes: 1,
        event_id: None,
        event_type: None,
        actor: None,
        reason: None,
        recorded_at: None,
    })
}
