//! What is spent: kept for budgets yet to come, and of each budget that is there by when it was used and
//! by what it came with.

use chrono::NaiveDate;
use event_schemas::{Amount, OrganizationId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::periods;
use super::uncounted::Stretch;
use crate::feed::{CorrectionSource, UsageBatchOfPage, UsageSource};
use crate::projection::ProjectionError;
use crate::temporal::Moment;

/// A budget's period.
pub(super) type Key = (Uuid, NaiveDate);

/// What a batch used of a budget in a period, as far as it stands on the page; or what an event's
/// corrections changed, which may be below zero.
pub(super) struct Counted {
    /// That of the batch's first record, or of the event.
    pub(super) position: i64,
    /// None where it is an event's corrections.
    pub(super) batch_id: Option<Uuid>,
    pub(super) key: Key,
    pub(super) used: Amount,
}

/// Adds usage and corrections to what is kept; answers what each batch and each event did to the budgets
/// that are there, in the log's order.
pub(super) async fn add(
    tx: &mut PgConnection,
    source: Option<&UsageSource>,
    stretch: &Stretch,
) -> Result<Vec<Counted>, ProjectionError> {
    let mut counted = Vec::new();
    if let Some(source) = source.filter(|_| !stretch.batches.is_empty()) {
        counted.extend(add_usage(tx, source, &stretch.batches).await?);
    }
    if let Some(source) = &stretch.corrections {
        counted.extend(add_corrections(tx, source).await?);
    }
    counted.sort_by_key(|part| (part.position, part.key));
    Ok(counted)
}

async fn add_usage(
    tx: &mut PgConnection,
    source: &UsageSource,
    batches: &[UsageBatchOfPage],
) -> Result<Vec<Counted>, ProjectionError> {
    let used = format!(
        "select f.position, grouped.*
         from (select batch_id, {ATTRIBUTED}, {QUARTER} as quarter_hour, sum(cost_pico) as pico
               from {}
               where batch_id = any($1) and occurred_day between $4 and $5 and cost_pico <> 0
               group by batch_id, {ATTRIBUTED}, {QUARTER}) grouped
         join unnest($1::uuid[], $2::bigint[]) as f(batch_id, position) using (batch_id)",
        source.table
    );
    let rows = sqlx::query(&statement(&used))
        .bind(batches.iter().map(|batch| batch.batch_id).collect::<Vec<_>>())
        .bind(batches.iter().map(|batch| batch.first_position).collect::<Vec<_>>())
        .bind(batches.iter().map(|batch| batch.organization_id.0).collect::<Vec<_>>())
        .bind(source.first_day)
        .bind(source.last_day)
        .fetch_all(tx)
        .await?;
    rows.iter().map(counted).collect()
}

async fn add_corrections(
    tx: &mut PgConnection,
    source: &CorrectionSource,
) -> Result<Vec<Counted>, ProjectionError> {
    let used = format!(
        "select position, null::uuid as batch_id, {ATTRIBUTED}, {QUARTER} as quarter_hour,
             sum(sign * cost_pico) as pico
         from {} as corrected where cost_pico <> 0
         group by position, {ATTRIBUTED}, {QUARTER}",
        source.relation
    );
    let rows = sqlx::query(&statement(&used))
        .bind(&source.positions)
        .bind(&source.recorded_at)
        .bind(source.organizations.iter().map(|OrganizationId(id)| *id).collect::<Vec<_>>())
        .fetch_all(tx)
        .await?;
    rows.iter().map(counted).collect()
}

/// All that a budget can be on.
const ATTRIBUTED: &str = "organization_id, project_id, api_key_id, member_id, feature, currency";

const QUARTER: &str = "date_bin('15 minutes', occurred_at, '2000-01-01T00:00:00Z')";

/// The statement that adds `used`, whose third parameter is whose it may be.
///
/// A sum of whole pico-units is exact, and so is its product with one of them: twelve places.
fn statement(used: &str) -> String {
    format!(
        "with used as materialized (
             {used}
         ), kept as (
             insert into budget_usage as k (organization_id, currency, quarter_hour, project_id,
                 api_key_id, member_id, feature, cost)
             select organization_id, currency, quarter_hour, project_id, api_key_id, member_id,
                 feature, sum(pico) * 0.000000000001
             from used group by 1, 2, 3, 4, 5, 6, 7
             on conflict (organization_id, currency, quarter_hour, project_id, api_key_id, member_id,
                 feature) do update set cost = k.cost + excluded.cost
         ), budgeted as materialized (
             select distinct organization_id, currency from budget_counts
             where organization_id = any($3)
         ), counted as materialized (
             select u.position, u.batch_id, u.quarter_hour, c.budget_id, c.organization_id,
                 c.first_period, {period} as in_period, {kept} as is_kept, u.pico
             from used u join budgeted using (organization_id, currency)
             cross join lateral (values ('organization', ''), ('project', u.project_id::text),
                 ('api_key', u.api_key_id::text), ('member', u.member_id::text),
                 ('feature', u.feature)) as s(scope, subject)
             join budget_counts c using (organization_id, currency, scope, subject)
         ), entered as (
             insert into budget_entries as k (budget_id, organization_id, position, quarter_hour, cost)
             select budget_id, organization_id, position, quarter_hour, sum(pico) * 0.000000000001
             from counted where is_kept group by 1, 2, 3, 4
             on conflict (budget_id, position, quarter_hour) do update
                 set cost = k.cost + excluded.cost
         ), spent as (
             insert into budget_spending as k (budget_id, organization_id, quarter_hour, cost)
             select budget_id, organization_id, quarter_hour, sum(pico) * 0.000000000001
             from counted where is_kept group by 1, 2, 3
             on conflict (budget_id, quarter_hour) do update set cost = k.cost + excluded.cost
         )
         select position, batch_id, budget_id, in_period, sum(pico)::text
         from counted where in_period >= first_period group by 1, 2, 3, 4",
        period = periods::of("u.quarter_hour"),
        kept = periods::is_kept("u.quarter_hour"),
    )
}

