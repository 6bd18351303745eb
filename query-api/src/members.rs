//! Members of an organization.

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{MemberId, Permission};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;

use crate::list::{Listed, Scope, Stream};
use crate::parameters::{
    MemberListQuery, MemberPath, OrganizationPath, PointHeaders, PointQuery, Refusals, Unmodified,
};
use crate::state::{QueryState, Reflecting};
use crate::viewer::Viewer;

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MemberView)]
pub struct Member {
    /// The membership: a person who comes back is a new member.
    #[schema(value_type = Uuid)]
    pub member_id: MemberId,
    /// The name that the person is known by.
    pub login: String,
    /// The person's address.
    pub email: Option<String>,
    /// The role in the organization.
    pub role: String,
    /// Whether access is suspended.
    pub suspended: bool,
    /// Since when the role is held.
    pub since: DateTime<Utc>,
    /// Who gave the role, as `kind:id`.
    pub granted_by: String,
    /// Since when the member has been as shown.
    pub valid_from: DateTime<Utc>,
}

impl Listed for Member {
    const NOUN: &'static str = "member";
    const FROM: &'static str = "read.members t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str =
        "t.member_id, t.login, t.email, t.role, t.suspended, t.since, t.granted_by, t.valid_from";
    const SORT: &'static str = "lower(t.login)";
    const ID: &'static str = "t.member_id";
    const STREAM: Option<Stream> = Some(Stream::Organization);
    const OWNER: Option<&'static str> = Some("t.member_id");

    const STATE: &'static str = "case when t.suspended then 'suspended' else 'active' end";

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            member_id: MemberId(row.try_get("member_id")?),
            login: row.try_get("login")?,
            email: row.try_get("email")?,
            role: row.try_get("role")?,
            suspended: row.try_get("suspended")?,
            since: row.try_get("since")?,
            granted_by: row.try_get("granted_by")?,
            valid_from: row.try_get("valid_from")?,
        })
    }
}

/// The members, by login.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/members",
    operation_id = "list_members", tag = "members", params(OrganizationPath, MemberListQuery),
    responses((status = 200, body = Page<Member>), Refusals))]
pub(crate) async fn list_members(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<MemberListQuery>,
) -> Result<Reflecting<Page<Member>>, Problem> {
    let visible = viewer.visible_own(Permission::MembersRead);
    let scope = Scope::organization(path.organization_id).state(query.state);
    state.list(scope, visible, &query.list()).await
}

/// A member.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/members/{member_id}",
    operation_id = "get_member", tag = "members", params(MemberPath, PointQuery, PointHeaders),
    responses((status = 200, body = Member,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_member(
    State(state): State<QueryState>,
    Path(path): Path<MemberPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<Member>, Problem> {
    let visible = viewer.visible_own(Permission::MembersRead);
    state.get(path.organization_id, path.member_id.0, &visible, &query).await
}
