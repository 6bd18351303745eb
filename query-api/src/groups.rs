//! Groups of an organization, and who is in them.

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{GroupId, MemberId, Permission};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;

use crate::list::{self, Listed, Listing, Scope, Stream};
use crate::parameters::{
    GroupPath, ListQuery, OrganizationPath, Point as _, PointHeaders, PointQuery, Refusals,
    Unmodified,
};
use crate::snapshot::Rows;
use crate::state::{QueryState, Reflecting};
use crate::viewer::{Viewer, Visible};

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = GroupView)]
pub struct Group {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub group_id: GroupId,
    /// Its name.
    pub name: String,
    /// The role in the organization that its members inherit, where there is one.
    pub role: Option<String>,
    /// Since when it is inherited, or the group is there.
    pub since: DateTime<Utc>,
    /// Who gave it, as `kind:id`.
    pub granted_by: String,
    /// Since when it has been as shown.
    pub valid_from: DateTime<Utc>,
}

/// A group, with who is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GroupWithMembers {
    /// The group.
    #[serde(flatten)]
    pub group: Group,
    /// The first page of its members, by login; the list of them takes its cursor.
    pub members: Page<GroupMember>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = GroupMemberView)]
pub struct GroupMember {
    /// The member.
    #[schema(value_type = Uuid)]
    pub member_id: MemberId,
    /// The name that the person is known by.
    pub login: String,
    /// Since when they are in it.
    pub since: DateTime<Utc>,
    /// Who put them there, as `kind:id`.
    pub granted_by: String,
}

impl Listed for Group {
    const NOUN: &'static str = "group";
    const FROM: &'static str = "read.groups t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.group_id, t.name, t.role, t.since, t.granted_by, t.valid_from";
    const SORT: &'static str = "lower(t.name)";
    const ID: &'static str = "t.group_id";
    const STREAM: Option<Stream> = Some(Stream::Organization);

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            group_id: GroupId(row.try_get("group_id")?),
            name: row.try_get("name")?,
            role: row.try_get("role")?,
            since: row.try_get("since")?,
            granted_by: row.try_get("granted_by")?,
            valid_from: row.try_get("valid_from")?,
        })
    }
}

impl Listed for GroupMember {
    const NOUN: &'static str = "group member";
    const FROM: &'static str =
        "read.group_members t join read.members m on m.member_id = t.member_id";
    const ALIASES: &'static [&'static str] = &["t", "m"];
    const COLUMNS: &'static str = "t.member_id, m.login, t.since, t.granted_by";
    const SORT: &'static str = "lower(m.login)";
    const ID: &'static str = "t.member_id";

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            member_id: MemberId(row.try_get("member_id")?),
            login: row.try_get("login")?,
            since: row.try_get("since")?,
            granted_by: row.try_get("granted_by")?,
        })
    }
}

/// The groups, by name.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/groups",
    operation_id = "list_groups", tag = "groups", params(OrganizationPath, ListQuery),
    responses((status = 200, body = Page<Group>), Refusals))]
pub(crate) async fn list_groups(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<Group>>, Problem> {
    viewer.must(Permission::MembersRead)?;
    state.list(Scope::organization(path.organization_id), Visible::All, &query).await
}

/// A group, with the first of its members.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/groups/{group_id}",
    operation_id = "get_group", tag = "groups", params(GroupPath, PointQuery, PointHeaders),
    responses((status = 200, body = GroupWithMembers,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_group(
    State(state): State<QueryState>,
    Path(path): Path<GroupPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<GroupWithMembers>, Problem> {
    viewer.must(Permission::MembersRead)?;
    let listing = Listing::new(members_of(&path), query.temporal(), None, None)?;
    let (organization_id, id) = (path.organization_id, path.group_id.0);
    let rows = Rows::Of(organization_id);
    let mut snapshot = state.snapshot(rows, Group::READS, query.position_min()).await?;
    let temporal = query.temporal();
    let group = list::get(&mut snapshot, organization_id, id, temporal, &Visible::All).await?;
    let members = list::list(&mut snapshot, &listing).await?;
    let sequence = list::sequence::<Group>(&mut snapshot, organization_id, id, temporal).await?;
    let body = GroupWithMembers { group, members };
    Ok(Reflecting::new(snapshot.position(), body).at(sequence))
}

/// The members of a group, by login.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/groups/{group_id}/members",
    operation_id = "list_group_members", tag = "groups", params(GroupPath, ListQuery),
    responses((status = 200, body = Page<GroupMember>), Refusals))]
pub(crate) async fn list_group_members(
    State(state): State<QueryState>,
    Path(path): Path<GroupPath>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<GroupMember>>, Problem> {
    viewer.must(Permission::MembersRead)?;
    state.list_within::<Group, _>(members_of(&path), path.group_id.0, &query).await
}

fn members_of(path: &GroupPath) -> Scope {
    Scope { group_id: Some(path.group_id), ..Scope::organization(path.organization_id) }
}
