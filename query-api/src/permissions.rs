//! Why somebody may do something, or may not: through which grant, by whom and since when.

use api_conventions::{AsOf, Path, Position, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::permission::{is_of_projects, organization_role_allows, project_role_allows};
use event_schemas::{
    MemberId, OrganizationId, OrganizationRole, Permission, ProjectId, ProjectRole,
};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row as _};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::error::QueryError;
use crate::parameters::{OrganizationPath, Point, Refusals, time_or_date};
use crate::snapshot::{Projection, Rows, Snapshot};
use crate::state::{QueryState, Reflecting};
use crate::temporal::Temporal;
use crate::viewer::Viewer;

/// What it is read from.
const READS: &[Projection] = &[Projection::AccessRegister, Projection::Oversight];

/// Of whom, and what.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainQuery {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// What the log knew at this position.
    #[param(value_type = Option<i64>, minimum = 0)]
    at_position: Option<Position>,
    /// What was true at this time (RFC 3339), or at the end of this day (a date, in UTC).
    #[param(schema_with = time_or_date, required = false, example = "2026-01-31")]
    as_of: Option<AsOf>,
    /// The member.
    #[param(value_type = Uuid)]
    member: MemberId,
    /// The permission, for example `api_keys.update`.
    permission: Permission,
    /// The project in which; without one, everywhere in the organization.
    #[param(value_type = Option<Uuid>)]
    project: Option<ProjectId>,
}

impl Point for ExplainQuery {
    fn point(&self) -> (Option<AsOf>, Option<Position>, Option<Position>) {
        (self.as_of, self.at_position, self.min_position)
    }
}

/// Whether somebody may do something, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Explanation {
    /// The member.
    #[schema(value_type = Uuid)]
    pub member_id: MemberId,
    /// The name that the person is known by.
    pub login: String,
    /// The permission.
    pub permission: Permission,
    /// The project in which; null: everywhere in the organization.
    #[schema(value_type = Option<Uuid>)]
    pub project_id: Option<ProjectId>,
    /// Whether they may.
    pub allowed: bool,
    /// In a sentence.
    pub reason: String,
    /// What allows it: one would do. Where nothing was asked of a project, those of single projects
    /// are among them and do not count.
    pub grants: Vec<PermissionGrant>,
}

/// Something that allows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PermissionGrant {
    /// `role`, `custom_role` or `project_role`.
    pub kind: String,
    /// The role: a built-in one's word, a custom one's name.
    pub role: String,
    /// The group that they have it through; null where it is their own.
    pub group: Option<String>,
    /// The project that it is limited to; null where it holds everywhere.
    pub project_id: Option<Uuid>,
    /// Since when they have it.
    pub since: DateTime<Utc>,
    /// Who gave it, as `kind:id`.
    pub granted_by: String,
    /// Where it came through a group: who put them into it, as `kind:id`.
    pub added_to_group_by: Option<String>,
}

/// What is asked.
struct Asked {
    organization_id: OrganizationId,
    member_id: MemberId,
    permission: Permission,
    project_id: Option<ProjectId>,
    temporal: Temporal,
}

/// Why a member may do something, or may not, now or as of a date.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/permissions/explain",
    operation_id = "explain_permission", tag = "permissions",
    params(OrganizationPath, ExplainQuery),
    responses((status = 200, body = Explanation), Refusals))]
pub(crate) async fn explain_permission(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<ExplainQuery>,
) -> Result<Reflecting<Explanation>, Problem> {
    if viewer.member_id() != Some(query.member) {
        viewer.must(Permission::AuditRead)?;
    }
    // Of oneself nobody asks about a project that they do not see: it is not there.
    if let Some(project_id) = query.project
        && !viewer.may(Permission::AuditRead)
    {
        viewer.must_in(&state, project_id, Permission::ProjectsRead).await?;
    }
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, query.position_min()).await?;
    let asked = Asked {
        organization_id: path.organization_id,
        member_id: query.member,
        permission: query.permission,
        project_id: query.project,
        temporal: query.temporal(),
    };
    let body = explain(&mut snapshot, &asked).await?;
    Ok(Reflecting::new(snapshot.position(), body))
}

