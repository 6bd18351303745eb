//! Change a budget.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::budget::{Budget, BudgetCommand, BudgetTerms};
use domain::organization::Organization;
use event_schemas::{Amount, BudgetAction, BudgetId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{BudgetPath, ChangeHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// What to change; what is left out stays as it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeBudgetRequest {
    /// The new name.
    #[serde(default)]
    pub name: Option<String>,
    /// How much may be spent in a period, from the one that is under way.
    #[serde(default)]
    pub amount: Option<Amount>,
    /// The shares of the amount that are worth an alert, in percent: all of them.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000, max_items = 100)]
    pub thresholds: Option<Vec<u16>>,
    /// What follows when it is used up.
    #[serde(default)]
    pub action: Option<BudgetAction>,
}

/// Change a budget.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeBudget {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The budget.
    pub budget_id: BudgetId,
    /// What to change.
    pub request: ChangeBudgetRequest,
}

impl Command for ChangeBudget {
    const NAME: &'static str = "budgets.change";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_budget(self.organization_id, self.budget_id).await?;
        let organization = session.open_organization(self.organization_id).await?;
        let settings = session.read::<Organization>(self.organization_id).await?.settings();
        let present = session.read::<Budget>(self.budget_id).await?.terms(self.organization_id)?;
        let ChangeBudgetRequest { name, amount, thresholds, action } = &self.request;
        let terms = BudgetTerms {
            name: name.clone().unwrap_or_else(|| present.name.clone()),
            amount: amount.unwrap_or(present.amount),
            thresholds: thresholds.clone().unwrap_or_else(|| present.thresholds.clone()),
            action: action.unwrap_or(present.action),
            time_zone: settings.time_zone,
        };
        let change = BudgetCommand::Change { organization, terms };
        session.execute::<Budget>(self.budget_id, change).await?;
        Ok(Done {})
    }
}

/// Changes a budget, from the period that is under way; it takes over the organization's time zone.
///
/// Shares of a new amount are new thresholds: those that what was spent has come to already are reached
/// at once. Shares of the same amount that were reached in the period stay so.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{organization_id}/budgets/{budget_id}",
    tag = "budgets",
    params(BudgetPath, ChangeHeaders),
    request_body = ChangeBudgetRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn change_budget(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<BudgetPath>,
    Json(request): Json<ChangeBudgetRequest>,
) -> Result<Response, Problem> {
    let (organization_id, budget_id) = (path.organization_id, path.budget_id);
    carry_out(&api, asked, ChangeBudget { organization_id, budget_id, request }).await
}
