//! Define a custom role.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand, RoleCommand};
use event_schemas::{OrganizationId, Permission, RoleId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// A role to define.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DefineRoleRequest {
    /// Its name, unique among the organization's roles, compared without case.
    pub name: String,
    /// What it allows: at least one, each of them one that the one who asks has.
    pub permissions: Vec<Permission>,
}

/// Define a custom role.
#[derive(Debug, Clone, Serialize)]
pub struct DefineRole {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The role.
    pub request: DefineRoleRequest,
}

/// A role that was defined.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RoleDefined {
    /// Its id.
    pub role_id: RoleId,
}

impl Command for DefineRole {
    const NAME: &'static str = "roles.define";
    type Outcome = RoleDefined;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.permit(self.organization_id, Permission::RolesUpdate).await?;
        let role_id: RoleId = session.new_id();
        let command = RoleCommand::Define {
            role_id,
            name: self.request.name.clone(),
            permissions: self.request.permissions.iter().copied().collect(),
        };
        let define = OrganizationCommand::Role { by: session.authority(), command };
        session.execute::<Organization>(self.organization_id, define).await?;
        Ok(RoleDefined { role_id })
    }
}

/// Defines a custom role: a set of permissions with a name. Nobody has it until it is granted.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/roles",
    tag = "roles",
    params(OrganizationPath, PostHeaders),
    request_body = DefineRoleRequest,
    responses((status = 201, description = "It is made.", body = Answered<RoleDefined>), Refusals)
)]
pub(crate) async fn define_role(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<DefineRoleRequest>,
) -> Result<Response, Problem> {
    let command = DefineRole { organization_id: path.organization_id, request };
    create(&api, asked, command, |created| {
        format!("/v1/organizations/{}/roles/{}", path.organization_id, created.role_id)
    })
    .await
}
