//! Reading the sums of a report, as they are stored.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::OrganizationId;
use sqlx::postgres::PgRow;
use sqlx::{Executor as _, PgConnection, Postgres, QueryBuilder, Row as _};

use super::known::{RECORDS_HERE, known, of_months, records_are_here};
use super::lines::{Stored, Sums};
use super::reading::Reading;
use super::report::{CostsQuery, ROWS_MAX};
use super::span;
use super::statement::Plan;
use crate::balances::amount;
use crate::error::QueryError;
use crate::snapshot::Snapshot;
use crate::viewer::Visible;

/// The most records that are read one by one for a report: a few seconds' work.
pub const RECORDS_MAX: i64 = 5_000_000;

/// A group's values as they are stored, one for each dimension.
pub(super) type Values = Vec<Option<String>>;
/// What is stored, by group and currency.
pub(super) type Groups = BTreeMap<Values, BTreeMap<Option<String>, Stored>>;

/// What was found, and of when it is.
pub(super) struct Found {
    pub(super) groups: Groups,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) to: Option<DateTime<Utc>>,
}

/// Sums by group and currency.
pub(super) async fn groups(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    query: &CostsQuery,
) -> Result<Found, QueryError> {
    let (from, to) = span::resolved(snapshot.connection(), query).await?;
    let known = known(snapshot, organization_id, query.temporal).await?;
    let mut plan = Plan {
        organization_id,
        by: &query.by,
        only: &query.only,
        without: &query.without,
        visible: &query.visible,
        from,
        to,
        time_zone: &query.time_zone,
        reading: coarsest(query),
        known,
        position: snapshot.position(),
    };
    let connection = snapshot.connection();
    if plan.reading < Reading::QuarterHourly && span::is_of_utc_days(&plan) {
        let by_feature = plan.reading == Reading::ByFeature;
        plan.reading = if by_feature { Reading::DailyByFeature } else { Reading::Daily };
    } else if plan.reading < Reading::QuarterHourly
        && !span::is_of_whole_hours(connection, organization_id, &plan).await?
    {
        plan.reading = Reading::QuarterHourly;
    }
    prepare(connection, &plan).await?;
    let groups = match plan.sums(ROWS_MAX) {
        None => Groups::new(),
        Some(mut statement) => {
            let rows = statement.build().fetch_all(&mut *connection).await?;
            if rows.len() > ROWS_MAX {
                return Err(QueryError::TooManyRows { rows_max: ROWS_MAX });
            }
            let mut groups = Groups::new();
            for row in &rows {
                let currency = row.try_get("currency")?;
                groups.entry(values(row, &query.by)?).or_default().insert(currency, stored(row)?);
            }
            add_units(connection, &plan, &mut groups).await?;
            groups
        }
    };
    Ok(Found { groups, from, to })
}

/// The coarsest that has all that is asked for.
fn coarsest(query: &CostsQuery) -> Reading {
    let only = query.only.iter().map(|(dimension, _)| dimension);
    let dimensions = query.by.iter().chain(only).chain(&query.without);
    let own = match &query.visible {
        Visible::Only { own: Some(_), .. } => Reading::QuarterHourly,
        Visible::Only { own: None, .. } | Visible::All => Reading::ByFeature,
    };
    dimensions.map(super::Dimension::coarsest).fold(own, Reading::max)
}

/// How Postgres is to go about it. The number of groups cannot be foreseen, and where it expects
/// many it would sort. Records are found through their batches, however many others a month has.
pub(super) async fn prepare(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
) -> Result<(), QueryError> {
    let Some((recorded_from, position)) = plan.records() else {
        connection.execute("set local enable_sort to off").await?;
        return Ok(());
    };
    records_are_here(connection).await?;
    // Whoever archives waits until this is over, so what is not missing now is there.
    connection.execute("lock table log.usage_records in access share mode").await?;
    let (records, mut archived) = batches(connection, plan, recorded_from, position).await?;
    let (corrected, of_archived) = corrections(connection, plan, recorded_from, position).await?;
    archived.extend(of_archived);
    if !archived.is_empty() {
        archived.sort_unstable();
        archived.dedup();
        return Err(of_months(archived));
    }
    let records = records + corrected;
    if records > RECORDS_MAX {
        return Err(QueryError::TooManyRecords { records, records_max: RECORDS_MAX });
    }
    connection
        .execute(
            "set local enable_sort to off; set local enable_hashjoin to off;
             set local enable_mergejoin to off",
        )
        .await?;
    Ok(())
}

