//! Withdraw a custom role.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand, RoleCommand};
use event_schemas::{OrganizationId, Permission, RoleId};
use serde::Serialize;

use super::grant::RoleGrantRequest;
use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{PostHeaders, Refusals, RolePath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Withdraw a custom role.
#[derive(Debug, Clone, Serialize)]
pub struct WithdrawRole {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The role.
    pub role_id: RoleId,
    /// From whom, and where.
    pub request: RoleGrantRequest,
}

impl Command for WithdrawRole {
    const NAME: &'static str = "roles.withdraw";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::RolesUpdate).await?;
        let grantee = self.request.grantee()?;
        let (role_id, project_id) = (self.role_id, self.request.project_id);
        if let Some(project_id) = project_id {
            session.own_project(self.organization_id, project_id).await?;
        }
        let command = RoleCommand::Withdraw { role_id, grantee, project_id };
        let withdraw = OrganizationCommand::Role { by: session.authority(), command };
        session.execute::<Organization>(self.organization_id, withdraw).await?;
        Ok(Done {})
    }
}

/// Withdraws a custom role from a member or a group, as it was granted: everywhere, or within that
/// project.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/roles/{role_id}/grants/withdraw",
    tag = "roles",
    params(RolePath, PostHeaders),
    request_body = RoleGrantRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn withdraw_role(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<RolePath>,
    Json(request): Json<RoleGrantRequest>,
) -> Result<Response, Problem> {
    let command =
        WithdrawRole { organization_id: path.organization_id, role_id: path.role_id, request };
    carry_out(&api, asked, command).await
}
