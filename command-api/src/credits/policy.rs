//! Say what a gateway is told where credits have run out.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::credit_account::{CreditAccount, CreditAccountCommand};
use event_schemas::{CreditAccountId, CreditPolicy, Currency, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, OrganizationPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// What a gateway is told.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeCreditPolicyRequest {
    /// The currency of the account.
    pub currency: Currency,
    /// What it is told from now on: `allow`, as without one, or `block`.
    pub policy: CreditPolicy,
}

/// Say what a gateway is told where credits have run out.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeCreditPolicy {
    /// The organization.
    pub organization_id: OrganizationId,
    /// What it is told.
    pub request: ChangeCreditPolicyRequest,
}

impl Command for ChangeCreditPolicy {
    const NAME: &'static str = "credits.change_policy";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::CreditsUpdate).await?;
        let organization = session.open_organization(self.organization_id).await?;
        let ChangeCreditPolicyRequest { currency, policy } = self.request;
        let account = CreditAccountId::of(self.organization_id, currency);
        let command = CreditAccountCommand::ChangePolicy { organization, currency, policy };
        session.execute::<CreditAccount>(account, command).await?;
        Ok(Done {})
    }
}

/// Says what a gateway that asks is told where the account in this currency has run out: to go on
/// (`allow`), which lets the balance fall below zero, or to stop (`block`). Usage that happened is
/// recorded either way.
#[utoipa::path(
    put,
    path = "/v1/organizations/{organization_id}/credits/policy",
    tag = "credits",
    params(OrganizationPath, ChangeHeaders),
    request_body = ChangeCreditPolicyRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn change_credit_policy(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<ChangeCreditPolicyRequest>,
) -> Result<Response, Problem> {
    carry_out(&api, asked, ChangeCreditPolicy { organization_id: path.organization_id, request })
        .await
}
