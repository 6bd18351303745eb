//! What a budget is, as of any time and any position.

use event_schemas::{BudgetEvent, BudgetScope};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::facts::{self, Fact, What};
use super::keys::{self, Owners};
use super::rows::Budget;
use crate::temporal::{Loaded, Moment, Touched, load, write};

/// Folds what a page says over the rows that it touches.
pub(super) async fn apply(tx: &mut PgConnection, facts: &[Fact]) -> Result<(), sqlx::Error> {
    let Some(earliest) = facts::earliest(facts) else { return Ok(()) };
    keys::keep(tx, facts).await?;
    let owners = keys::owners(tx, facts).await?;
    let mut touched: [(&str, Vec<Uuid>); 6] =
        ["budget_id", "organization_id", "project_id", "api_key_id", "member_id", "key_owner_id"]
            .map(|column| (column, Vec::new()));
    for fact in facts {
        let (columns, id): (&[&str], Uuid) = match &fact.what {
            What::Budget(budget_id, _) => (&["budget_id"], *budget_id),
            What::Ended(ended) => ended.place(),
            What::Key(_) => continue,
        };
        let of_it = touched.iter_mut().filter(|(name, _)| columns.contains(name));
        of_it.for_each(|(_, ids)| ids.push(id));
    }
    let touched: Vec<Touched<'_>> =
        touched.iter().map(|(column, ids)| Touched { column, ids }).collect();
    let mut loaded: Loaded<Budget> = load(tx, &touched, earliest).await?;
    for fact in facts {
        match &fact.what {
            What::Budget(budget_id, event) => tell(&mut loaded, &owners, fact, *budget_id, event),
            What::Ended(ended) => loaded.fold.end_children(fact.at, ended.place().1),
            What::Key(_) => {}
        }
    }
    write(tx, &loaded).await
}

fn tell(
    loaded: &mut Loaded<Budget>,
    owners: &Owners,
    fact: &Fact,
    budget_id: Uuid,
    event: &BudgetEvent,
) {
    match event {
        BudgetEvent::Set { .. } => set(loaded, owners, fact.at, &fact.actor, event),
        BudgetEvent::Changed {
            name,
            amount,
            thresholds,
            action,
            time_zone,
            budget_id: _,
            organization_id: _,
        } => loaded.fold.change(fact.at, &budget_id, |row| {
            row.name.clone_from(name);
            row.amount = amount.to_string();
            row.thresholds = json!(thresholds);
            row.action = action.to_string();
            row.time_zone.clone_from(time_zone);
        }),
        BudgetEvent::Removed { .. } => loaded.fold.end(fact.at, &budget_id),
        // What was reached is said beside the periods.
        BudgetEvent::ThresholdReached { .. } | BudgetEvent::Exhausted { .. } => {}
    }
}

fn set(loaded: &mut Loaded<Budget>, owners: &Owners, at: Moment, actor: &str, event: &BudgetEvent) {
    let BudgetEvent::Set {
        budget_id,
        organization_id,
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
    } = event
    else {
        return;
    };
    let (kind, api_key_id, member_id, feature) = match scope {
        BudgetScope::Organization {} => ("organization", None, None, None),
        BudgetScope::Project { project_id: _ } => ("project", None, None, None),
        BudgetScope::ApiKey { api_key_id } => ("api_key", Some(api_key_id.0), None, None),
        BudgetScope::Member { member_id } => ("member", None, Some(member_id.0), None),
        BudgetScope::Feature { feature } => ("feature", None, None, Some(feature.clone())),
    };
    loaded.fold.set(
        at,
        Budget {
            budget_id: budget_id.0,
            organization_id: organization_id.0,
            scope: kind.to_owned(),
            project_id: project_id.map(|id| id.0),
            api_key_id,
            member_id,
            key_owner_id: api_key_id.and_then(|id| owners.get(&id).copied()),
            feature,
            keeper: keeper.to_string(),
            name: name.clone(),
            currency: currency.to_string(),
            period: period.to_string(),
            amount: amount.to_string(),
            thresholds: json!(thresholds),
            action: action.to_string(),
            time_zone: time_zone.clone(),
            set_by: actor.to_owned(),
        },
    );
}
