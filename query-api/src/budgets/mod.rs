//! Budgets, and what was spent of them.

mod authorization;
mod spending;

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{
    Amount, ApiKeyId, BudgetAction, BudgetId, BudgetKeeper, BudgetPeriod, BudgetScope, Currency,
    MemberId, Permission, ProjectId,
};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

pub(crate) use authorization::{Asked, blocking};
pub use authorization::{BudgetAuthorization, BudgetReason};
pub use spending::BudgetSpending;

use crate::list::{self, Listed, Listing, Scope};
use crate::parameters::{
    BudgetListQuery, BudgetPath, OrganizationPath, Point as _, PointQuery, Refusals,
};
use crate::snapshot::{Projection, Rows};
use crate::state::{QueryState, Reflecting};
use crate::viewer::Viewer;

/// A budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BudgetView)]
pub struct Budget {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub budget_id: BudgetId,
    /// Its name.
    pub name: String,
    /// What it is on.
    pub scope: BudgetScope,
    /// The project that it is within: the one that it is on, or its key's.
    #[schema(value_type = Option<Uuid>)]
    pub project_id: Option<ProjectId>,
    /// Who keeps it: it takes their permission to change or remove it.
    pub keeper: BudgetKeeper,
    /// The currency; usage in others does not count.
    pub currency: Currency,
    /// How often it begins anew.
    pub period: BudgetPeriod,
    /// How much may be spent in a period.
    #[schema(value_type = String, example = "500.000000000000")]
    pub amount: Amount,
    /// The shares of the amount that are worth an alert, in percent.
    pub thresholds: Vec<u16>,
    /// What follows when it is used up.
    pub action: BudgetAction,
    /// The time zone that its periods begin in.
    pub time_zone: String,
    /// Who set it, as `kind:id`.
    pub set_by: String,
    /// Since when it has been as shown.
    pub valid_from: DateTime<Utc>,
    /// The version that a change can name in `If-Match`, in quotes; null where another time or position
    /// than now is asked about.
    pub version: Option<i64>,
    /// What is spent in the period that is under way, or was at the time that is asked about.
    pub current: BudgetSpending,
}

fn word<T: std::str::FromStr>(row: &PgRow, column: &str) -> Result<T, sqlx::Error>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let text: String = row.try_get(column)?;
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

fn scope(row: &PgRow) -> Result<BudgetScope, sqlx::Error> {
    let kind: String = row.try_get("scope")?;
    Ok(match kind.as_str() {
        "project" => BudgetScope::Project { project_id: ProjectId(row.try_get("project_id")?) },
        "api_key" => BudgetScope::ApiKey { api_key_id: ApiKeyId(row.try_get("api_key_id")?) },
        "member" => BudgetScope::Member { member_id: MemberId(row.try_get("member_id")?) },
        "feature" => BudgetScope::Feature { feature: row.try_get("feature")? },
        "organization" => BudgetScope::Organization {},
        unknown => return Err(sqlx::Error::Decode(format!("a budget on '{unknown}'").into())),
    })
}

impl Listed for Budget {
    const NOUN: &'static str = "budget";
    const FROM: &'static str = "read.budgets t left join read.sequences s \
         on s.stream_type = 'budget' and s.stream_id = t.budget_id";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.budget_id, t.name, t.scope, t.project_id, t.api_key_id, \
         t.member_id, t.feature, t.keeper, t.currency, t.period, t.amount, t.thresholds, t.action, \
         t.time_zone, t.set_by, t.valid_from, s.sequence";
    const READS: &'static [Projection] = &[Projection::AccessRegister, Projection::Budgets];
    const SORT: &'static str = "lower(t.name)";
    const ID: &'static str = "t.budget_id";
    const PROJECT: Option<&'static str> = Some("t.project_id");
    const OWNER: Option<&'static str> = Some("t.member_id");

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(thresholds) = row.try_get("thresholds")?;
        Ok(Self {
            budget_id: BudgetId(row.try_get("budget_id")?),
            name: row.try_get("name")?,
            scope: scope(row)?,
            project_id: row.try_get::<Option<Uuid>, _>("project_id")?.map(ProjectId),
            keeper: word(row, "keeper")?,
            currency: word(row, "currency")?,
            period: word(row, "period")?,
            amount: word(row, "amount")?,
            thresholds,
            action: word(row, "action")?,
            time_zone: row.try_get("time_zone")?,
            set_by: row.try_get("set_by")?,
            valid_from: row.try_get("valid_from")?,
            version: row.try_get("sequence")?,
            // `spending::tell` knows of which time and position.
            current: BudgetSpending::default(),
        })
    }
}

/// The budgets, by name, each with what is spent of it: now, or by a time and as known at a position. One
/// ends with what it is on: with the archived project, the revoked key, the member who left.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/budgets",
    operation_id = "list_budgets", tag = "budgets", params(OrganizationPath, BudgetListQuery),
    responses((status = 200, body = Page<Budget>), Refusals))]
pub(crate) async fn list_budgets(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<BudgetListQuery>,
) -> Result<Reflecting<Page<Budget>>, Problem> {
    let scope = Scope::organization(path.organization_id).project(query.project_id);
    let visible = viewer.visible(&state, Permission::UsageRead).await?;
    let asked = query.list();
    let listing =
        Listing::<Budget>::new(scope, asked.temporal(), asked.limit, asked.cursor.as_ref())?
            .visible(visible);
    let position_min = listing.position_min().max(asked.position_min());
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, Budget::READS, position_min).await?;
    let mut page: Page<Budget> = list::list(&mut snapshot, &listing).await?;
    spending::tell(&mut snapshot, path.organization_id, &mut page.items, listing.temporal())
        .await?;
    Ok(Reflecting::page(snapshot.position(), page))
}

/// A budget, with what is spent, what is left, and what will have been spent at the period's end if it
/// goes on like this: now, or by a time and as known at a position.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/budgets/{budget_id}",
    operation_id = "get_budget", tag = "budgets", params(BudgetPath, PointQuery),
    responses((status = 200, body = Budget), Refusals))]
pub(crate) async fn get_budget(
    State(state): State<QueryState>,
    Path(path): Path<BudgetPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<Budget>, Problem> {
    let visible = viewer.visible(&state, Permission::UsageRead).await?;
    let (organization_id, temporal) = (path.organization_id, query.temporal());
    let rows = Rows::Of(organization_id);
    let mut snapshot = state.snapshot(rows, Budget::READS, query.position_min()).await?;
    let budget_id = path.budget_id.0;
    let mut budget: Budget =
        list::get(&mut snapshot, organization_id, budget_id, temporal, &visible).await?;
    let one = std::slice::from_mut(&mut budget);
    spending::tell(&mut snapshot, organization_id, one, temporal).await?;
    Ok(Reflecting::new(snapshot.position(), budget))
}
