//! What is spent of a budget in the period that is under way.

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::Amount;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;

/// Budgets, each with its stream's version, the period that is under way, and what is spent in it. The
/// period is the one that the projection counts by: the same words of the same Postgres.
pub(super) const FROM: &str = "read.budgets t
    left join read.sequences s on s.stream_type = 'budget' and s.stream_id = t.budget_id
    cross join lateral (
        select day,
            case t.period when 'total' then null else day::timestamp at time zone t.time_zone end
                as starts_at,
            case t.period when 'total' then null else (day::timestamp + case t.period
                when 'daily' then interval '1 day' when 'weekly' then interval '7 days'
                else interval '1 month' end) at time zone t.time_zone end as ends_at
        from (select case t.period when 'total' then date '0001-01-01' else date_trunc(
            case t.period when 'daily' then 'day' when 'weekly' then 'week' else 'month' end,
            now() at time zone t.time_zone)::date end as day) today) d
    left join read.budget_periods p on p.budget_id = t.budget_id and p.period = d.day";

/// What is spent of a budget in the period that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BudgetSpending {
    /// The day in the budget's time zone that the period begins with; null where it never begins anew.
    pub period: Option<NaiveDate>,
    /// When the period begins.
    pub period_start: Option<DateTime<Utc>>,
    /// When the period ends; the end is not part of it.
    pub period_end: Option<DateTime<Utc>>,
    /// What is spent: the cost of all that was used in the period, as far as it could be priced.
    #[schema(value_type = String)]
    pub spent: Amount,
    /// What is left of the amount. Below zero where more was spent.
    #[schema(value_type = String)]
    pub left: Amount,
    /// What will have been spent at the period's end if it goes on as until now: what is spent by the
    /// share of the period that is over. Null before a twentieth of it is, and where it has no end.
    #[schema(value_type = Option<String>)]
    pub forecast: Option<Amount>,
    /// The thresholds that what is spent has come to, in percent.
    pub reached: Vec<u16>,
    /// Whether all of the amount is spent.
    pub exhausted: bool,
}

impl BudgetSpending {
    pub(super) fn read(
        row: &PgRow,
        amount: Amount,
        thresholds: &[u16],
    ) -> Result<Self, sqlx::Error> {
        let read = |text: &str| -> Result<Amount, sqlx::Error> {
            text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
        };
        let spent = read(row.try_get("spent")?)?;
        let forecast: Option<&str> = row.try_get("forecast")?;
        let period_start: Option<DateTime<Utc>> = row.try_get("starts_at")?;
        let period = period_start.map(|_| row.try_get("day")).transpose()?;
        // A share of the amount is reached where a hundred times what is spent is that many amounts.
        let is_reached = |percent: u16| {
            spent.pico().saturating_mul(100) >= amount.pico().saturating_mul(i128::from(percent))
        };
        Ok(Self {
            period,
            period_start,
            period_end: row.try_get("ends_at")?,
            spent,
            left: amount - spent,
            forecast: forecast.map(read).transpose()?,
            reached: thresholds.iter().copied().filter(|percent| is_reached(*percent)).collect(),
            exhausted: is_reached(100),
        })
    }
}
