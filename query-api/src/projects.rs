//! Projects of an organization.

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{Permission, ProjectEvent, ProjectId, StreamEvent as _};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;

use crate::list::{Listed, Scope, Stream};
use crate::parameters::{
    ListQuery, OrganizationPath, PointHeaders, PointQuery, ProjectPath, Refusals, Unmodified,
};
use crate::state::{QueryState, Reflecting};
use crate::viewer::{Viewer, Visible};

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProjectView)]
pub struct Project {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// The stage that it serves, where it has one.
    pub environment: Option<String>,
    /// Since when it has been as shown.
    pub valid_from: DateTime<Utc>,
}

impl Listed for Project {
    const NOUN: &'static str = "project";
    const FROM: &'static str = "read.projects t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.project_id, t.name, t.environment, t.valid_from";
    const SORT: &'static str = "lower(t.name)";
    const ID: &'static str = "t.project_id";
    const STREAM: Option<Stream> = Some(Stream::Own(ProjectEvent::STREAM));
    const PROJECT: Option<&'static str> = Some("t.project_id");

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            project_id: ProjectId(row.try_get("project_id")?),
            name: row.try_get("name")?,
            environment: row.try_get("environment")?,
            valid_from: row.try_get("valid_from")?,
        })
    }
}

/// The projects, by name.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/projects",
    operation_id = "list_projects", tag = "projects", params(OrganizationPath, ListQuery),
    responses((status = 200, body = Page<Project>), Refusals))]
pub(crate) async fn list_projects(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<Project>>, Problem> {
    let visible = viewer.visible(&state, Permission::ProjectsRead).await?;
    state.list(Scope::organization(path.organization_id), visible, &query).await
}

/// A project.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/projects/{project_id}",
    operation_id = "get_project", tag = "projects", params(ProjectPath, PointQuery, PointHeaders),
    responses((status = 200, body = Project,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_project(
    State(state): State<QueryState>,
    Path(path): Path<ProjectPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<Project>, Problem> {
    viewer.must_in(&state, path.project_id, Permission::ProjectsRead).await?;
    state.get(path.organization_id, path.project_id.0, &Visible::All, &query).await
}
