//! Set a budget.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::api_key::ApiKey;
use domain::budget::{Budget, BudgetCommand, BudgetError, BudgetSubject, BudgetTerms};
use domain::organization::Organization;
use event_log::read::of_organization;
use event_schemas::{
    Amount, BudgetAction, BudgetId, BudgetPeriod, BudgetScope, Currency, OrganizationId, ProjectId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::{ExecuteError, Refusal};
use crate::routes::CommandApi;

/// The most budgets of an organization: each of its usage records is held against all of them. Some
/// more can slip in where several are set at once.
const BUDGETS_MAX: usize = 1_000;

/// A budget to set.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetBudgetRequest {
    /// Its name.
    pub name: String,
    /// What it is on.
    pub scope: BudgetScope,
    /// The currency; usage in others does not count.
    pub currency: Currency,
    /// How often it begins anew, in the organization's time zone.
    pub period: BudgetPeriod,
    /// How much may be spent in a period; above zero.
    pub amount: Amount,
    /// The shares of the amount that are worth an alert, in percent. That all of it is spent always is.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000, max_items = 100)]
    pub thresholds: Vec<u16>,
    /// What follows when it is used up: `alert`, where nothing is said, or `block`.
    #[serde(default = "alert")]
    pub action: BudgetAction,
}

fn alert() -> BudgetAction {
    BudgetAction::Alert
}

/// Set a budget.
#[derive(Debug, Clone, Serialize)]
pub struct SetBudget {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The budget.
    pub request: SetBudgetRequest,
}

/// A budget that was set.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BudgetSet {
    /// Its id.
    pub budget_id: BudgetId,
}

impl Command for SetBudget {
    const NAME: &'static str = "budgets.set";
    type Outcome = BudgetSet;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let project_id = self.project(session).await?;
        let keeper = session.permit_setting_budget(self.organization_id, project_id).await?;
        let subject = self.subject(session, project_id).await?;
        let pool = session.log().pool();
        let budgets = of_organization::budgets(pool, self.organization_id).await;
        if budgets.map_err(ExecuteError::Database)? >= BUDGETS_MAX {
            return Err(BudgetError::TooMany { max: BUDGETS_MAX }.into());
        }
        let organization = session.read::<Organization>(self.organization_id).await?;
        let terms = BudgetTerms {
            name: self.request.name.clone(),
            amount: self.request.amount,
            thresholds: self.request.thresholds.clone(),
            action: self.request.action,
            time_zone: organization.settings().time_zone,
        };
        let budget_id: BudgetId = session.new_id();
        let SetBudgetRequest { currency, period, .. } = self.request;
        let set = BudgetCommand::Set { budget_id, subject, keeper, currency, period, terms };
        session.begin::<Budget>(budget_id, set)?;
        Ok(BudgetSet { budget_id })
    }
}

impl SetBudget {
    /// The project that it would be within.
    async fn project(&self, session: &mut Session<'_>) -> Result<Option<ProjectId>, Refusal> {
        match &self.request.scope {
            BudgetScope::Project { project_id } => Ok(Some(*project_id)),
            BudgetScope::ApiKey { api_key_id } => {
                session.own_api_key(self.organization_id, *api_key_id).await
            }
            BudgetScope::Organization {}
            | BudgetScope::Member { .. }
            | BudgetScope::Feature { .. } => Ok(None),
        }
    }

    async fn subject(
        &self,
        session: &mut Session<'_>,
        project_id: Option<ProjectId>,
    ) -> Result<BudgetSubject, Refusal> {
        let organization_id = self.organization_id;
        let organization = session.open_organization(organization_id).await?;
        Ok(match &self.request.scope {
            BudgetScope::Organization {} => BudgetSubject::Organization(organization),
            BudgetScope::Project { project_id } => {
                BudgetSubject::Project(session.open_project(organization_id, *project_id).await?)
            }
            BudgetScope::ApiKey { api_key_id } => {
                let (api_key_id, now) = (*api_key_id, session.now());
                session.read::<ApiKey>(api_key_id).await?.usable(now)?;
                BudgetSubject::ApiKey { organization, api_key_id, project_id }
            }
            BudgetScope::Member { member_id } => {
                BudgetSubject::Member(session.active_member(organization_id, *member_id).await?)
            }
            BudgetScope::Feature { feature } => {
                BudgetSubject::Feature { organization, feature: feature.clone() }
            }
        })
    }
}

/// Sets a budget on the organization, a project, an API key, a member or a feature.
///
/// What was used in the period that is under way counts, before it was set too. Whoever may set budgets
/// in a project alone sets them on it and its keys; what is set from above they cannot change.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/budgets",
    tag = "budgets",
    params(OrganizationPath, PostHeaders),
    request_body = SetBudgetRequest,
    responses((status = 201, description = "It is made.", body = Answered<BudgetSet>), Refusals)
)]
pub(crate) async fn set_budget(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<SetBudgetRequest>,
) -> Result<Response, Problem> {
    let command = SetBudget { organization_id: path.organization_id, request };
    create(&api, asked, command, |set| {
        format!("/v1/organizations/{}/budgets/{}", path.organization_id, set.budget_id)
    })
    .await
}
