//! Members of a project.

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{MemberId, Permission};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;

use crate::list::{Listed, Scope};
use crate::parameters::{ListQuery, ProjectPath, Refusals};
use crate::projects::Project;
use crate::state::{QueryState, Reflecting};
use crate::viewer::Viewer;

/// A member of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProjectMemberView)]
pub struct ProjectMember {
    /// The member.
    #[schema(value_type = Uuid)]
    pub member_id: MemberId,
    /// The name that the person is known by.
    pub login: String,
    /// The role in the project.
    pub role: String,
    /// Since when the role is held.
    pub since: DateTime<Utc>,
    /// Who gave the role, as `kind:id`.
    pub granted_by: String,
}

impl Listed for ProjectMember {
    const NOUN: &'static str = "project member";
    const FROM: &'static str =
        "read.project_members t join read.members m on m.member_id = t.member_id";
    const ALIASES: &'static [&'static str] = &["t", "m"];
    const COLUMNS: &'static str = "t.member_id, m.login, t.role, t.since, t.granted_by";
    const SORT: &'static str = "lower(m.login)";
    const ID: &'static str = "t.member_id";

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            member_id: MemberId(row.try_get("member_id")?),
            login: row.try_get("login")?,
            role: row.try_get("role")?,
            since: row.try_get("since")?,
            granted_by: row.try_get("granted_by")?,
        })
    }
}

/// The members of a project, by login.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/projects/{project_id}/members",
    operation_id = "list_project_members", tag = "projects", params(ProjectPath, ListQuery),
    responses((status = 200, body = Page<ProjectMember>), Refusals))]
pub(crate) async fn list_project_members(
    State(state): State<QueryState>,
    Path(path): Path<ProjectPath>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<ProjectMember>>, Problem> {
    viewer.must_in(&state, path.project_id, Permission::ProjectsRead).await?;
    let scope = Scope::organization(path.organization_id).project(Some(path.project_id));
    state.list_within::<Project, _>(scope, path.project_id.0, &query).await
}