async fn explain(snapshot: &mut Snapshot, asked: &Asked) -> Result<Explanation, QueryError> {
    asked.temporal.check(snapshot)?;
    let mut member =
        select(asked, "t.login, t.suspended, t.role, t.since, t.granted_by", "read.members t");
    member.push(" and t.member_id = ").push_bind(asked.member_id.0);
    asked.temporal.push(&mut member, "t");
    let row = member.build().fetch_optional(snapshot.connection()).await?;
    let row = row.ok_or(QueryError::NotFound("member"))?;
    if let Some(project_id) = asked.project_id {
        let mut project = select(asked, "1", "read.projects t");
        project.push(" and t.project_id = ").push_bind(project_id.0);
        asked.temporal.push(&mut project, "t");
        let there = project.build().fetch_optional(snapshot.connection()).await?;
        there.ok_or(QueryError::NotFound("project"))?;
    }
    let mut grants = own_role(asked, &row)?.into_iter().collect::<Vec<_>>();
    grants.extend(group_roles(snapshot, asked).await?);
    grants.extend(custom_roles(snapshot, asked).await?);
    grants.extend(project_roles(snapshot, asked).await?);
    let suspended: bool = row.try_get("suspended")?;
    let rests = rests(snapshot, asked).await?;
    let counts = |grant: &PermissionGrant| {
        grant.project_id.is_none() || grant.project_id == asked.project_id.map(|id| id.0)
    };
    let allowed = !suspended && !rests && grants.iter().any(counts);
    let login: String = row.try_get("login")?;
    let barred = if suspended {
        Some("is suspended and may do nothing")
    } else if rests {
        Some("came in by an access of the operator, and may do nothing until somebody reviewed it")
    } else {
        None
    };
    let reason = reason(asked, &login, barred, grants.iter().find(|grant| counts(grant)));
    Ok(Explanation {
        member_id: asked.member_id,
        login,
        permission: asked.permission,
        project_id: asked.project_id,
        allowed,
        reason,
        grants,
    })
}

/// Whether the member rests: an access of the operator by which they came in, were given back or given
/// more is over, and was not reviewed.
async fn rests(snapshot: &mut Snapshot, asked: &Asked) -> Result<bool, QueryError> {
    let mut query = select(asked, "1", "read.break_glass t");
    query.push(" and t.took_in ? ").push_bind(asked.member_id.0.to_string());
    query.push(" and (t.state = 'ended' or t.state = 'open' and t.expires_at <= ");
    match asked.temporal.as_of {
        Some(time) => query.push_bind(time),
        None => query.push("now()"),
    };
    query.push(")");
    asked.temporal.push(&mut query, "t");
    Ok(query.build().fetch_optional(snapshot.connection()).await?.is_some())
}

fn reason(
    asked: &Asked,
    login: &str,
    barred: Option<&str>,
    grant: Option<&PermissionGrant>,
) -> String {
    let permission = asked.permission;
    let place = if asked.project_id.is_some() { "this project" } else { "the whole organization" };
    match grant {
        _ if barred.is_some() => format!("{login} {}.", barred.unwrap_or_default()),
        None => format!("Nothing gives {login} {permission} in {place}."),
        Some(grant) => {
            let through = match &grant.group {
                Some(group) => format!(", through the group {group}"),
                None => String::new(),
            };
            format!(
                "{login} has the role {}{through}, since {} by {}.",
                grant.role,
                grant.since.format("%Y-%m-%d"),
                grant.granted_by
            )
        }
    }
}

fn select(asked: &Asked, columns: &str, from: &str) -> QueryBuilder<'static, Postgres> {
    let mut query =
        QueryBuilder::new(format!("select {columns} from {from} where t.organization_id = "));
    query.push_bind(asked.organization_id.0);
    query
}

fn own_role(asked: &Asked, row: &PgRow) -> Result<Option<PermissionGrant>, QueryError> {
    let role: String = row.try_get("role")?;
    if !organization_allows(&role, asked.permission)? {
        return Ok(None);
    }
    Ok(Some(PermissionGrant {
        kind: "role".to_owned(),
        role,
        group: None,
        project_id: None,
        since: row.try_get("since")?,
        granted_by: row.try_get("granted_by")?,
        added_to_group_by: None,
    }))
}

async fn group_roles(
    snapshot: &mut Snapshot,
    asked: &Asked,
) -> Result<Vec<PermissionGrant>, QueryError> {
    let mut query = select(
        asked,
        "g.role, g.name as group_name, g.granted_by, greatest(g.since, t.since) as since,
         t.granted_by as added_by",
        "read.group_members t join read.groups g on g.group_id = t.group_id",
    );
    query.push(" and g.role is not null and t.member_id = ").push_bind(asked.member_id.0);
    asked.temporal.push(&mut query, "t");
    asked.temporal.push(&mut query, "g");
    query.push(" order by g.name");
    let mut grants = Vec::new();
    for row in query.build().fetch_all(snapshot.connection()).await? {
        let role: String = row.try_get("role")?;
        if organization_allows(&role, asked.permission)? {
            grants.push(through_group("role", role, None, &row)?);
        }
    }
    Ok(grants)
}

