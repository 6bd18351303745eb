//! Remove a service account.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::name::NameScope;
use domain::service_account::{ServiceAccount, ServiceAccountCommand};
use event_schemas::{OrganizationId, ServiceAccountId};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, Refusals, ServiceAccountPath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

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
        session.permit_service_account(self.organization_id, self.service_account_id).await?;
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

/// Removes a service account for good.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization_id}/service-accounts/{service_account_id}",
    tag = "service accounts",
    params(ServiceAccountPath, ChangeHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn remove_service_account(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ServiceAccountPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command = RemoveServiceAccount {
        organization_id: path.organization_id,
        service_account_id: path.service_account_id,
    };
    carry_out(&api, asked, command).await
}
