//! Create a project.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::name::NameScope;
use domain::project::{Project, ProjectCommand};
use event_schemas::{Environment, OrganizationId, Permission, ProjectId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// A project to create.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProjectRequest {
    /// Its name, unique among the organization's projects that are not archived.
    pub name: String,
    /// The stage that it serves, where it has one.
    #[serde(default)]
    pub environment: Option<Environment>,
}

/// Create a project.
#[derive(Debug, Clone, Serialize)]
pub struct CreateProject {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub request: CreateProjectRequest,
}

/// A project that was created.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProjectCreated {
    /// Its id.
    pub project_id: ProjectId,
}

impl Command for CreateProject {
    const NAME: &'static str = "projects.create";
    type Outcome = ProjectCreated;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.permit(self.organization_id, Permission::ProjectsCreate).await?;
        let organization = session.open_organization(self.organization_id).await?;
        let project_id: ProjectId = session.new_id();
        let create = ProjectCommand::Create {
            organization,
            project_id,
            name: self.request.name.clone(),
            environment: self.request.environment,
        };
        session.begin::<Project>(project_id, create)?;
        let scope = NameScope::Project(self.organization_id);
        session.claim_name(scope, &self.request.name, project_id).await?;
        Ok(ProjectCreated { project_id })
    }
}

/// Creates a project.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/projects",
    tag = "projects",
    params(OrganizationPath, PostHeaders),
    request_body = CreateProjectRequest,
    responses((status = 201, description = "It is made.", body = Answered<ProjectCreated>), Refusals)
)]
pub(crate) async fn create_project(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<CreateProjectRequest>,
) -> Result<Response, Problem> {
    let command = CreateProject { organization_id: path.organization_id, request };
    create(&api, asked, command, |created| {
        format!("/v1/organizations/{}/projects/{}", path.organization_id, created.project_id)
    })
    .await
}
