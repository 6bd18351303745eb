//! Change an organization's profile.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::name::NameScope;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, OrganizationPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// What to change; what is left out stays as it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateOrganizationRequest {
    /// The new name.
    #[serde(default)]
    pub name: Option<String>,
    /// The new seat limit.
    #[serde(default)]
    pub seat_limit: Option<u32>,
}

/// Change an organization's profile.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateOrganization {
    /// The organization.
    pub organization_id: OrganizationId,
    /// What to change.
    pub request: UpdateOrganizationRequest,
}

impl Command for UpdateOrganization {
    const NAME: &'static str = "organizations.update";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::OrganizationUpdate).await?;
        let id = self.organization_id;
        let organization = session.read::<Organization>(id).await?;
        organization.active()?;
        let old_name = organization.name().unwrap_or_default().to_owned();
        let update = OrganizationCommand::Update {
            name: self.request.name.clone(),
            seat_limit: self.request.seat_limit,
        };
        session.execute::<Organization>(id, update).await?;
        if let Some(name) = &self.request.name {
            session.change_name(NameScope::Organization, &old_name, name, id).await?;
        }
        Ok(Done {})
    }
}

/// Changes an organization's profile.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{organization_id}",
    tag = "organizations",
    params(OrganizationPath, ChangeHeaders),
    request_body = UpdateOrganizationRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn update_organization(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<UpdateOrganizationRequest>,
) -> Result<Response, Problem> {
    let command = UpdateOrganization { organization_id: path.organization_id, request };
    carry_out(&api, asked, command).await
}
