//! Record that a budget was crossed.

use chrono::{DateTime, NaiveDate, Utc};
use domain::budget::{Budget, BudgetCommand, BudgetCrossing};
use event_schemas::{Amount, BudgetId, OrganizationId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Record that what was spent came to a threshold of a budget, or to its amount.
#[derive(Debug, Clone, Serialize)]
pub struct RecordBudgetCrossing {
    /// The organization, archived or not.
    pub organization_id: OrganizationId,
    /// The budget.
    pub budget_id: BudgetId,
    /// The day that the period begins with; none where it never begins anew.
    pub period: Option<NaiveDate>,
    /// When the period begins.
    pub period_start: Option<DateTime<Utc>>,
    /// When the period ends.
    pub period_end: Option<DateTime<Utc>>,
    /// The amount that the budget had for that period.
    pub amount: Amount,
    /// The threshold, in percent; none for all of the amount.
    pub threshold: Option<u16>,
    /// What had been spent with what crossed it.
    pub spent: Amount,
    /// The position of what crossed it: a usage record's, or that of the event that set or changed the
    /// budget or priced usage again.
    pub crossed_at: i64,
}

impl Command for RecordBudgetCrossing {
    const NAME: &'static str = "budgets.record_crossing";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_operator()?;
        let Self { period, period_start, period_end, amount, threshold, spent, crossed_at, .. } =
            *self;
        let crossing = BudgetCrossing {
            period,
            period_start,
            period_end,
            amount,
            threshold,
            spent,
            crossed_at,
        };
        session.execute::<Budget>(self.budget_id, BudgetCommand::Cross(crossing)).await?;
        Ok(Done {})
    }
}
