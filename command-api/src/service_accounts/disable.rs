//! Disable a service account.

use domain::service_account::{ServiceAccount, ServiceAccountCommand};
use event_schemas::{OrganizationId, ServiceAccountId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

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
        let organization = session.open_organization(self.organization_id).await?;
        let reason = self.request.reason.clone();
        let disable = ServiceAccountCommand::Disable { organization, reason };
        session.execute::<ServiceAccount>(self.service_account_id, disable).await?;
        Ok(Done {})
    }
}
