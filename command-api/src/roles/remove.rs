//! Remove a custom role: nobody has it any more.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand, RoleCommand};
use event_schemas::{OrganizationId, Permission, RoleId};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, Refusals, RolePath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Remove a custom role.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveRole {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The role.
    pub role_id: RoleId,
}

impl Command for RemoveRole {
    const NAME: &'static str = "roles.remove";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::RolesUpdate).await?;
        let command = RoleCommand::Remove { role_id: self.role_id };
        let remove = OrganizationCommand::Role { by: session.authority(), command };
        session.execute::<Organization>(self.organization_id, remove).await?;
        Ok(Done {})
    }
}

/// Removes a custom role: nobody has it any more.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization_id}/roles/{role_id}",
    tag = "roles",
    params(RolePath, ChangeHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn remove_role(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<RolePath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command = RemoveRole { organization_id: path.organization_id, role_id: path.role_id };
    carry_out(&api, asked, command).await
}
