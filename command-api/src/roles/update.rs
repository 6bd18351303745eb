//! Change a custom role's name, or what it allows.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand, RoleCommand};
use event_schemas::{OrganizationId, Permission, RoleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, Refusals, RolePath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// What to change; what is left out stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateRoleRequest {
    /// The new name.
    #[serde(default)]
    pub name: Option<String>,
    /// All that it allows from now on, for everybody who has it.
    #[serde(default)]
    pub permissions: Option<Vec<Permission>>,
}

/// Change a custom role.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateRole {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The role.
    pub role_id: RoleId,
    /// What to change.
    pub request: UpdateRoleRequest,
}

impl Command for UpdateRole {
    const NAME: &'static str = "roles.update";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::RolesUpdate).await?;
        let permissions = self.request.permissions.as_ref();
        let command = RoleCommand::Update {
            role_id: self.role_id,
            name: self.request.name.clone(),
            permissions: permissions.map(|permissions| permissions.iter().copied().collect()),
        };
        let update = OrganizationCommand::Role { by: session.authority(), command };
        session.execute::<Organization>(self.organization_id, update).await?;
        Ok(Done {})
    }
}

/// Changes a custom role's name, or what it allows, for everybody who has it.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{organization_id}/roles/{role_id}",
    tag = "roles",
    params(RolePath, ChangeHeaders),
    request_body = UpdateRoleRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn update_role(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<RolePath>,
    Json(request): Json<UpdateRoleRequest>,
) -> Result<Response, Problem> {
    let command =
        UpdateRole { organization_id: path.organization_id, role_id: path.role_id, request };
    carry_out(&api, asked, command).await
}