fn counted(row: &PgRow) -> Result<Counted, ProjectionError> {
    Ok(Counted {
        position: row.try_get(0)?,
        batch_id: row.try_get(1)?,
        key: (row.try_get(2)?, row.try_get(3)?),
        used: pico(row.try_get(4)?)?,
    })
}

/// What was used before a budget was set, entered with the event that set it. Nobody asks what was spent
/// before then, so what never begins anew has all of that in one quarter of an hour.
pub(super) async fn enter_what_was(
    tx: &mut PgConnection,
    at: Moment,
    budget_id: Uuid,
) -> Result<(), sqlx::Error> {
    let entered = sqlx::query(&format!(
        "insert into budget_entries (budget_id, organization_id, position, quarter_hour, cost)
         select c.budget_id, c.organization_id, $2,
             case c.period when 'total' then greatest(u.quarter_hour, set_in.quarter - interval '15 minutes')
                 else u.quarter_hour end,
             sum(u.cost)
         from budget_counts c
         cross join (select date_bin('15 minutes', $3::timestamptz, '2000-01-01T00:00:00Z') as quarter)
             set_in
         join budget_usage u on {counts}
         where c.budget_id = $1 and {kept}
         group by 1, 2, 3, 4",
        counts = periods::COUNTS,
        kept = periods::is_kept("u.quarter_hour"),
    ))
    .bind(budget_id)
    .bind(at.position)
    .bind(at.time)
    .execute(&mut *tx)
    .await?;
    if entered.rows_affected() > 0 {
        sqlx::query(
            "insert into budget_spending (budget_id, organization_id, quarter_hour, cost)
             select budget_id, organization_id, quarter_hour, cost from budget_entries
             where budget_id = $1",
        )
        .bind(budget_id)
        .execute(tx)
        .await?;
    }
    Ok(())
}

/// Whole pico-units, as text.
pub(super) fn pico(text: &str) -> Result<Amount, ProjectionError> {
    let pico = text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Amount::from_pico(pico))
}
