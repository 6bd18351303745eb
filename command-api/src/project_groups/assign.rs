//! Give a group a role in a project.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::project::{Project, ProjectCommand};
use event_schemas::{GroupId, OrganizationId, Permission, ProjectId, ProjectRole};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, ProjectGroupPath, Refusals};
use crate::project_members::assign::ProjectRoleRequest;
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Give a group of the organization a role in one of its projects.
#[derive(Debug, Clone, Serialize)]
pub struct AssignProjectGroup {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub project_id: ProjectId,
    /// The group.
    pub group_id: GroupId,
    /// The role; without one, the one that the organization's settings name.
    pub role: Option<ProjectRole>,
}

impl Command for AssignProjectGroup {
    const NAME: &'static str = "project_groups.assign";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let (organization_id, project_id) = (self.organization_id, self.project_id);
        let permission = Permission::ProjectMembersUpdate;
        session.permit_in(organization_id, project_id, permission).await?;
        let group = session.existing_group(organization_id, self.group_id).await?;
        let role = session.project_role(organization_id, self.role).await?;
        let present = session.read::<Project>(project_id).await?.role_of_group(self.group_id);
        session.permit_replacing(organization_id, project_id, present, Some(role)).await?;
        let assign = ProjectCommand::AssignGroup { group, role };
        session.execute::<Project>(project_id, assign).await?;
        Ok(Done {})
    }
}

/// Gives a group a role in a project: whoever is in the group has it. Nobody gives a role that allows
/// more than they may do.
#[utoipa::path(
    put,
    path = "/v1/organizations/{organization_id}/projects/{project_id}/groups/{group_id}",
    tag = "projects",
    params(ProjectGroupPath, ChangeHeaders),
    request_body = ProjectRoleRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn assign_project_group(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ProjectGroupPath>,
    Json(request): Json<ProjectRoleRequest>,
) -> Result<Response, Problem> {
    let ProjectGroupPath { organization_id, project_id, group_id } = path;
    let role = request.role;
    let command = AssignProjectGroup { organization_id, project_id, group_id, role };
    carry_out(&api, asked, command).await
}
