//! Create a service account.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::name::NameScope;
use domain::service_account::{ServiceAccount, ServiceAccountCommand};
use domain::text;
use event_schemas::{OrganizationId, Permission, ProjectId, ServiceAccountId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::checks::text_in;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// A service account to create.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateServiceAccountRequest {
    /// The project that it works for.
    pub project_id: ProjectId,
    /// Its name, unique among the project's service accounts.
    pub name: String,
    /// What it is for, in words.
    #[serde(default)]
    pub purpose: Option<String>,
}

/// Create a service account.
#[derive(Debug, Clone, Serialize)]
pub struct CreateServiceAccount {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The service account.
    pub request: CreateServiceAccountRequest,
}

/// A service account that was created.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ServiceAccountCreated {
    /// Its id.
    pub service_account_id: ServiceAccountId,
}

impl Command for CreateServiceAccount {
    const NAME: &'static str = "service_accounts.create";
    type Outcome = ServiceAccountCreated;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session
            .permit_in(
                self.organization_id,
                self.request.project_id,
                Permission::ServiceAccountsUpdate,
            )
            .await?;
        text_in("purpose", text::reason(self.request.purpose.as_deref()))?;
        let project_id = self.request.project_id;
        let project = session.open_project(self.organization_id, project_id).await?;
        let service_account_id: ServiceAccountId = session.new_id();
        let create = ServiceAccountCommand::Create {
            project,
            service_account_id,
            name: self.request.name.clone(),
            purpose: self.request.purpose.clone(),
        };
        session.begin::<ServiceAccount>(service_account_id, create)?;
        let scope = NameScope::ServiceAccount(project_id);
        session.claim_name(scope, &self.request.name, service_account_id).await?;
        Ok(ServiceAccountCreated { service_account_id })
    }
}

/// Creates a service account.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/service-accounts",
    tag = "service accounts",
    params(OrganizationPath, PostHeaders),
    request_body = CreateServiceAccountRequest,
    responses((status = 201, description = "It is made.", body = Answered<ServiceAccountCreated>), Refusals)
)]
pub(crate) async fn create_service_account(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<CreateServiceAccountRequest>,
) -> Result<Response, Problem> {
    let command = CreateServiceAccount { organization_id: path.organization_id, request };
    create(&api, asked, command, |created| {
        format!(
            "/v1/organizations/{}/service-accounts/{}",
            path.organization_id, created.service_account_id
        )
    })
    .await
}
