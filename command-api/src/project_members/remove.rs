//! Take a member out of a project.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::project::{Project, ProjectCommand};
use event_schemas::{MemberId, OrganizationId, Permission, ProjectId};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, ProjectMemberPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Take a member out of a project.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveProjectMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub project_id: ProjectId,
    /// The member.
    pub member_id: MemberId,
}

impl Command for RemoveProjectMember {
    const NAME: &'static str = "project_members.remove";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let (organization_id, project_id) = (self.organization_id, self.project_id);
        let permission = Permission::ProjectMembersUpdate;
        session.permit_in(organization_id, project_id, permission).await?;
        let organization = session.open_organization(organization_id).await?;
        let present = session.read::<Project>(project_id).await?.role_of(self.member_id);
        session.permit_replacing(organization_id, project_id, present, None).await?;
        let remove = ProjectCommand::RemoveMember { organization, member_id: self.member_id };
        session.execute::<Project>(project_id, remove).await?;
        Ok(Done {})
    }
}

/// Takes a member out of a project.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization_id}/projects/{project_id}/members/{member_id}",
    tag = "projects",
    params(ProjectMemberPath, ChangeHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn remove_project_member(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ProjectMemberPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command = RemoveProjectMember {
        organization_id: path.organization_id,
        project_id: path.project_id,
        member_id: path.member_id,
    };
    carry_out(&api, asked, command).await
}
