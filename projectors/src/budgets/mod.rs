//! Budgets: what each is, what was spent of it in each period, and which of its thresholds were
//! reached, by the very record or the event that priced records again.
//!
//! A page is gone through in the log's order: usage and corrections up to a budget's event, the event,
//! and so on.
//! So what is counted does not depend on where pages end, and a budget that is set in the middle of a
//! page counts as one that is set between two.

mod count;
mod crossings;
mod definitions;
mod facts;
mod keys;
mod periods;
mod rows;
mod spending;
mod terms;
mod uncounted;

use event_schemas::BudgetEvent;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::feed::FeedPage;
use crate::projection::{Projection, ProjectionError};
use crate::temporal::Moment;
use facts::{Fact, What};
use uncounted::Uncounted;

/// Budgets, and all that is spent of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budgets;

impl Projection for Budgets {
    const NAME: &'static str = "budgets";
    const VERSION: i32 = 3;
    const VIEWS: &'static [&'static str] = &[
        "budget_crossings",
        "budget_entries",
        "budget_periods",
        "budget_spending",
        "budget_terms",
        "budgets",
    ];
    const CHECKS: &'static [&'static str] =
        &[periods::USED, periods::BY_QUARTERS, periods::BY_ENTRIES];

    fn tables() -> &'static str {
        include_str!("tables.sql")
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        let facts = facts::facts(&page.events)?;
        definitions::apply(tx, &facts).await?;
        let mut uncounted = Uncounted::of(tx, page).await?;
        for fact in &facts {
            let Some((budget_id, event)) = said(fact) else { continue };
            let before = uncounted.before(fact.at.position);
            count::count(tx, uncounted.source.as_ref(), &before).await?;
            apply_event(tx, fact.at, budget_id, event).await?;
        }
        let rest = uncounted.rest();
        count::count(tx, uncounted.source.as_ref(), &rest).await
    }
}

/// What a budget's own event says.
fn said(fact: &Fact) -> Option<(Uuid, &BudgetEvent)> {
    match &fact.what {
        What::Budget(budget_id, event) => Some((*budget_id, event)),
        What::Key(_) | What::Ended(_) => None,
    }
}

async fn apply_event(
    tx: &mut PgConnection,
    at: Moment,
    budget_id: Uuid,
    event: &BudgetEvent,
) -> Result<(), ProjectionError> {
    match event {
        BudgetEvent::Set { .. } => terms::set(tx, at, budget_id, event).await?,
        BudgetEvent::Changed { amount, thresholds, time_zone, .. } => {
            terms::change(tx, at, budget_id, *amount, thresholds, time_zone).await?;
        }
        BudgetEvent::Removed { .. } => terms::remove(tx, at, budget_id).await?,
        BudgetEvent::ThresholdReached { .. } | BudgetEvent::Exhausted { .. } => {
            crossings::on_record(tx, at, budget_id, event).await?;
        }
    }
    Ok(())
}
