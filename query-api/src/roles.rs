//! Custom roles of an organization, and who has them.

pub mod grants;

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{Permission, RoleId};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use utoipa::ToSchema;

use crate::list::{Listed, Scope, Stream};
use crate::parameters::{
    ListQuery, OrganizationPath, PointHeaders, PointQuery, Refusals, RolePath, Unmodified,
};
use crate::state::{QueryState, Reflecting};
use crate::viewer::{Viewer, Visible};

/// A custom role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RoleView)]
pub struct Role {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub role_id: RoleId,
    /// Its name.
    pub name: String,
    /// What it allows.
    pub permissions: Vec<Permission>,
    /// Since when it has been as shown.
    pub valid_from: DateTime<Utc>,
}

impl Listed for Role {
    const NOUN: &'static str = "role";
    const FROM: &'static str = "read.roles t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.role_id, t.name, t.permissions, t.valid_from";
    const SORT: &'static str = "lower(t.name)";
    const ID: &'static str = "t.role_id";
    const STREAM: Option<Stream> = Some(Stream::Organization);

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(permissions) = row.try_get("permissions")?;
        Ok(Self {
            role_id: RoleId(row.try_get("role_id")?),
            name: row.try_get("name")?,
            permissions,
            valid_from: row.try_get("valid_from")?,
        })
    }
}

/// The custom roles, by name.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/roles",
    operation_id = "list_roles", tag = "roles", params(OrganizationPath, ListQuery),
    responses((status = 200, body = Page<Role>), Refusals))]
pub(crate) async fn list_roles(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<Role>>, Problem> {
    viewer.must(Permission::MembersRead)?;
    state.list(Scope::organization(path.organization_id), Visible::All, &query).await
}

/// A custom role.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/roles/{role_id}",
    operation_id = "get_role", tag = "roles", params(RolePath, PointQuery, PointHeaders),
    responses((status = 200, body = Role,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_role(
    State(state): State<QueryState>,
    Path(path): Path<RolePath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<Role>, Problem> {
    viewer.must(Permission::MembersRead)?;
    state.get(path.organization_id, path.role_id.0, &Visible::All, &query).await
}
