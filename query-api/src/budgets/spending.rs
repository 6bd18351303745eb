//! What is spent of a budget in the period that is under way: now, or at a time, as was known at a position.
//!
//! What is spent now stands by period. What was spent at a time is the sum of the quarters of an hour
//! before it, and what was known at a position is that less what came after it.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use event_schemas::{Amount, OrganizationId};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;

use super::Budget;
use crate::costs::start_of_day;
use crate::error::QueryError;
use crate::snapshot::Snapshot;
use crate::temporal::Temporal;
use crate::within_batch::LaterOfBudgets;

/// What is spent of a budget in a period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct BudgetSpending {
    /// The day in the budget's time zone that the period begins with; null where it never begins anew.
    pub period: Option<NaiveDate>,
    /// When the period begins.
    pub period_start: Option<DateTime<Utc>>,
    /// When the period ends; the end is not part of it.
    pub period_end: Option<DateTime<Utc>>,
    /// What is spent: the cost of all that was used in the period, as far as it could be priced, and as
    /// it was priced last. As of a time, of what was used before it.
    #[schema(value_type = String)]
    pub spent: Amount,
    /// What is left of the amount. Below zero where more was spent.
    #[schema(value_type = String)]
    pub left: Amount,
    /// What will have been spent at the period's end if it goes on as until now, or until the time that
    /// is asked about: what is spent by the share of the period that is over. Null before a twentieth of
    /// it is, and where it has no end.
    #[schema(value_type = Option<String>)]
    pub forecast: Option<Amount>,
    /// The thresholds that what is spent has come to, in percent. One that was told of in the period stays
    /// reached, whatever was priced again since.
    pub reached: Vec<u16>,
    /// Whether all of the amount is spent.
    pub exhausted: bool,
}

/// The period that a time is in, as `d`, for budgets `t`. The day is the one that the projection counts
/// by: the same words of the same Postgres.
fn period_of(time: &str) -> String {
    let next = "day + case t.period when 'daily' then interval '1 day'
                     when 'weekly' then interval '7 days' else interval '1 month' end";
    let starts_at = start_of_day("day", "t.time_zone");
    let ends_at = start_of_day(next, "t.time_zone");
    format!(
        "cross join lateral (
             select day,
                 case t.period when 'total' then null else {starts_at} end as starts_at,
                 case t.period when 'total' then null else {ends_at} end as ends_at
             from (select case t.period when 'total' then date '0001-01-01' else date_trunc(
                 case t.period when 'daily' then 'day' when 'weekly' then 'week' else 'month' end,
                 {time} at time zone t.time_zone)::date end as day) today) d"
    )
}

/// What is spent of it, as `p`.
const SPENT: &str =
    "left join read.budget_periods p on p.budget_id = t.budget_id and p.period = d.day";

/// What was spent of it by the time `$7` (none: by its end), as was known at the position `$6`; `$8` to
/// `$11` are what came after it in the batch that it lies in. What is before the budget's first period
/// never counts.
const SPENT_BY: &str = "cross join lateral (
        select sum(known.cost) as spent from (
            select s.cost, s.quarter_hour from read.budget_spending s
            where s.budget_id = t.budget_id
            union all
            select -e.cost, e.quarter_hour from read.budget_entries e
            where e.budget_id = t.budget_id and e.position > $6
            union all
            select -l.cost, l.quarter_hour
            from unnest($9::bigint[], $10::timestamptz[], $11::numeric[])
                l(number, quarter_hour, cost)
            join read.budget_entries e on e.budget_id = t.budget_id and e.position = $8
                and e.quarter_hour = l.quarter_hour
            where l.number = t.number) known
        where known.quarter_hour >= coalesce(d.starts_at, '-infinity')
            and known.quarter_hour < coalesce(least(d.ends_at, $7::timestamptz), 'infinity')
            and d.day >= (select min(f.from_period) from read.budget_terms f
                          where f.budget_id = t.budget_id)) p";

/// Budgets, each with the period that is under way and what is spent in it.
pub(super) fn of_now() -> String {
    format!("read.budgets t {} {SPENT}", period_of("now()"))
}

const BY_THE_QUARTER: &str = "what is spent is kept by the quarter of an hour: give a whole one, such as \
    2026-01-31T13:15:00Z, or a date";

