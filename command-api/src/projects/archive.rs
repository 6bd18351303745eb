//! Archive a project.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::name::NameScope;
use domain::project::{Project, ProjectCommand};
use event_schemas::{OrganizationId, Permission, ProjectId};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{PostHeaders, ProjectPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Close a project for good: it takes no keys, members or usage from now on.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveProject {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub project_id: ProjectId,
}

impl Command for ArchiveProject {
    const NAME: &'static str = "projects.archive";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session
            .permit_in(self.organization_id, self.project_id, Permission::ProjectsArchive)
            .await?;
        let organization = session.open_organization(self.organization_id).await?;
        let archive = ProjectCommand::Archive { organization };
        session.execute::<Project>(self.project_id, archive).await?;
        let project = session.read::<Project>(self.project_id).await?;
        let name = project.name().unwrap_or_default().to_owned();
        let scope = NameScope::Project(self.organization_id);
        session.release_name(scope, &name, self.project_id).await?;
        Ok(Done {})
    }
}

/// Closes a project for good: it takes no keys, members or usage from now on.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/projects/{project_id}/archive",
    tag = "projects",
    params(ProjectPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn archive_project(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ProjectPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command =
        ArchiveProject { organization_id: path.organization_id, project_id: path.project_id };
    carry_out(&api, asked, command).await
}
