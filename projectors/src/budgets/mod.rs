//! Budgets: what each is, what was spent of it in each period, and which of its thresholds were
//! reached, by the very record.
//!
//! A page is gone through in the log's order: usage up to a budget's event, the event, usage after it.
//! So what is counted does not depend on where pages end, and a budget that is set in the middle of a
//! page counts as one that is set between two.

mod count;
mod crossings;
mod definitions;
mod facts;
mod periods;
mod rows;
mod terms;

use std::collections::VecDeque;

use event_schemas::BudgetEvent;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::feed::{FeedPage, UsageBatchOfPage};
use crate::projection::{Projection, ProjectionError};
use crate::temporal::Moment;
use facts::{Fact, What};

/// Budgets, and all that is spent of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budgets;

impl Projection for Budgets {
    const NAME: &'static str = "budgets";
    const VERSION: i32 = 1;
    const VIEWS: &'static [&'static str] =
        &["budget_crossings", "budget_periods", "budget_terms", "budgets"];
    const CHECKS: &'static [&'static str] = &[periods::CHECK];

    fn tables() -> &'static str {
        include_str!("tables.sql")
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        let facts = facts::facts(&page.events)?;
        definitions::apply(tx, &facts).await?;
        let source = page.usage_source(tx).await?;
        let mut batches = page.usage_batches();
        batches.sort_unstable_by_key(|batch| batch.first_position);
        let mut batches = VecDeque::from(batches);
        for fact in &facts {
            let Some((budget_id, event)) = said(fact) else { continue };
            let before = before(&mut batches, fact.at.position);
            if let Some(source) = source.as_ref().filter(|_| !before.is_empty()) {
                count::count(tx, source, &before).await?;
            }
            apply_event(tx, fact.at, budget_id, event).await?;
        }
        let rest: Vec<_> = batches.into();
        if let Some(source) = source.as_ref().filter(|_| !rest.is_empty()) {
            count::count(tx, source, &rest).await?;
        }
        Ok(())
    }
}

/// What a budget's own event says.
fn said(fact: &Fact) -> Option<(Uuid, &BudgetEvent)> {
    match &fact.what {
        What::Budget(budget_id, event) => Some((*budget_id, event)),
        What::Ended(_) => None,
    }
}

/// Takes the batches out that stand before a position. An event stands in the middle of none.
fn before(batches: &mut VecDeque<UsageBatchOfPage>, position: i64) -> Vec<UsageBatchOfPage> {
    let count = batches.partition_point(|batch| batch.first_position < position);
    batches.drain(..count).collect()
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
