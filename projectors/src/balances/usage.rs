//! What a page's usage records come to.

use event_schemas::{Amount, Currency, OrganizationId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::entries::Key;
use crate::feed::{FeedPage, UsageBatchOfPage, UsageSource};
use crate::projection::ProjectionError;

/// What one batch used of an account, as far as it stands on the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    pub(super) key: Key,
    pub(super) batch: UsageBatchOfPage,
    pub(super) amount: Amount,
}

/// Where in a batch an account crossed, and what had been used of the batch up to there.
#[derive(Debug, Clone, Copy)]
pub(super) struct CrossedIn {
    pub(super) position: i64,
    pub(super) used: Amount,
}

/// Adds the page's usage to what is kept by the hour and by the batch; answers what each batch used.
///
/// A sum of whole pico-units is exact, and so is its product with one of them: twelve places.
pub(super) async fn add(
    tx: &mut PgConnection,
    page: &FeedPage,
    source: &UsageSource,
) -> Result<Vec<Used>, ProjectionError> {
    let batches = page.usage_batches();
    let rows = sqlx::query(&format!(
        "with used as materialized (
             select organization_id, currency, batch_id,
                 date_trunc('hour', occurred_at, 'UTC') as hour, sum(cost_pico) as pico
             from {} where batch_id = any($1) and occurred_day between $2 and $3
                 and cost_pico is not null
             group by 1, 2, 3, 4
         ), by_hour as (
             insert into credit_usage as u (organization_id, currency, hour, cost)
             select organization_id, currency, hour, sum(pico) * 0.000000000001
             from used group by 1, 2, 3
             on conflict (organization_id, currency, hour) do update
                 set cost = u.cost + excluded.cost
         ), by_batch as (
             insert into credit_usage_batches as b (organization_id, currency, first_position, hour,
                 cost)
             select organization_id, currency, f.first_position, hour, pico * 0.000000000001
             from used join unnest($4::uuid[], $5::bigint[]) as f(batch_id, first_position)
                 using (batch_id)
             on conflict (organization_id, currency, first_position, hour) do update
                 set cost = b.cost + excluded.cost
         )
         select organization_id, currency, batch_id, sum(pico)::text from used group by 1, 2, 3",
        source.table
    ))
    .bind(&source.batch_ids)
    .bind(source.first_day)
    .bind(source.last_day)
    .bind(batches.iter().map(|batch| batch.batch_id).collect::<Vec<_>>())
    .bind(batches.iter().map(|batch| batch.first_position).collect::<Vec<_>>())
    .fetch_all(tx)
    .await?;
    rows.iter().map(|row| used(row, &batches)).collect()
}

fn used(row: &PgRow, batches: &[UsageBatchOfPage]) -> Result<Used, ProjectionError> {
    let batch_id: Uuid = row.try_get(2)?;
    let batch = batches.binary_search_by_key(&batch_id, |batch| batch.batch_id);
    let batch = batch.map_err(|_| sqlx::Error::RowNotFound)?;
    let key = (OrganizationId(row.try_get(0)?), currency(row.try_get(1)?)?);
    Ok(Used { key, batch: batches[batch], amount: pico(row.try_get(3)?)? })
}

/// The first record of the batch with which it comes to `limit` or more.
pub(super) async fn crossed(
    tx: &mut PgConnection,
    source: &UsageSource,
    used: &Used,
    limit: Amount,
) -> Result<CrossedIn, ProjectionError> {
    let (OrganizationId(organization_id), currency) = used.key;
    let row = sqlx::query(&format!(
        "select ordinal::bigint, running::text from (
             select ordinal, sum(cost_pico) over (order by ordinal) as running
             from {} where batch_id = $1 and occurred_day between $2 and $3
                 and organization_id = $4 and currency = $5 and cost_pico is not null
         ) records where running >= $6::numeric order by ordinal limit 1",
        source.table
    ))
    .bind(used.batch.batch_id)
    .bind(source.first_day)
    .bind(source.last_day)
    .bind(organization_id)
    .bind(currency.as_str())
    .bind(limit.pico().to_string())
    .fetch_one(tx)
    .await?;
    let ordinal: i64 = row.try_get(0)?;
    let position = used.batch.first_position + ordinal;
    Ok(CrossedIn { position, used: pico(row.try_get(1)?)? })
}

/// Whole pico-units, as text.
fn pico(text: &str) -> Result<Amount, ProjectionError> {
    let pico = text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Amount::from_pico(pico))
}

pub(super) fn currency(text: &str) -> Result<Currency, ProjectionError> {
    Ok(text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?)
}
