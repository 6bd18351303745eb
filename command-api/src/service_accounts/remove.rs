//! Remove a service account.

use domain::name::NameScope;
use domain::service_account::{ServiceAccount, ServiceAccountCommand};
use event_schemas::{OrganizationId, ServiceAccountId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Remove a service account for good.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveServiceAccount {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The service account.
    pub service_account_id: ServiceAccountId,
}

impl Command for RemoveServiceAccount {
    const NAME: &'static str = "service_accounts.remove";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let id = self.service_account_id;
        let organization = session.open_organization(self.organization_id).await?;
        let remove = ServiceAccountCommand::Remove { organization };
        session.execute::<ServiceAccount>(id, remove).await?;
        let account = session.read::<ServiceAccount>(id).await?;
        let name = account.name().unwrap_or_default().to_owned();
        if let Some(project_id) = account.project_id() {
            session.release_name(NameScope::ServiceAccount(project_id), &name, id).await?;
        }
        Ok(Done {})
    }
}