async fn custom_roles(
    snapshot: &mut Snapshot,
    asked: &Asked,
) -> Result<Vec<PermissionGrant>, QueryError> {
    let mut grants = Vec::new();
    let columns = "r.name as role, t.project_id, t.granted_by";
    let mut own = select(
        asked,
        &format!("{columns}, t.since, null::text as group_name, null::text as added_by"),
        "read.role_grants t join read.roles r on r.role_id = t.role_id",
    );
    own.push(" and t.grantee_id = ").push_bind(asked.member_id.0);
    let mut groups = select(
        asked,
        &format!(
            "{columns}, greatest(t.since, m.since) as since, g.name as group_name,
             m.granted_by as added_by"
        ),
        "read.role_grants t join read.roles r on r.role_id = t.role_id
         join read.group_members m on m.group_id = t.grantee_id
         join read.groups g on g.group_id = m.group_id",
    );
    groups.push(" and m.member_id = ").push_bind(asked.member_id.0);
    for alias in ["m", "g"] {
        asked.temporal.push(&mut groups, alias);
    }
    for mut query in [own, groups] {
        query.push(" and r.permissions ? ").push_bind(asked.permission.as_str());
        // Within a project a role gives nothing else, whatever it names.
        if !is_of_projects(asked.permission) {
            query.push(" and t.project_id is null");
        }
        for alias in ["t", "r"] {
            asked.temporal.push(&mut query, alias);
        }
        query.push(" order by r.name, t.project_id");
        for row in query.build().fetch_all(snapshot.connection()).await? {
            let project_id = row.try_get("project_id")?;
            grants.push(through_group("custom_role", row.try_get("role")?, project_id, &row)?);
        }
    }
    Ok(grants)
}

async fn project_roles(
    snapshot: &mut Snapshot,
    asked: &Asked,
) -> Result<Vec<PermissionGrant>, QueryError> {
    let mut own = select(
        asked,
        "t.role, t.project_id, t.granted_by, t.since, null::text as group_name,
         null::text as added_by",
        "read.project_members t",
    );
    own.push(" and t.member_id = ").push_bind(asked.member_id.0);
    let mut groups = select(
        asked,
        "t.role, t.project_id, t.granted_by, greatest(t.since, m.since) as since,
         g.name as group_name, m.granted_by as added_by",
        "read.project_groups t join read.group_members m on m.group_id = t.group_id
         join read.groups g on g.group_id = m.group_id",
    );
    groups.push(" and m.member_id = ").push_bind(asked.member_id.0);
    for alias in ["m", "g"] {
        asked.temporal.push(&mut groups, alias);
    }
    let mut grants = Vec::new();
    for mut query in [own, groups] {
        if let Some(project_id) = asked.project_id {
            query.push(" and t.project_id = ").push_bind(project_id.0);
        }
        asked.temporal.push(&mut query, "t");
        query.push(" order by t.project_id");
        for row in query.build().fetch_all(snapshot.connection()).await? {
            let role: String = row.try_get("role")?;
            let built_in: ProjectRole = role.parse().map_err(QueryError::unreadable)?;
            if project_role_allows(built_in, asked.permission) {
                let project_id = row.try_get("project_id")?;
                grants.push(through_group("project_role", role, Some(project_id), &row)?);
            }
        }
    }
    Ok(grants)
}

fn through_group(
    kind: &str,
    role: String,
    project_id: Option<Uuid>,
    row: &PgRow,
) -> Result<PermissionGrant, QueryError> {
    Ok(PermissionGrant {
        kind: kind.to_owned(),
        role,
        group: row.try_get("group_name")?,
        project_id,
        since: row.try_get("since")?,
        granted_by: row.try_get("granted_by")?,
        added_to_group_by: row.try_get("added_by")?,
    })
}

fn organization_allows(role: &str, permission: Permission) -> Result<bool, QueryError> {
    let role: OrganizationRole = role.parse().map_err(QueryError::unreadable)?;
    Ok(organization_role_allows(role, permission))
}
