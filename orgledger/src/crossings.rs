//! Balances that came to zero or below, or back above it, and budgets of which a threshold or all was
//! reached. The read models know each crossing by the very record or event; this puts it on record.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, Utc};
use command_api::budgets::RecordBudgetCrossing;
use command_api::credits::RecordCreditCrossing;
use event_schemas::{BudgetId, OrganizationId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::watch::{AT_ONCE, Eyes, Watch, found, record};

/// Looks for crossings.
pub(crate) struct Crossings;

/// In their order: an account that ran out and was filled up has both on record.
const UNRECORDED: &str = "select organization_id, currency, exhausted, balance::text, position
    from read.credit_crossings where recorded_at_position is null order by position limit $1";

const UNRECORDED_OF_BUDGETS: &str = "select organization_id, budget_id, period, starts_at, ends_at,
        amount::text, threshold, spent::text, position
    from read.budget_crossings where recorded_at_position is null
    order by position, budget_id, threshold nulls last limit $1";

impl Watch for Crossings {
    const NAME: &'static str = "crossings";
    const EVERY: Duration = Duration::from_secs(1);

    async fn look(eyes: &Eyes, now: DateTime<Utc>) -> anyhow::Result<()> {
        let rows = sqlx::query_as(UNRECORDED).bind(AT_ONCE).fetch_all(&eyes.read).await;
        let rows: Vec<(Uuid, String, bool, String, i64)> = found(rows)?;
        for (organization_id, currency, exhausted, balance, crossed_at) in rows {
            let crossing = RecordCreditCrossing {
                organization_id: OrganizationId(organization_id),
                currency: currency.parse().context("a currency of the balances")?,
                exhausted,
                balance: balance.parse().context("an amount of the balances")?,
                crossed_at,
            };
            record::<Self, _>(eyes, now, now, &crossing).await?;
        }
        budgets(eyes, now).await
    }
}

async fn budgets(eyes: &Eyes, now: DateTime<Utc>) -> anyhow::Result<()> {
    let rows = sqlx::query(UNRECORDED_OF_BUDGETS).bind(AT_ONCE).fetch_all(&eyes.read).await;
    for row in found(rows)? {
        record::<Crossings, _>(eyes, now, now, &crossing(&row)?).await?;
    }
    Ok(())
}

/// A crossing of a budget, as the read model has it.
fn crossing(row: &PgRow) -> anyhow::Result<RecordBudgetCrossing> {
    let period_start: Option<DateTime<Utc>> = row.try_get("starts_at")?;
    let day: NaiveDate = row.try_get("period")?;
    let threshold: Option<i32> = row.try_get("threshold")?;
    let (amount, spent): (&str, &str) = (row.try_get("amount")?, row.try_get("spent")?);
    Ok(RecordBudgetCrossing {
        organization_id: OrganizationId(row.try_get("organization_id")?),
        budget_id: BudgetId(row.try_get("budget_id")?),
        // Where it never begins anew, it has no day to begin with.
        period: period_start.map(|_| day),
        period_start,
        period_end: row.try_get("ends_at")?,
        amount: amount.parse().context("an amount of the budgets")?,
        threshold: threshold
            .map(u16::try_from)
            .transpose()
            .context("a threshold of the budgets")?,
        spent: spent.parse().context("what is spent of the budgets")?,
        crossed_at: row.try_get("position")?,
    })
}
