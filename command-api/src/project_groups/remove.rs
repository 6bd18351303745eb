//! Take a group out of a project.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::project::{Project, ProjectCommand};
use event_schemas::{GroupId, OrganizationId, Permission, ProjectId};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, ProjectGroupPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Take a group out of a project.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveProjectGroup {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub project_id: ProjectId,
    /// The group.
    pub group_id: GroupId,
}

impl Command for RemoveProjectGroup {
    const NAME: &'static str = "project_groups.remove";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let (organization_id, project_id) = (self.organization_id, self.project_id);
        let permission = Permission::ProjectMembersUpdate;
        session.permit_in(organization_id, project_id, permission).await?;
        let organization = session.open_organization(organization_id).await?;
        let present = session.read::<Project>(project_id).await?.role_of_group(self.group_id);
        session.permit_replacing(organization_id, project_id, present, None).await?;
        let remove = ProjectCommand::RemoveGroup { organization, group_id: self.group_id };
        session.execute::<Project>(project_id, remove).await?;
        Ok(Done {})
    }
}

/// Takes a group out of a project: the role that its members had through it ends.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization_id}/projects/{project_id}/groups/{group_id}",
    tag = "projects",
    params(ProjectGroupPath, ChangeHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn remove_project_group(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ProjectGroupPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let ProjectGroupPath { organization_id, project_id, group_id } = path;
    let command = RemoveProjectGroup { organization_id, project_id, group_id };
    carry_out(&api, asked, command).await
}
