//! Who has which custom role: members and groups, everywhere or within a project.

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{GroupId, MemberId, Permission, ProjectId, RoleId};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Role;
use crate::list::{Listed, Scope};
use crate::parameters::{OrganizationPath, Refusals, RoleGrantListQuery, RolePath};
use crate::state::{QueryState, Reflecting};
use crate::viewer::{Viewer, Visible};

/// A custom role that somebody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RoleGrantView)]
pub struct RoleGrant {
    /// The role.
    #[schema(value_type = Uuid)]
    pub role_id: RoleId,
    /// Its name.
    pub role: String,
    /// The member who has it; null where it is a group.
    #[schema(value_type = Option<Uuid>)]
    pub member_id: Option<MemberId>,
    /// The group that has it; null where it is a member.
    #[schema(value_type = Option<Uuid>)]
    pub group_id: Option<GroupId>,
    /// Within which project; null for everywhere in the organization.
    #[schema(value_type = Option<Uuid>)]
    pub project_id: Option<ProjectId>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who granted it, as `kind:id`.
    pub granted_by: String,
}

impl Listed for RoleGrant {
    const NOUN: &'static str = "role grant";
    const FROM: &'static str = "read.role_grants t join read.roles r on r.role_id = t.role_id";
    const ALIASES: &'static [&'static str] = &["t", "r"];
    const COLUMNS: &'static str = "t.role_id, r.name as role, t.grantee_id, t.grantee_kind, \
                                   t.project_id, t.since, t.granted_by";
    // With the id, the same for no two of them.
    const SORT: &'static str =
        "lower(r.name) || ' ' || t.role_id || coalesce(' ' || t.project_id::text, '')";
    const ID: &'static str = "t.grantee_id";
    const MEMBER: &'static str = "t.grantee_id";
    const GROUP: &'static str = "t.grantee_id";

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let grantee: Uuid = row.try_get("grantee_id")?;
        let is_group = row.try_get::<String, _>("grantee_kind")? == "group";
        Ok(Self {
            role_id: RoleId(row.try_get("role_id")?),
            role: row.try_get("role")?,
            member_id: (!is_group).then_some(MemberId(grantee)),
            group_id: is_group.then_some(GroupId(grantee)),
            project_id: row.try_get::<Option<Uuid>, _>("project_id")?.map(ProjectId),
            since: row.try_get("since")?,
            granted_by: row.try_get("granted_by")?,
        })
    }
}

impl RoleGrantListQuery {
    fn scope(&self, scope: Scope) -> Scope {
        let Self { member_id, group_id, project_id, .. } = *self;
        Scope { project_id, member_id, group_id, ..scope }
    }
}

/// Who has which custom role, by the role's name.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/role-grants",
    operation_id = "list_all_role_grants", tag = "roles", params(OrganizationPath, RoleGrantListQuery),
    responses((status = 200, body = Page<RoleGrant>), Refusals))]
pub(crate) async fn list_all_grants(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<RoleGrantListQuery>,
) -> Result<Reflecting<Page<RoleGrant>>, Problem> {
    viewer.must(Permission::MembersRead)?;
    let scope = query.scope(Scope::organization(path.organization_id));
    state.list(scope, Visible::All, &query.list()).await
}

/// Who has a custom role.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/roles/{role_id}/grants",
    operation_id = "list_role_grants", tag = "roles", params(RolePath, RoleGrantListQuery),
    responses((status = 200, body = Page<RoleGrant>), Refusals))]
pub(crate) async fn list_role_grants(
    State(state): State<QueryState>,
    Path(path): Path<RolePath>,
    viewer: Viewer,
    Query(query): Query<RoleGrantListQuery>,
) -> Result<Reflecting<Page<RoleGrant>>, Problem> {
    viewer.must(Permission::MembersRead)?;
    let scope = query.scope(Scope::organization(path.organization_id));
    let scope = Scope { role_id: Some(path.role_id), ..scope };
    state.list_within::<Role, _>(scope, path.role_id.0, &query.list()).await
}
