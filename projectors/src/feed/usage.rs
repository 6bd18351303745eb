//! A page's usage records as a table to select from.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Months, NaiveDate, Utc};
use event_log::UsageRun;
use event_log::usage::months::RECORDS_HERE;
use event_schemas::{Month, RecordedUsage, Units, UsageBatch};
use sqlx::{Executor, PgConnection, Row as _};
use uuid::Uuid;

use crate::projection::ProjectionError;

/// Where records that came with their page are put.
pub(super) const STAGED: &str = "pg_temp.orgledger_usage_page";

/// For the rest of the page's transaction. Groups of a page are few, however many the planner
/// expects, and fit memory: sorting all records by ten columns takes most of a rollup's time (40,000
/// records: 110 ms of the processor's time, against 42). And batches are found by their index, for
/// which the planner has to see which days are asked for.
const SETTINGS: &str = "select set_config('work_mem', '64MB', true),
    set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true),
    set_config('plan_cache_mode', 'force_custom_plan', true),
    (select string_agg(month::text, ',' order by month) from log.missing_usage_months() as m(month))
        as missing";

/// Keeps records from being detached while the transaction lasts. Then what is detached is known: the
/// next statement sees it.
const LOCK: &str = "lock table log.usage_records in access share mode";

/// What the transaction says first that reads records of the log's table. Answers the months that are not
/// in it, and none leaves it until the transaction ends.
pub(super) async fn settle(tx: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    sqlx::query(LOCK).execute(&mut *tx).await?;
    sqlx::query(SETTINGS).fetch_one(tx).await?.try_get("missing")
}

/// Prepares the transaction for reading the records of these batches, which are in the log's table;
/// refused where some of them are not there any more.
pub(super) async fn prepare(
    tx: &mut PgConnection,
    runs: &[UsageRun],
) -> Result<(), ProjectionError> {
    let missing = settle(tx).await?;
    for month in missing.iter().flat_map(|months| months.split(',')) {
        let Some(month) = month.parse().ok().and_then(Month::of) else { continue };
        let meet = runs.iter().filter(|run| month.meets(run.first_day, run.last_day));
        if !are_here(tx, &meet.collect::<Vec<_>>()).await? {
            return Err(ProjectionError::Archived { month });
        }
    }
    Ok(())
}

/// Whether all records of these batches are in the log's table.
async fn are_here(tx: &mut PgConnection, runs: &[&UsageRun]) -> Result<bool, sqlx::Error> {
    if runs.is_empty() {
        return Ok(true);
    }
    sqlx::query_scalar(&format!(
        "select not exists (
             select from unnest($1::uuid[], $2::bigint[], $3::date[], $4::date[])
                 as batch(batch_id, count, first_day, last_day)
             where count > ({RECORDS_HERE}))"
    ))
    .bind(runs.iter().map(|run| run.batch_id).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.count).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.first_day).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.last_day).collect::<Vec<_>>())
    .fetch_one(tx)
    .await
}

/// The columns of `log.usage_records` that a projection can ask for.
const COLUMNS: &[(&str, &str)] = &[
    ("batch_id", "uuid"),
    ("ordinal", "integer"),
    ("organization_id", "uuid"),
    ("project_id", "uuid"),
    ("api_key_id", "uuid"),
    ("member_id", "uuid"),
    ("service_account_id", "uuid"),
    ("end_user", "text"),
    ("feature", "text"),
    ("provider", "text"),
    ("model", "text"),
    ("request_id", "text"),
    ("occurred_at", "timestamptz"),
    ("occurred_day", "date"),
    ("input_tokens", "bigint"),
    ("cached_input_tokens", "bigint"),
    ("cache_write_tokens", "bigint"),
    ("output_tokens", "bigint"),
    ("reasoning_tokens", "bigint"),
    ("price_version", "bigint"),
    ("cost_pico", "bigint"),
    ("currency", "text"),
    ("units", "json"),
    ("service_tier", "text"),
    ("error_type", "text"),
    ("duration_ms", "bigint"),
];

/// A page's usage records: those of `table` in these batches and between these days.
#[derive(Debug, Clone)]
pub struct UsageSource {
    /// The table, with the columns of `log.usage_records` but its hashes and tags.
    pub table: &'static str,
    /// The batches, each once.
    pub batch_ids: Vec<Uuid>,
    /// When the log learned of each of them.
    pub recorded_at: Vec<DateTime<Utc>>,
    /// The first day of the month of their earliest record. Days are here to leave out partitions,
    /// and not to find records by: of a day that has just begun the planner knows no records, and
    /// would read all of it in the unique index beside each few batches.
    pub first_day: NaiveDate,
    /// The last day of the month of their latest record.
    pub last_day: NaiveDate,
}

impl UsageSource {
    pub(super) fn of(table: &'static str, spans: &[Span]) -> Option<Self> {
        let batches: BTreeMap<Uuid, DateTime<Utc>> =
            spans.iter().map(|span| (span.batch_id, span.recorded_at)).collect();
        let (batch_ids, recorded_at) = batches.into_iter().unzip();
        Some(Self {
            table,
            batch_ids,
            recorded_at,
            first_day: month(spans.iter().map(|span| span.first_day).min()?).0,
            last_day: month(spans.iter().map(|span| span.last_day).max()?).1,
        })
    }
}

