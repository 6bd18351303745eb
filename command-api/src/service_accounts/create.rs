//! Create a service account.

use domain::name::NameScope;
use domain::service_account::{ServiceAccount, ServiceAccountCommand};
use event_schemas::{OrganizationId, ProjectId, ServiceAccountId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{Command, Session};
use crate::refusal::Refusal;

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
