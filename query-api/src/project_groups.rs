//! Groups of a project.

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{GroupId, Permission};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;

use crate::list::{Listed, Scope};
use crate::parameters::{ListQuery, ProjectPath, Refusals};
use crate::projects::Project;
use crate::state::{QueryState, Reflecting};
use crate::viewer::Viewer;

/// A group of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProjectGroupView)]
pub struct ProjectGroup {
    /// The group.
    #[schema(value_type = Uuid)]
    pub group_id: GroupId,
    /// Its name.
    pub name: String,
    /// The role that its members have in the project.
    pub role: String,
    /// Since when the group has it.
    pub since: DateTime<Utc>,
    /// Who gave it, as `kind:id`.
    pub granted_by: String,
}

impl Listed for ProjectGroup {
    const NOUN: &'static str = "project group";
    const FROM: &'static str =
        "read.project_groups t join read.groups g on g.group_id = t.group_id";
    const ALIASES: &'static [&'static str] = &["t", "g"];
    const COLUMNS: &'static str = "t.group_id, g.name, t.role, t.since, t.granted_by";
    const SORT: &'static str = "lower(g.name)";
    const ID: &'static str = "t.group_id";

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            group_id: GroupId(row.try_get("group_id")?),
            name: row.try_get("name")?,
            role: row.try_get("role")?,
            since: row.try_get("since")?,
            granted_by: row.try_get("granted_by")?,
        })
    }
}

/// The groups of a project, by name.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/projects/{project_id}/groups",
    operation_id = "list_project_groups", tag = "projects", params(ProjectPath, ListQuery),
    responses((status = 200, body = Page<ProjectGroup>), Refusals))]
pub(crate) async fn list_project_groups(
    State(state): State<QueryState>,
    Path(path): Path<ProjectPath>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<ProjectGroup>>, Problem> {
    viewer.must_in(&state, path.project_id, Permission::ProjectsRead).await?;
    let scope = Scope::organization(path.organization_id).project(Some(path.project_id));
    state.list_within::<Project, _>(scope, path.project_id.0, &query).await
}
