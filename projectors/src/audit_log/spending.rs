//! What events of budgets, and of recorded usage that is priced again, tell.

use event_schemas::{BudgetEvent, BudgetScope, UsageRepricingEvent};
use serde_json::json;
use uuid::Uuid;

use super::told::Told;

pub(super) fn budget(id: Uuid, event: &BudgetEvent) -> Told {
    let itself = || Told::of("budget", id);
    match event {
        BudgetEvent::Set {
            budget_id: _,
            organization_id: _,
            scope,
            project_id,
            keeper,
            name,
            currency,
            period,
            amount,
            thresholds,
            action,
            time_zone,
        } => itself().about_any(of(scope)).in_project(project_id.map(|id| id.0)).began(json!({
            "project_id": project_id, "scope": scope, "keeper": keeper, "name": name,
            "currency": currency, "period": period, "amount": amount, "thresholds": thresholds,
            "action": action, "time_zone": time_zone,
        })),
        BudgetEvent::Changed {
            budget_id: _,
            organization_id: _,
            name,
            amount,
            thresholds,
            action,
            time_zone,
        } => itself().changed(json!({
            "name": name, "amount": amount, "thresholds": thresholds, "action": action,
            "time_zone": time_zone,
        })),
        BudgetEvent::Removed { budget_id: _, organization_id: _ } => itself().ended(),
        BudgetEvent::ThresholdReached {
            budget_id: _,
            organization_id: _,
            name: _,
            scope,
            period,
            period_start: _,
            period_end: _,
            currency: _,
            amount: _,
            threshold,
            spent,
            crossed_at,
        } => Told {
            caused_by: Some(*crossed_at),
            ..itself().about_any(of(scope)).changed(json!({
                "reached": { "period": period, "threshold": threshold, "spent": spent },
            }))
        },
        BudgetEvent::Exhausted {
            budget_id: _,
            organization_id: _,
            name: _,
            scope,
            period,
            period_start: _,
            period_end: _,
            currency: _,
            amount: _,
            action: _,
            spent,
            crossed_at,
        } => Told {
            caused_by: Some(*crossed_at),
            ..itself().about_any(of(scope)).changed(json!({
                "exhausted": { "period": period, "spent": spent },
            }))
        },
    }
}

/// What a budget is on, where that has an id.
fn of(scope: &BudgetScope) -> Option<Uuid> {
    match scope {
        BudgetScope::Organization {} | BudgetScope::Feature { feature: _ } => None,
        BudgetScope::Project { project_id } => Some(project_id.0),
        BudgetScope::ApiKey { api_key_id } => Some(api_key_id.0),
        BudgetScope::Member { member_id } => Some(member_id.0),
    }
}

pub(super) fn repricing(event: &UsageRepricingEvent) -> Told {
    let UsageRepricingEvent::Repriced {
        repricing_id,
        scope,
        prices_at: _,
        price_list_id,
        price_list_version,
        reason,
        corrections,
        corrections_hash: _,
        totals,
    } = event;
    Told::of("usage_repricing", repricing_id.0)
        .in_project(scope.project_id.map(|id| id.0))
        .because(reason.as_ref())
        .changed(json!({
            "scope": scope, "price_list_id": price_list_id,
            "price_list_version": price_list_version, "corrections": corrections, "totals": totals,
        }))
}
