//! What a page's usage records come to.

use std::collections::BTreeMap;

use event_schemas::{Amount, Currency, OrganizationId};
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::account::Part;
use super::entries::{Entry, Key};
use crate::feed::{FeedPage, UsageBatchOfPage, UsageSource};
use crate::projection::ProjectionError;

/// What one batch used of an account, as far as it stands on the page.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) key: Key,
    pub(super) batch: UsageBatchOfPage,
    pub(super) parts: Vec<Part>,
}

/// Where in a batch an account crossed, and what had been used of the batch up to there.
#[derive(Debug, Clone, Copy)]
pub(super) struct CrossedIn {
    pub(super) position: i64,
    pub(super) used: Amount,
}

/// When lots end that a page may draw: what is used in between draws the same ones.
pub(super) struct LotEnds {
    /// Those that come on the page.
    coming: Vec<(Key, DateTime<Utc>)>,
    /// Organizations whose prices are corrected on it: a lot that is empty may fill again.
    corrected: Vec<Uuid>,
}

impl LotEnds {
    pub(super) fn of(events: &[Entry<'_>], corrected: &[OrganizationId]) -> Self {
        let coming = events.iter().filter_map(|event| Some((event.key(), event.end()?)));
        Self { coming: coming.collect(), corrected: corrected.iter().map(|id| id.0).collect() }
    }

    /// The query of the ends by account, of the organizations in the parameter of that number. Four more
    /// follow it: [`LotEnds::bind`].
    pub(super) fn query(organizations: usize) -> String {
        let [id, currency, end, corrected] = [1, 2, 3, 4].map(|n| organizations + n);
        format!(
            "select organization_id, currency, array_agg(distinct ends order by ends) as ends
             from (
                 select organization_id, currency, expires_at as ends from credit_lots
                 where (remaining > 0 or drawn > 0 and organization_id = any(${corrected}::uuid[]))
                     and expires_at is not null and organization_id = any(${organizations}::uuid[])
                 union all
                 select * from unnest(${id}::uuid[], ${currency}::text[], ${end}::timestamptz[])
             ) lots group by 1, 2"
        )
    }

    pub(super) fn bind<'q>(&self, query: Bound<'q>) -> Bound<'q> {
        query
            .bind(self.coming.iter().map(|((id, _), _)| id.0).collect::<Vec<_>>())
            .bind(self.coming.iter().map(|((_, c), _)| c.to_string()).collect::<Vec<_>>())
            .bind(self.coming.iter().map(|(_, end)| *end).collect::<Vec<_>>())
            .bind(self.corrected.clone())
    }
}

type Bound<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// Adds the page's usage to what is kept by the hour and by the batch; answers what each batch used,
/// in parts that the ends of lots divide: of those that are there, and of those that come on the page.
///
/// A sum of whole pico-units is exact, and so is its product with one of them: twelve places.
pub(super) async fn add(
    tx: &mut PgConnection,
    page: &FeedPage,
    source: &UsageSource,
    ends: &LotEnds,
) -> Result<Vec<Used>, ProjectionError> {
    let batches = page.usage_batches();
    let statement = format!(
        "with ends as (
             {}
         ), used as materialized (
             select organization_id, currency, batch_id,
                 date_trunc('hour', occurred_at, 'UTC') as hour,
                 width_bucket(occurred_at, e.ends) as part, max(occurred_at) as at,
                 sum(cost_pico) as pico
             from {} left join ends e using (organization_id, currency)
             where batch_id = any($1) and occurred_day between $2 and $3 and cost_pico is not null
             group by 1, 2, 3, 4, 5
         ), by_hour as (
             insert into credit_usage as u (organization_id, currency, hour, cost)
             select organization_id, currency, hour, sum(pico) * 0.000000000001
             from used group by 1, 2, 3
             on conflict (organization_id, currency, hour) do update
                 set cost = u.cost + excluded.cost
         ), by_batch as (
             insert into credit_usage_batches as b (organization_id, currency, first_position, hour,
                 cost)
             select organization_id, currency, f.first_position, hour, sum(pico) * 0.000000000001
             from used join unnest($4::uuid[], $5::bigint[]) as f(batch_id, first_position)
                 using (batch_id)
             group by 1, 2, 3, 4
             on conflict (organization_id, currency, first_position, hour) do update
                 set cost = b.cost + excluded.cost
         )
         select organization_id, currency, batch_id, max(at), sum(pico)::text
         from used group by 1, 2, 3, part",
        LotEnds::query(6),
        source.table
    );
    let query = sqlx::query(&statement)
        .bind(&source.batch_ids)
        .bind(source.first_day)
        .bind(source.last_day)
        .bind(batches.iter().map(|batch| batch.batch_id).collect::<Vec<_>>())
        .bind(batches.iter().map(|batch| batch.first_position).collect::<Vec<_>>())
        .bind(batches.iter().map(|batch| batch.organization_id.0).collect::<Vec<_>>());
    let rows = ends.bind(query).fetch_all(tx).await?;
    let mut used: BTreeMap<(Uuid, Key), Vec<Part>> = BTreeMap::new();
    for row in &rows {
        let key = (OrganizationId(row.try_get(0)?), currency(row.try_get(1)?)?);
        let part = Part { at: row.try_get(3)?, amount: pico(row.try_get(4)?)? };
        used.entry((row.try_get(2)?, key)).or_default().push(part);
    }
    let of_batch = |((batch_id, key), mut parts): ((Uuid, Key), Vec<Part>)| {
        // Of a batch the earlier request draws first: what is there without an end is drawn before lots,
        // so that the order counts.
        parts.sort_unstable_by_key(|part| part.at);
        let batch = batches.binary_search_by_key(&batch_id, |batch| batch.batch_id);
        let batch = batches[batch.map_err(|_| sqlx::Error::RowNotFound)?];
        Ok(Used { key, batch, parts })
    };
    used.into_iter().map(of_batch).collect()
}

/// The first record of the batch with which it comes to `limit` or more, and to more than nothing.
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
         ) records where running >= $6::numeric and running > 0 order by ordinal limit 1",
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
pub(super) fn pico(text: &str) -> Result<Amount, ProjectionError> {
    let pico = text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Amount::from_pico(pico))
}

pub(super) fn currency(text: &str) -> Result<Currency, ProjectionError> {
    Ok(text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?)
}