/// How many records the batches have that are to be read one by one, and the first days of the months of
/// which some may be in an archive: a batch can have records of a month that is archived and of others, or
/// of those before and after it alone.
async fn batches(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
    recorded_from: Option<DateTime<Utc>>,
    position: i64,
) -> Result<(i64, Vec<NaiveDate>), QueryError> {
    let mut batches = QueryBuilder::<Postgres>::new(
        "with missing as materialized (
             select month from log.missing_usage_months() as m(month) where true",
    );
    plan.push_months(&mut batches);
    batches.push(
        "), batch as materialized (
             select batch_id, first_position, count, first_day, last_day
             from log.usage_batches where true",
    );
    plan.push_batches(&mut batches, recorded_from, position);
    batches.push(
        ")
         select (select coalesce(sum(count), 0)::bigint from batch), array(
             select month from missing where exists (
                 select from batch
                 where month <= last_day and (month + interval '1 month')::date > first_day
                     and least(count, ",
    );
    batches.push_bind(position).push(format_args!(
        " - first_position + 1) > ({RECORDS_HERE} and first_position + record.ordinal <= "
    ));
    batches.push_bind(position).push(
        "))
             union select date_trunc('month', first_day::timestamp)::date from batch
             where not exists (
                 select from log.usage_records record
                 where record.batch_id = batch.batch_id and ordinal = 0
                     and occurred_day = first_day)",
    );
    if let Some(from) = plan.from {
        batches.push(" and first_day >= ").push_bind(from.date_naive());
    }
    batches.push(")");
    Ok(batches.build_query_as().fetch_one(connection).await?)
}

/// The same of what was corrected.
async fn corrections(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
    recorded_from: Option<DateTime<Utc>>,
    position: i64,
) -> Result<(i64, Vec<NaiveDate>), QueryError> {
    let mut corrections = QueryBuilder::<Postgres>::new(
        "select count(*), coalesce(array_agg(distinct month) filter (where not is_here), '{}')
         from (select date_trunc('month', corrected.occurred_day::timestamp)::date as month, exists (
                   select from log.usage_records record
                   where record.batch_id = corrected.batch_id and record.ordinal = record_ordinal
                       and record.occurred_day = corrected.occurred_day) as is_here
               from log.usage_corrections corrected where true",
    );
    plan.push_corrections(&mut corrections, recorded_from, position);
    corrections.push(") corrected");
    Ok(corrections.build_query_as().fetch_one(connection).await?)
}

fn values(row: &PgRow, by: &[super::Dimension]) -> Result<Values, sqlx::Error> {
    (0..by.len()).map(|index| row.try_get(index)).collect()
}

fn stored(row: &PgRow) -> Result<Stored, QueryError> {
    let is_priced = row.try_get::<Option<String>, _>("cost")?.is_some();
    Ok(Stored {
        sums: Sums {
            requests: row.try_get("requests")?,
            failed_requests: row.try_get("failed_requests")?,
            input_tokens: row.try_get("input_tokens")?,
            cached_input_tokens: row.try_get("cached_input_tokens")?,
            cache_write_tokens: row.try_get("cache_write_tokens")?,
            output_tokens: row.try_get("output_tokens")?,
            reasoning_tokens: row.try_get("reasoning_tokens")?,
            units: BTreeMap::new(),
            cost: is_priced.then(|| amount(row, "cost")).transpose()?,
            unpriced_requests: row.try_get("unpriced_requests")?,
        },
        unbilled_requests: row.try_get("unbilled_requests")?,
    })
}

/// Adds what was used beside tokens to the groups that used it.
async fn add_units(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
    groups: &mut Groups,
) -> Result<(), QueryError> {
    let any: bool = sqlx::query_scalar(
        "select exists (select from read.usage_units where organization_id = $1)",
    )
    .bind(plan.organization_id.0)
    .fetch_one(&mut *connection)
    .await?;
    let Some(mut statement) = plan.units().filter(|_| any) else { return Ok(()) };
    for row in &statement.build().fetch_all(connection).await? {
        let quantity: i64 = row.try_get("quantity")?;
        if quantity == 0 {
            // What was priced again is taken away in one currency and added in another.
            continue;
        }
        let group = groups.entry(values(row, plan.by)?).or_default();
        let stored = group.entry(row.try_get("currency")?).or_default();
        stored.sums.units.insert(row.try_get("unit")?, quantity);
    }
    Ok(())
}