/// The first and the last day of a day's month.
fn month(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let first = day.with_day(1).unwrap_or(day);
    let last = first.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt());
    (first, last.unwrap_or(NaiveDate::MAX))
}

/// Where a batch's records lie, or some of them.
pub(super) struct Span {
    pub(super) batch_id: Uuid,
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) first_day: NaiveDate,
    pub(super) last_day: NaiveDate,
}

pub(super) fn spans(batch: &UsageBatch) -> impl Iterator<Item = Span> {
    batch.records.iter().map(|record| {
        let day = record.occurred_at.date_naive();
        Span {
            batch_id: record.batch_id,
            recorded_at: batch.recorded_at,
            first_day: day,
            last_day: day,
        }
    })
}

/// Puts the records after a position into the temporary table, which the end of the transaction
/// empties.
pub(super) async fn stage(
    tx: &mut PgConnection,
    batches: &[UsageBatch],
    after: i64,
) -> Result<(), sqlx::Error> {
    let records: Vec<&RecordedUsage> = batches
        .iter()
        .flat_map(|batch| (batch.first_position..).zip(&batch.records))
        .filter(|(position, _)| *position > after)
        .map(|(_, record)| record)
        .collect();
    stage_records(tx, STAGED, &records).await
}

/// An empty temporary table, which the end of the transaction empties again.
pub(super) async fn make_temporary(
    tx: &mut PgConnection,
    table: &str,
    columns: &str,
) -> Result<(), sqlx::Error> {
    let there: Option<String> =
        sqlx::query_scalar("select to_regclass($1)::text").bind(table).fetch_one(&mut *tx).await?;
    if there.is_none() {
        let create = format!("create temporary table {table} ({columns}) on commit delete rows");
        tx.execute(create.as_str()).await?;
    } else {
        // A rebuild applies more than one page in its last transaction.
        tx.execute(format!("truncate {table}").as_str()).await?;
    }
    Ok(())
}

/// The columns that a projection can ask for, of a table by that name, but for the price.
pub(super) fn columns_but_price(table: &str) -> String {
    let is_price = |name: &str| matches!(name, "price_version" | "cost_pico" | "currency");
    let columns = COLUMNS.iter().filter(|(name, _)| !is_price(name));
    columns.map(|(name, _)| format!("{table}.{name}")).collect::<Vec<_>>().join(", ")
}

/// Puts records into a temporary table of that name.
pub(super) async fn stage_records(
    tx: &mut PgConnection,
    table: &str,
    records: &[&RecordedUsage],
) -> Result<(), sqlx::Error> {
    let columns: Vec<String> =
        COLUMNS.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    make_temporary(tx, table, &columns.join(", ")).await?;
    macro_rules! column {
        ($record:ident => $value:expr) => {
            records.iter().map(|$record| $value).collect::<Vec<_>>()
        };
    }
    let arrays: Vec<String> =
        COLUMNS.iter().zip(1..).map(|((_, kind), n)| format!("${n}::{kind}[]")).collect();
    let occurred_at: Vec<DateTime<Utc>> = column!(r => r.occurred_at);
    sqlx::query(&format!("insert into {table} select * from unnest({})", arrays.join(", ")))
        .bind(column!(r => r.batch_id))
        .bind(column!(r => r.ordinal))
        .bind(column!(r => r.organization_id.0))
        .bind(column!(r => r.project_id.0))
        .bind(column!(r => r.api_key_id.map(|id| id.0)))
        .bind(column!(r => r.member_id.map(|id| id.0)))
        .bind(column!(r => r.service_account_id.map(|id| id.0)))
        .bind(column!(r => r.end_user.clone()))
        .bind(column!(r => r.feature.clone()))
        .bind(column!(r => r.provider.clone()))
        .bind(column!(r => r.model.clone()))
        .bind(column!(r => r.request_id.clone()))
        .bind(&occurred_at)
        .bind(occurred_at.iter().map(DateTime::date_naive).collect::<Vec<_>>())
        .bind(column!(r => r.input_tokens))
        .bind(column!(r => r.cached_input_tokens))
        .bind(column!(r => r.cache_write_tokens))
        .bind(column!(r => r.output_tokens))
        .bind(column!(r => r.reasoning_tokens))
        .bind(column!(r => r.price_version))
        .bind(column!(r => r.cost_pico))
        .bind(column!(r => r.currency.map(|currency| currency.to_string())))
        .bind(column!(r => units(&r.units)))
        .bind(column!(r => r.service_tier.clone()))
        .bind(column!(r => r.error_type.clone()))
        .bind(column!(r => r.duration_ms))
        .execute(tx)
        .await?;
    Ok(())
}

/// As the log has them: none where there are none.
fn units(units: &Units) -> Option<serde_json::Value> {
    if units.is_empty() { None } else { serde_json::to_value(units).ok() }
}