/// What lies before the end of a time that is asked about. A date means its last microsecond, so that
/// what follows is the beginning of a quarter of an hour.
fn end_of(as_of: Option<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>, QueryError> {
    let Some(time) = as_of else { return Ok(None) };
    let is_whole = |time: &DateTime<Utc>| {
        time.timestamp() % (15 * 60) == 0 && time.timestamp_subsec_nanos() == 0
    };
    let end = [time, time + TimeDelta::microseconds(1)].into_iter().find(is_whole);
    end.map(Some).ok_or_else(|| QueryError::invalid("as_of", BY_THE_QUARTER))
}

/// Tells of each budget what is spent of it. What was at another time or position has no version.
pub(super) async fn tell(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    budgets: &mut [Budget],
    temporal: Temporal,
) -> Result<(), QueryError> {
    let temporal = temporal.simplified(snapshot);
    let (spent, at_position, later) = if temporal == Temporal::NOW {
        (SPENT, i64::MAX, LaterOfBudgets::default())
    } else {
        for budget in budgets.iter_mut() {
            budget.version = None;
        }
        let position = temporal.at_position.unwrap_or(snapshot.position());
        let later = LaterOfBudgets::than(snapshot, organization_id, budgets, position).await?;
        (SPENT_BY, position, later)
    };
    let statement = format!(
        "select d.day, d.starts_at, d.ends_at, coalesce(p.spent, 0)::numeric(38,12)::text as spent,
             case when (asked.moment - d.starts_at) * 20 >= d.ends_at - d.starts_at then least(
                 round(coalesce(p.spent, 0) * extract(epoch from d.ends_at - d.starts_at)
                     / extract(epoch from asked.moment - d.starts_at), 12),
                 99999999999999999999999999.999999999999)::numeric(38,12)::text end as forecast,
             array(select x.threshold from read.budget_crossings x
                   where x.budget_id = t.budget_id and x.period = d.day
                       and x.amount = t.amount::numeric and x.threshold is not null
                       and x.told_at is not null and x.recorded_at_position <= $6
                       and ($5::timestamptz is null or x.told_at <= $5)) as told
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
             with ordinality as t(budget_id, period, time_zone, amount, number)
         cross join (select coalesce($5::timestamptz, now()) as moment) asked
         {} {spent} order by t.number",
        period_of("asked.moment")
    );
    let rows = sqlx::query(&statement)
        .bind(budgets.iter().map(|budget| budget.budget_id.0).collect::<Vec<_>>())
        .bind(budgets.iter().map(|budget| budget.period.as_str()).collect::<Vec<_>>())
        .bind(budgets.iter().map(|budget| budget.time_zone.as_str()).collect::<Vec<_>>())
        .bind(budgets.iter().map(|budget| budget.amount.to_string()).collect::<Vec<_>>())
        .bind(temporal.as_of)
        .bind(at_position)
        .bind(end_of(temporal.as_of)?)
        .bind(later.first_position)
        .bind(later.budgets)
        .bind(later.quarter_hours)
        .bind(later.costs)
        .fetch_all(snapshot.connection())
        .await?;
    for (budget, row) in budgets.iter_mut().zip(&rows) {
        budget.current = BudgetSpending::read(row, budget.amount, &budget.thresholds)?;
    }
    Ok(())
}

impl BudgetSpending {
    fn read(row: &PgRow, amount: Amount, thresholds: &[u16]) -> Result<Self, sqlx::Error> {
        let read = |text: &str| -> Result<Amount, sqlx::Error> {
            text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
        };
        let spent = read(row.try_get("spent")?)?;
        let forecast: Option<&str> = row.try_get("forecast")?;
        let told: Vec<i32> = row.try_get("told")?;
        let period_start: Option<DateTime<Utc>> = row.try_get("starts_at")?;
        let period = period_start.map(|_| row.try_get("day")).transpose()?;
        // A share of the amount is reached where a hundred times what is spent is that many amounts.
        let is_reached = |percent: u16| {
            spent.pico().saturating_mul(100) >= amount.pico().saturating_mul(i128::from(percent))
        };
        let was_reached = |percent: &u16| is_reached(*percent) || told.contains(&(*percent).into());
        Ok(Self {
            period,
            period_start,
            period_end: row.try_get("ends_at")?,
            spent,
            left: amount - spent,
            forecast: forecast.map(read).transpose()?,
            reached: thresholds.iter().copied().filter(was_reached).collect(),
            exhausted: is_reached(100),
        })
    }
}
