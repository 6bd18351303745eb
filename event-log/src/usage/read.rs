//! Reading usage records back.

use chrono::NaiveDate;
use event_schemas::{
    ApiKeyId, Currency, MemberId, Month, OrganizationId, PriceStatus, ProjectId, RecordedUsage,
    ServiceAccountId, Units,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::months::missing_of_organization;
use super::request_key;
use crate::read::UsageRun;

/// The records of a batch with ordinals from `from` on, in order, at most `records_max`.
pub async fn read_usage(
    connection: &mut PgConnection,
    run: &UsageRun,
    from: i64,
    records_max: i64,
) -> Result<Vec<RecordedUsage>, sqlx::Error> {
    let recorded = ["u.price_version", "u.cost_pico", "u.currency"];
    let rows = sqlx::query(&format!(
        "select {} from log.usage_records u
         where batch_id = $1 and ordinal >= $2 and occurred_day between $3 and $4
         order by ordinal limit $5",
        columns(recorded)
    ))
    .bind(run.batch_id)
    .bind(i32::try_from(from).unwrap_or(i32::MAX))
    .bind(run.first_day)
    .bind(run.last_day)
    .bind(records_max)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| record(row, run.batch_id, run.organization_id)).collect()
}

/// What is known of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum UsageOfRequest {
    /// Its record, at this position.
    Found(i64, Box<RecordedUsage>),
    /// There is none.
    Absent,
    /// It may be in an archive.
    Archived {
        /// Of these months.
        months: Vec<Month>,
        /// Where the last of those stands that are here, which happened before them.
        earlier: Option<i64>,
    },
}

/// The records of a request. The unique key begins with the day, so each day of the organization's is
/// looked up in it: some microseconds a day.
const OF_REQUEST: &str = "
    from (select min(first_day) as first_day, max(last_day) as last_day
          from log.usage_batches where organization_id = $1) span,
        generate_series(span.first_day, span.last_day, interval '1 day') as s(day)
    join log.usage_records u on u.occurred_day = s.day::date and u.request_key = $2
    join log.usage_batches b on b.batch_id = u.batch_id";

/// The record of a request, with its position: where a request's id came again after a day or more,
/// the one that happened last, or the one at that position.
pub async fn usage_of_request(
    pool: &PgPool,
    organization_id: OrganizationId,
    request_id: &str,
    position: Option<i64>,
) -> Result<UsageOfRequest, sqlx::Error> {
    let found = sqlx::query(&format!(
        "select u.batch_id, u.ordinal, b.first_position, b.count::bigint, b.first_day, b.last_day,
                b.recorded_at, b.metadata, u.occurred_day
         {OF_REQUEST}
         where $3::bigint is null or b.first_position + u.ordinal = $3
         order by u.occurred_at desc limit 1"
    ))
    .bind(organization_id.0)
    .bind(request_key(organization_id, request_id))
    .bind(position)
    .fetch_optional(pool)
    .await?;
    let mut connection = pool.acquire().await?;
    let at =
        |row: &PgRow| row.get::<i64, _>("first_position") + i64::from(row.get::<i32, _>("ordinal"));
    if found.is_none() || position.is_none() {
        let mut months = missing_of_organization(&mut connection, organization_id).await?;
        let day: Option<NaiveDate> = found.as_ref().map(|row| row.get("occurred_day"));
        months.retain(|month| day.is_none_or(|day| month.first_day() > day));
        if !months.is_empty() {
            return Ok(UsageOfRequest::Archived { months, earlier: found.as_ref().map(at) });
        }
    }
    let Some(row) = found else { return Ok(UsageOfRequest::Absent) };
    let run = UsageRun {
        batch_id: row.get(0),
        first_position: row.get(2),
        organization_id,
        count: row.get(3),
        first_day: row.get(4),
        last_day: row.get(5),
        recorded_at: row.get(6),
        metadata: row.get(7),
    };
    let ordinal = i64::from(row.get::<i32, _>("ordinal"));
    let record = read_usage(&mut connection, &run, ordinal, 1).await?.pop();
    Ok(record
        .map_or(UsageOfRequest::Absent, |record| UsageOfRequest::Found(at(&row), Box::new(record))))
}

/// The positions of all records of a request that are here, in order.
pub async fn positions_of_request(
    pool: &PgPool,
    organization_id: OrganizationId,
    request_id: &str,
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar(&format!(
        "select b.first_position + u.ordinal as position {OF_REQUEST} order by position"
    ))
    .bind(organization_id.0)
    .bind(request_key(organization_id, request_id))
    .fetch_all(pool)
    .await
}

/// What [`record`] reads of a row `u`, with these for its price: version, cost and currency.
pub(super) fn columns(price: [&str; 3]) -> String {
    format!(
        "u.ordinal, u.project_id, u.api_key_id, u.member_id, u.service_account_id, u.end_user,
         u.feature, u.provider, u.model, u.request_id, u.occurred_at, u.input_tokens,
         u.cached_input_tokens, u.cache_write_tokens, u.output_tokens, u.reasoning_tokens, {},
         u.tags, u.units, u.service_tier, u.error_type, u.duration_ms",
        price.join(", ")
    )
}

/// A row that begins with [`columns`].
pub(super) fn record(
    row: &PgRow,
    batch_id: Uuid,
    organization_id: OrganizationId,
) -> Result<RecordedUsage, sqlx::Error> {
    let decode = |error: Box<dyn std::error::Error + Send + Sync>| sqlx::Error::Decode(error);
    let price_currency: Option<String> = row.get(18);
    let cost_pico: Option<i64> = row.get(17);
    let units: Option<serde_json::Value> = row.get(20);
    let mut usage = RecordedUsage {
        batch_id,
        ordinal: row.get(0),
        organization_id,
        project_id: ProjectId(row.get(1)),
        api_key_id: row.get::<Option<_>, _>(2).map(ApiKeyId),
        member_id: row.get::<Option<_>, _>(3).map(MemberId),
        service_account_id: row.get::<Option<_>, _>(4).map(ServiceAccountId),
        end_user: row.get(5),
        feature: row.get(6),
        provider: row.get(7),
        model: row.get(8),
        request_id: row.get(9),
        occurred_at: row.get(10),
        input_tokens: row.get(11),
        cached_input_tokens: row.get(12),
        cache_write_tokens: row.get(13),
        output_tokens: row.get(14),
        reasoning_tokens: row.get(15),
        units: match units {
            Some(units) => serde_json::from_value(units).map_err(|e| decode(Box::new(e)))?,
            None => Units::NONE,
        },
        service_tier: row.get(21),
        error_type: row.get(22),
        duration_ms: row.get(23),
        price_status: PriceStatus::Unpriced,
        price_version: row.get(16),
        cost_pico,
        currency: price_currency.as_deref().map(currency).transpose()?,
        tags: serde_json::from_value(row.get(19)).map_err(|e| decode(Box::new(e)))?,
    };
    usage.price_status = price_status(&usage);
    Ok(usage)
}

/// What a record's cost and use say of its price.
fn price_status(usage: &RecordedUsage) -> PriceStatus {
    match usage.cost_pico {
        Some(_) => PriceStatus::Priced,
        None if usage.failed_without_use() => PriceStatus::NotBilled,
        None => PriceStatus::Unpriced,
    }
}

pub(super) fn currency(text: &str) -> Result<Currency, sqlx::Error> {
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
