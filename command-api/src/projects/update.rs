//! Rename a project, or move it to another stage.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::name::NameScope;
use domain::project::{Project, ProjectCommand};
use event_schemas::{Environment, OrganizationId, Permission, ProjectId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, ProjectPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// What to change; what is left out stays as it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateProjectRequest {
    /// The new name.
    #[serde(default)]
    pub name: Option<String>,
    /// The new stage.
    #[serde(default)]
    pub environment: Option<Environment>,
}

/// Change a project.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateProject {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub project_id: ProjectId,
    /// What to change.
    pub request: UpdateProjectRequest,
}

impl Command for UpdateProject {
    const NAME: &'static str = "projects.update";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session
            .permit_in(self.organization_id, self.project_id, Permission::ProjectsUpdate)
            .await?;
        let organization = session.open_organization(self.organization_id).await?;
        let project = session.read::<Project>(self.project_id).await?;
        project.open(self.organization_id)?;
        let old_name = project.name().unwrap_or_default().to_owned();
        let update = ProjectCommand::Update {
            organization,
            name: self.request.name.clone(),
            environment: self.request.environment,
        };
        session.execute::<Project>(self.project_id, update).await?;
        if let Some(name) = &self.request.name {
            let scope = NameScope::Project(self.organization_id);
            session.change_name(scope, &old_name, name, self.project_id).await?;
        }
        Ok(Done {})
    }
}

/// Renames a project, or moves it to another stage.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{organization_id}/projects/{project_id}",
    tag = "projects",
    params(ProjectPath, ChangeHeaders),
    request_body = UpdateProjectRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn update_project(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ProjectPath>,
    Json(request): Json<UpdateProjectRequest>,
) -> Result<Response, Problem> {
    let command = UpdateProject {
        organization_id: path.organization_id,
        project_id: path.project_id,
        request,
    };
    carry_out(&api, asked, command).await
}
