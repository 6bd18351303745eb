//! Invites to an organization.

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{InviteId, Permission, ProjectId};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use utoipa::ToSchema;

use crate::list::{Listed, Scope, Stream};
use crate::parameters::{
    InviteListQuery, InvitePath, OrganizationPath, PointHeaders, PointQuery, Refusals, Unmodified,
};
use crate::state::{QueryState, Reflecting};
use crate::viewer::{Viewer, Visible};

/// An invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = InviteView)]
pub struct Invite {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub invite_id: InviteId,
    /// The address invited.
    pub email: String,
    /// The role that accepting it gives.
    pub role: String,
    /// The project roles that accepting it gives.
    pub projects: Vec<InvitedProject>,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
    /// What became of it: `open`, `accepted`, `revoked` or `expired`.
    pub state: String,
    /// Who invited, as `kind:id`.
    pub invited_by: String,
    /// Since when it has been in that state.
    pub valid_from: DateTime<Utc>,
}

/// A project role that an invite carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvitedProject {
    /// The project.
    #[schema(value_type = Uuid)]
    pub project_id: ProjectId,
    /// The role in it.
    pub role: String,
}

impl Listed for Invite {
    const NOUN: &'static str = "invite";
    const FROM: &'static str = "read.invites t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.invite_id, t.email, t.role, t.projects, t.expires_at, t.state, \
                                   t.invited_by, t.valid_from";
    const SORT: &'static str = "lower(t.email)";
    const ID: &'static str = "t.invite_id";
    const STREAM: Option<Stream> = Some(Stream::Organization);

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(projects) = row.try_get("projects")?;
        Ok(Self {
            invite_id: InviteId(row.try_get("invite_id")?),
            email: row.try_get("email")?,
            role: row.try_get("role")?,
            projects,
            expires_at: row.try_get("expires_at")?,
            state: row.try_get("state")?,
            invited_by: row.try_get("invited_by")?,
            valid_from: row.try_get("valid_from")?,
        })
    }
}

/// The invites, by address, whatever became of them.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/invites",
    operation_id = "list_invites", tag = "invites", params(OrganizationPath, InviteListQuery),
    responses((status = 200, body = Page<Invite>), Refusals))]
pub(crate) async fn list_invites(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<InviteListQuery>,
) -> Result<Reflecting<Page<Invite>>, Problem> {
    viewer.must(Permission::MembersRead)?;
    let scope = Scope::organization(path.organization_id).state(query.state);
    state.list(scope, Visible::All, &query.list()).await
}

/// An invite, whatever became of it.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/invites/{invite_id}",
    operation_id = "get_invite", tag = "invites", params(InvitePath, PointQuery, PointHeaders),
    responses((status = 200, body = Invite,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_invite(
    State(state): State<QueryState>,
    Path(path): Path<InvitePath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<Invite>, Problem> {
    viewer.must(Permission::MembersRead)?;
    state.get(path.organization_id, path.invite_id.0, &Visible::All, &query).await
}
