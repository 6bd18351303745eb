//! Disable a service account.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::service_account::{ServiceAccount, ServiceAccountCommand};
use event_schemas::{OrganizationId, ServiceAccountId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::execute::{Command, Done, Session};
use crate::parameters::{PostHeaders, Refusals, ServiceAccountPath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisableServiceAccountRequest {
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Disable a service account: its keys are refused from now on.
#[derive(Debug, Clone, Serialize)]
pub struct DisableServiceAccount {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The service account.
    pub service_account_id: ServiceAccountId,
    /// The details.
    pub request: DisableServiceAccountRequest,
}

impl Command for DisableServiceAccount {
    const NAME: &'static str = "service_accounts.disable";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_service_account(self.organization_id, self.service_account_id).await?;
        let organization = session.open_organization(self.organization_id).await?;
        let reason = self.request.reason.clone();
        let disable = ServiceAccountCommand::Disable { organization, reason };
        session.execute::<ServiceAccount>(self.service_account_id, disable).await?;
        Ok(Done {})
    }
}

/// Disables a service account: its keys are refused from now on.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/service-accounts/{service_account_id}/disable",
    tag = "service accounts",
    params(ServiceAccountPath, PostHeaders),
    request_body = Option<DisableServiceAccountRequest>,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn disable_service_account(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ServiceAccountPath>,
    OptionalJson(request): OptionalJson<DisableServiceAccountRequest>,
) -> Result<Response, Problem> {
    let command = DisableServiceAccount {
        organization_id: path.organization_id,
        service_account_id: path.service_account_id,
        request,
    };
    carry_out(&api, asked, command).await
}
