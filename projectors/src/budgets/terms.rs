//! What usage is held against: budgets that are set, changed and removed.

use event_schemas::{Amount, BudgetEvent, BudgetScope};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{crossings, periods, spending};
use crate::temporal::Moment;

/// A budget begins to count. What was used in the period in which it was set counts, and so does what
/// is said to have been after it; what was before that period never does.
pub(super) async fn set(
    tx: &mut PgConnection,
    at: Moment,
    budget_id: Uuid,
    event: &BudgetEvent,
) -> Result<(), sqlx::Error> {
    let BudgetEvent::Set {
        budget_id: _,
        organization_id,
        scope,
        project_id: _,
        keeper: _,
        name: _,
        currency,
        period,
        amount,
        thresholds,
        action: _,
        time_zone,
    } = event
    else {
        return Ok(());
    };
    let (kind, subject) = subject(scope);
    sqlx::query(&format!(
        "insert into budget_counts (budget_id, organization_id, currency, scope, subject, period,
             time_zone, first_period)
         select c.*, {} from (values ($1::uuid, $2::uuid, $3, $4, $5, $6, $7)) as c(budget_id,
             organization_id, currency, scope, subject, period, time_zone)",
        periods::of("$8::timestamptz")
    ))
    .bind(budget_id)
    .bind(organization_id.0)
    .bind(currency.as_str())
    .bind(kind)
    .bind(subject)
    .bind(period.as_str())
    .bind(time_zone)
    .bind(at.time)
    .execute(&mut *tx)
    .await?;
    write_terms(tx, at, budget_id, *amount, thresholds).await?;
    sum_up(tx, budget_id).await?;
    spending::enter_what_was(tx, at, budget_id).await?;
    crossings::by_event(tx, at, budget_id).await
}

/// Other terms, from the period in which they were given. The periods before keep theirs.
pub(super) async fn change(
    tx: &mut PgConnection,
    at: Moment,
    budget_id: Uuid,
    amount: Amount,
    thresholds: &[u16],
    time_zone: &str,
) -> Result<(), sqlx::Error> {
    let moved = sqlx::query(
        "update budget_counts set time_zone = $2 where budget_id = $1 and time_zone <> $2",
    )
    .bind(budget_id)
    .bind(time_zone)
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() > 0 {
        // Its days begin at other times: what was used is divided anew.
        sqlx::query("delete from budget_periods where budget_id = $1")
            .bind(budget_id)
            .execute(&mut *tx)
            .await?;
        sum_up(tx, budget_id).await?;
    }
    write_terms(tx, at, budget_id, amount, thresholds).await?;
    crossings::by_event(tx, at, budget_id).await
}

/// A budget counts no more; what it spent stays known. What it reached and is not on record yet nobody will put there.
pub(super) async fn remove(
    tx: &mut PgConnection,
    at: Moment,
    budget_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from budget_counts where budget_id = $1")
        .bind(budget_id)
        .execute(&mut *tx)
        .await?;
    crossings::settle(tx, at, budget_id).await
}

/// The kind of what a budget is on, and which.
fn subject(scope: &BudgetScope) -> (&'static str, String) {
    match scope {
        BudgetScope::Organization {} => ("organization", String::new()),
        BudgetScope::Project { project_id } => ("project", project_id.to_string()),
        BudgetScope::ApiKey { api_key_id } => ("api_key", api_key_id.to_string()),
        BudgetScope::Member { member_id } => ("member", member_id.to_string()),
        BudgetScope::Feature { feature } => ("feature", feature.clone()),
    }
}

async fn write_terms(
    tx: &mut PgConnection,
    at: Moment,
    budget_id: Uuid,
    amount: Amount,
    thresholds: &[u16],
) -> Result<(), sqlx::Error> {
    sqlx::query(&format!(
        "insert into budget_terms as t (budget_id, organization_id, from_period, amount, thresholds)
         select c.budget_id, c.organization_id, greatest(c.first_period, {}), $3::numeric, $4
         from budget_counts c where c.budget_id = $1
         on conflict (budget_id, from_period) do update
             set amount = excluded.amount, thresholds = excluded.thresholds",
        periods::of("$2::timestamptz")
    ))
    .bind(budget_id)
    .bind(at.time)
    .bind(amount.to_string())
    .bind(thresholds.iter().map(|percent| i32::from(*percent)).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Divides what was used among the budget's periods, of which there are none yet.
async fn sum_up(tx: &mut PgConnection, budget_id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(&format!(
        "insert into budget_periods (budget_id, organization_id, period, spent)
         select c.budget_id, c.organization_id, {period}, sum(u.cost)
         from budget_counts c join budget_usage u on {counts}
         where c.budget_id = $1 and {period} >= c.first_period
             and (c.period = 'total' or u.quarter_hour >= {start})
         group by 1, 2, 3",
        period = periods::of("u.quarter_hour"),
        counts = periods::COUNTS,
        start = periods::starts_at("c.first_period"),
    ))
    .bind(budget_id)
    .execute(tx)
    .await?;
    Ok(())
}
