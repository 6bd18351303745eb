//! Thresholds that were reached, each once for a period and an amount, and which of them are on record.

use chrono::NaiveDate;
use event_schemas::{Amount, BudgetEvent};
use sqlx::PgConnection;
use uuid::Uuid;

use super::periods;
use crate::temporal::Moment;

/// A threshold that usage or a correction of it came to.
#[derive(Debug)]
pub(super) struct Crossing {
    pub(super) budget_id: Uuid,
    pub(super) period: NaiveDate,
    pub(super) amount: Amount,
    /// In percent; none for all of the amount.
    pub(super) threshold: Option<i32>,
    pub(super) spent: Amount,
    pub(super) position: i64,
}

pub(super) async fn write(
    tx: &mut PgConnection,
    crossings: &[Crossing],
) -> Result<(), sqlx::Error> {
    if crossings.is_empty() {
        return Ok(());
    }
    sqlx::query(&format!(
        "insert into budget_crossings (budget_id, organization_id, period, starts_at, ends_at, amount,
             threshold, spent, position)
         select c.budget_id, c.organization_id, x.period, {starts_at}, {ends_at}, x.amount::numeric,
             x.threshold, x.spent::numeric, x.position
         from unnest($1::uuid[], $2::date[], $3::text[], $4::integer[], $5::text[], $6::bigint[])
             as x(budget_id, period, amount, threshold, spent, position)
         join budget_counts c using (budget_id)
         on conflict (budget_id, period, amount, threshold) do nothing",
        starts_at = periods::starts_at("x.period"),
        ends_at = periods::ends_at("x.period"),
    ))
    .bind(crossings.iter().map(|c| c.budget_id).collect::<Vec<_>>())
    .bind(crossings.iter().map(|c| c.period).collect::<Vec<_>>())
    .bind(crossings.iter().map(|c| c.amount.to_string()).collect::<Vec<_>>())
    .bind(crossings.iter().map(|c| c.threshold).collect::<Vec<_>>())
    .bind(crossings.iter().map(|c| c.spent.to_string()).collect::<Vec<_>>())
    .bind(crossings.iter().map(|c| c.position).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// What the event that set or changed a budget makes it come to at once: in the period of the event,
/// and in those after it of which something is known already.
pub(super) async fn by_event(
    tx: &mut PgConnection,
    at: Moment,
    budget_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query(&format!(
        "insert into budget_crossings (budget_id, organization_id, period, starts_at, ends_at, amount,
             threshold, spent, position)
         select c.budget_id, c.organization_id, p.period, {starts_at}, {ends_at}, t.amount,
             m.threshold, p.spent, $3
         from budget_counts c
         join budget_periods p on p.budget_id = c.budget_id
             and p.period >= greatest(c.first_period, {now})
         cross join lateral (
             select amount, thresholds from budget_terms t
             where t.budget_id = c.budget_id and t.from_period <= p.period
             order by t.from_period desc limit 1) t
         cross join lateral (select unnest(t.thresholds) as threshold union all select null) m
         where c.budget_id = $1 and p.spent * 100 >= t.amount * coalesce(m.threshold, 100)
         on conflict (budget_id, period, amount, threshold) do nothing",
        starts_at = periods::starts_at("p.period"),
        ends_at = periods::ends_at("p.period"),
        now = periods::of("$2::timestamptz"),
    ))
    .bind(budget_id)
    .bind(at.time)
    .bind(at.position)
    .execute(tx)
    .await?;
    Ok(())
}

/// A crossing is on record. Where this build did not find it, it is what the log says all the same.
pub(super) async fn on_record(
    tx: &mut PgConnection,
    at: Moment,
    budget_id: Uuid,
    event: &BudgetEvent,
) -> Result<(), sqlx::Error> {
    let (threshold, period, starts_at, ends_at, amount, spent, crossed_at, organization_id) =
        match event {
            BudgetEvent::ThresholdReached {
                threshold,
                period,
                period_start,
                period_end,
                amount,
                spent,
                crossed_at,
                organization_id,
                ..
            } => {
                let threshold = Some(i32::from(*threshold));
                let (starts_at, ends_at) = (period_start, period_end);
                (threshold, period, starts_at, ends_at, amount, spent, crossed_at, organization_id)
            }
            BudgetEvent::Exhausted {
                period,
                period_start,
                period_end,
                amount,
                spent,
                crossed_at,
                organization_id,
                ..
            } => {
                let (starts_at, ends_at) = (period_start, period_end);
                (None, period, starts_at, ends_at, amount, spent, crossed_at, organization_id)
            }
            BudgetEvent::Set { .. } | BudgetEvent::Changed { .. } | BudgetEvent::Removed { .. } => {
                return Ok(());
            }
        };
    sqlx::query(&format!(
        "insert into budget_crossings as x (budget_id, organization_id, period, starts_at, ends_at,
             amount, threshold, spent, position, recorded_at_position, told_at)
         values ($1, $2, coalesce($3, {}), $4, $5, $6::numeric, $7, $8::numeric, $9, $10, $11)
         on conflict (budget_id, period, amount, threshold) do update
             set recorded_at_position =
                     coalesce(x.recorded_at_position, excluded.recorded_at_position),
                 told_at = coalesce(x.told_at, excluded.told_at)",
        periods::TOTAL
    ))
    .bind(budget_id)
    .bind(organization_id.0)
    .bind(period)
    .bind(starts_at)
    .bind(ends_at)
    .bind(amount.to_string())
    .bind(threshold)
    .bind(spent.to_string())
    .bind(crossed_at)
    .bind(at.position)
    .bind(at.time)
    .execute(tx)
    .await?;
    Ok(())
}

/// Nothing more is put on record of a budget.
pub(super) async fn settle(
    tx: &mut PgConnection,
    at: Moment,
    budget_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update budget_crossings set recorded_at_position = $2
         where budget_id = $1 and recorded_at_position is null",
    )
    .bind(budget_id)
    .bind(at.position)
    .execute(tx)
    .await?;
    Ok(())
}
