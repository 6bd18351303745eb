//! Give a member a role in a project.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::project::{Project, ProjectCommand};
use event_schemas::{MemberId, OrganizationId, Permission, ProjectId, ProjectRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, ProjectMemberPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Who, and which role.
#[derive(Debug, Clone, Serialize)]
pub struct AssignProjectMemberRequest {
    /// The member.
    pub member_id: MemberId,
    /// The role; without one, the one that the organization's settings name.
    pub role: Option<ProjectRole>,
}

/// The role to give.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectRoleRequest {
    /// The role; by default the one that the organization's settings name.
    #[serde(default)]
    pub(crate) role: Option<ProjectRole>,
}

/// Give a member of the organization a role in one of its projects.
#[derive(Debug, Clone, Serialize)]
pub struct AssignProjectMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub project_id: ProjectId,
    /// The details.
    pub request: AssignProjectMemberRequest,
}

impl Command for AssignProjectMember {
    const NAME: &'static str = "project_members.assign";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let (organization_id, project_id) = (self.organization_id, self.project_id);
        let permission = Permission::ProjectMembersUpdate;
        session.permit_in(organization_id, project_id, permission).await?;
        let member = session.active_member(organization_id, self.request.member_id).await?;
        let role = session.project_role(organization_id, self.request.role).await?;
        let present = session.read::<Project>(project_id).await?.role_of(member.member_id());
        session.permit_replacing(organization_id, project_id, present, Some(role)).await?;
        let assign = ProjectCommand::AssignMember { member, role };
        session.execute::<Project>(project_id, assign).await?;
        Ok(Done {})
    }
}

/// Gives a member of the organization a role in one of its projects. Nobody gives a role that allows
/// more than they may do.
#[utoipa::path(
    put,
    path = "/v1/organizations/{organization_id}/projects/{project_id}/members/{member_id}",
    tag = "projects",
    params(ProjectMemberPath, ChangeHeaders),
    request_body = ProjectRoleRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn assign_project_member(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ProjectMemberPath>,
    Json(request): Json<ProjectRoleRequest>,
) -> Result<Response, Problem> {
    let command = AssignProjectMember {
        organization_id: path.organization_id,
        project_id: path.project_id,
        request: AssignProjectMemberRequest { member_id: path.member_id, role: request.role },
    };
    carry_out(&api, asked, command).await
}
