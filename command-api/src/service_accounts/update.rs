//! Rename a service account, or say anew what it is for.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::name::NameScope;
use domain::service_account::{ServiceAccount, ServiceAccountCommand};
use domain::text;
use event_schemas::{OrganizationId, ServiceAccountId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::checks::text_in;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, Refusals, ServiceAccountPath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// What to change; what is left out stays as it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateServiceAccountRequest {
    /// The new name.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is for now, in words; empty to say nothing any more.
    #[serde(default)]
    pub purpose: Option<String>,
}

/// Change a service account.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateServiceAccount {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The service account.
    pub service_account_id: ServiceAccountId,
    /// What to change.
    pub request: UpdateServiceAccountRequest,
}

impl Command for UpdateServiceAccount {
    const NAME: &'static str = "service_accounts.update";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_service_account(self.organization_id, self.service_account_id).await?;
        text_in("purpose", text::reason(self.request.purpose.as_deref()))?;
        let organization = session.open_organization(self.organization_id).await?;
        let account = session.read::<ServiceAccount>(self.service_account_id).await?;
        let project_id = account.project_id();
        let old_name = account.name().unwrap_or_default().to_owned();
        if let Some(project_id) = project_id {
            session.open_project(self.organization_id, project_id).await?;
        }
        let UpdateServiceAccountRequest { name, purpose } = self.request.clone();
        let update = ServiceAccountCommand::Update { organization, name, purpose };
        session.execute::<ServiceAccount>(self.service_account_id, update).await?;
        if let (Some(name), Some(project_id)) = (&self.request.name, project_id) {
            let scope = NameScope::ServiceAccount(project_id);
            session.change_name(scope, &old_name, name, self.service_account_id).await?;
        }
        Ok(Done {})
    }
}

/// Renames a service account, or says anew what it is for. Its keys go on working.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{organization_id}/service-accounts/{service_account_id}",
    tag = "service accounts",
    params(ServiceAccountPath, ChangeHeaders),
    request_body = UpdateServiceAccountRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn update_service_account(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ServiceAccountPath>,
    Json(request): Json<UpdateServiceAccountRequest>,
) -> Result<Response, Problem> {
    let command = UpdateServiceAccount {
        organization_id: path.organization_id,
        service_account_id: path.service_account_id,
        request,
    };
    carry_out(&api, asked, command).await
}
