//! Whose the keys are that budgets are on.

use std::collections::HashMap;

use event_schemas::{BudgetEvent, BudgetScope};
use sqlx::PgConnection;
use uuid::Uuid;

use super::facts::{Fact, Key, What};

/// Owners by key.
pub(super) type Owners = HashMap<Uuid, Uuid>;

/// Keeps whose the page's new keys are.
pub(super) async fn keep(tx: &mut PgConnection, facts: &[Fact]) -> Result<(), sqlx::Error> {
    let made = |fact: &Fact| match &fact.what {
        What::Key(key) => Some(*key),
        What::Budget(..) | What::Ended(_) => None,
    };
    let keys: Vec<Key> = facts.iter().filter_map(made).collect();
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into budget_keys (api_key_id, organization_id, owner_id)
         select * from unnest($1::uuid[], $2::uuid[], $3::uuid[])
         on conflict (api_key_id) do nothing",
    )
    .bind(keys.iter().map(|key| key.api_key_id).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.organization_id).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.owner).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Whose the keys are that the page sets budgets on.
pub(super) async fn owners(tx: &mut PgConnection, facts: &[Fact]) -> Result<Owners, sqlx::Error> {
    let on_key = |fact: &Fact| match &fact.what {
        What::Budget(_, BudgetEvent::Set { scope: BudgetScope::ApiKey { api_key_id }, .. }) => {
            Some(api_key_id.0)
        }
        What::Budget(..) | What::Key(_) | What::Ended(_) => None,
    };
    let keys: Vec<Uuid> = facts.iter().filter_map(on_key).collect();
    if keys.is_empty() {
        return Ok(Owners::new());
    }
    let owners: Vec<(Uuid, Uuid)> =
        sqlx::query_as("select api_key_id, owner_id from budget_keys where api_key_id = any($1)")
            .bind(keys)
            .fetch_all(tx)
            .await?;
    Ok(owners.into_iter().collect())
}
