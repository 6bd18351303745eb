//! Remove a budget.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::budget::{Budget, BudgetCommand};
use event_schemas::{BudgetId, OrganizationId};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{BudgetPath, ChangeHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Remove a budget.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveBudget {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The budget.
    pub budget_id: BudgetId,
}

impl Command for RemoveBudget {
    const NAME: &'static str = "budgets.remove";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_budget(self.organization_id, self.budget_id).await?;
        let organization = session.open_organization(self.organization_id).await?;
        session.execute::<Budget>(self.budget_id, BudgetCommand::Remove { organization }).await?;
        Ok(Done {})
    }
}

/// Removes a budget: nothing counts for it any more, and it blocks nothing.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization_id}/budgets/{budget_id}",
    tag = "budgets",
    params(BudgetPath, ChangeHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn remove_budget(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<BudgetPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let (organization_id, budget_id) = (path.organization_id, path.budget_id);
    carry_out(&api, asked, RemoveBudget { organization_id, budget_id }).await
}
