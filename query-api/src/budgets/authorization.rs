//! What a gateway is told of budgets before it serves a request: whether one that blocks is used up.

use chrono::{DateTime, Utc};
use event_schemas::{Amount, ApiKeyId, BudgetId, Currency, MemberId, OrganizationId, ProjectId};
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row as _};
use utoipa::ToSchema;

use super::spending;
use crate::error::QueryError;
use crate::snapshot::Snapshot;

/// Whether there is something left of a budget that blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BudgetAuthorization {
    /// The budget.
    #[schema(value_type = Uuid)]
    pub budget_id: BudgetId,
    /// The currency; usage in others does not count.
    pub currency: String,
    /// Whether to go on.
    pub allowed: bool,
    /// Why.
    pub reason: BudgetReason,
    /// When the period ends, and the budget begins anew; null where it never does.
    pub period_end: Option<DateTime<Utc>>,
    /// What is left of it. Null to who may not see all budgets.
    #[schema(value_type = Option<String>)]
    pub left: Option<Amount>,
}

/// Why a gateway is told to go on, or not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetReason {
    /// Something is left of the budget.
    BudgetLeft,
    /// Nothing is left of the budget.
    BudgetExhausted,
}

/// What is to be used, as far as it is known before.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) currency: Option<Currency>,
    pub(crate) project_id: Option<ProjectId>,
    pub(crate) api_key_id: Option<ApiKeyId>,
    pub(crate) member_id: Option<MemberId>,
    pub(crate) feature: Option<String>,
}

/// The budgets that block what is to be used where nothing is left of them, by name: the organization's,
/// and those of all that is named.
pub(crate) async fn blocking(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    asked: &Asked,
    shows_amounts: bool,
) -> Result<Vec<BudgetAuthorization>, QueryError> {
    let mut query = QueryBuilder::<Postgres>::new(format!(
        "select t.budget_id, t.currency, d.ends_at,
             (t.amount::numeric - coalesce(p.spent, 0))::numeric(38,12)::text as remaining
         from {} where t.known_to is null and t.valid_to is null and t.action = 'block'
             and t.organization_id = ",
        spending::of_now()
    ));
    query.push_bind(organization_id.0);
    if let Some(currency) = asked.currency {
        query.push(" and t.currency = ").push_bind(currency.to_string());
    }
    query.push(" and (t.scope = 'organization'");
    let ids = [
        ("project", "t.project_id", asked.project_id.map(|id| id.0)),
        ("api_key", "t.api_key_id", asked.api_key_id.map(|id| id.0)),
        ("member", "t.member_id", asked.member_id.map(|id| id.0)),
    ];
    for (scope, column, id) in ids {
        if let Some(id) = id {
            query.push(format_args!(" or t.scope = '{scope}' and {column} = ")).push_bind(id);
        }
    }
    if let Some(feature) = &asked.feature {
        query.push(" or t.scope = 'feature' and t.feature = ").push_bind(feature.clone());
    }
    query.push(") order by lower(t.name) collate \"C\", t.budget_id");
    let rows = query.build().fetch_all(snapshot.connection()).await?;
    rows.iter().map(|row| read(row, shows_amounts)).collect()
}

fn read(row: &PgRow, shows_amounts: bool) -> Result<BudgetAuthorization, QueryError> {
    let left: String = row.try_get("remaining")?;
    let left: Amount = left.parse().map_err(QueryError::unreadable)?;
    let allowed = left.is_positive();
    Ok(BudgetAuthorization {
        budget_id: BudgetId(row.try_get("budget_id")?),
        currency: row.try_get("currency")?,
        allowed,
        reason: if allowed { BudgetReason::BudgetLeft } else { BudgetReason::BudgetExhausted },
        period_end: row.try_get("ends_at")?,
        left: shows_amounts.then_some(left),
    })
}
