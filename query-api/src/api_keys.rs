//! API keys of an organization. Their secrets are nowhere in a read model.

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{
    ApiKeyEvent, ApiKeyId, MemberId, Permission, ProjectId, ServiceAccountId, StreamEvent as _,
};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::list::{Listed, Scope, Stream};
use crate::parameters::{
    ApiKeyListQuery, ApiKeyPath, OrganizationPath, PointHeaders, PointQuery, Refusals, Unmodified,
};
use crate::state::{QueryState, Reflecting};
use crate::viewer::Viewer;

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ApiKeyView)]
pub struct ApiKey {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub api_key_id: ApiKeyId,
    /// The project that it works for; null for an admin key.
    #[schema(value_type = Option<Uuid>)]
    pub project_id: Option<ProjectId>,
    /// The member whose it is.
    #[schema(value_type = Option<Uuid>)]
    pub member_id: Option<MemberId>,
    /// The service account whose it is.
    #[schema(value_type = Option<Uuid>)]
    pub service_account_id: Option<ServiceAccountId>,
    /// Its name.
    pub name: String,
    /// The secret's beginning and end, to recognise it by.
    pub redacted: String,
    /// `active`, `revoked` or `expired`.
    pub state: String,
    /// Until when it works.
    pub expires_at: Option<DateTime<Utc>>,
    /// By when its secret should be rotated.
    pub rotation_due_at: Option<DateTime<Utc>>,
    /// How many days after each rotation the next is due, where that is settled.
    pub rotation_days: Option<i32>,
    /// What it is limited to, of what its owner may do; null for all of it.
    #[schema(value_type = Option<Vec<Permission>>)]
    pub scopes: Option<Vec<Permission>>,
    /// When its secret was rotated last.
    pub rotated_at: Option<DateTime<Utc>>,
    /// Whether somebody else than its owner can know its secret: whoever made or rotated it for them. It
    /// is not taken where a second person counts.
    pub shared: bool,
    /// The other members who were shown its secret. A member's key opens nothing that one of these may
    /// not do, and nothing at all while one of them may not act.
    #[schema(value_type = Vec<Uuid>)]
    pub secret_shown_to: Vec<MemberId>,
    /// Who made it, as `kind:id`.
    pub created_by: String,
    /// Since when it has been as shown.
    pub valid_from: DateTime<Utc>,
}

impl Listed for ApiKey {
    const NOUN: &'static str = "API key";
    const FROM: &'static str = "read.api_keys t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.api_key_id, t.project_id, t.member_id, t.service_account_id, \
         t.name, t.redacted, t.state, t.expires_at, t.rotation_due_at, t.rotation_days, t.scopes, \
         t.rotated_at, t.shared, t.secret_shown_to, t.created_by, t.valid_from";
    const SORT: &'static str = "lower(t.name)";
    const ID: &'static str = "t.api_key_id";
    const STREAM: Option<Stream> = Some(Stream::Own(ApiKeyEvent::STREAM));
    const PROJECT: Option<&'static str> = Some("t.project_id");
    const OWNER: Option<&'static str> = Some("t.member_id");

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let service_account_id: Option<Uuid> = row.try_get("service_account_id")?;
        let member_id: Option<Uuid> = row.try_get("member_id")?;
        Ok(Self {
            api_key_id: ApiKeyId(row.try_get("api_key_id")?),
            project_id: row.try_get::<Option<Uuid>, _>("project_id")?.map(ProjectId),
            member_id: member_id.map(MemberId),
            service_account_id: service_account_id.map(ServiceAccountId),
            name: row.try_get("name")?,
            redacted: row.try_get("redacted")?,
            state: row.try_get("state")?,
            expires_at: row.try_get("expires_at")?,
            rotation_due_at: row.try_get("rotation_due_at")?,
            rotation_days: row.try_get("rotation_days")?,
            scopes: row.try_get::<Option<Json<_>>, _>("scopes")?.map(|Json(scopes)| scopes),
            rotated_at: row.try_get("rotated_at")?,
            shared: row.try_get("shared")?,
            secret_shown_to: row.try_get::<Json<_>, _>("secret_shown_to")?.0,
            created_by: row.try_get("created_by")?,
            valid_from: row.try_get("valid_from")?,
        })
    }
}

/// The API keys, by name, whatever their state.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/api-keys",
    operation_id = "list_api_keys", tag = "API keys", params(OrganizationPath, ApiKeyListQuery),
    responses((status = 200, body = Page<ApiKey>), Refusals))]
pub(crate) async fn list_api_keys(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<ApiKeyListQuery>,
) -> Result<Reflecting<Page<ApiKey>>, Problem> {
    let scope = Scope {
        project_id: query.project_id,
        member_id: query.member_id,
        service_account_id: query.service_account_id,
        ..Scope::organization(path.organization_id)
    }
    .state(query.state);
    let visible = viewer.visible(&state, Permission::ApiKeysRead).await?;
    state.list(scope, visible, &query.list()).await
}

/// An API key.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/api-keys/{api_key_id}",
    operation_id = "get_api_key", tag = "API keys", params(ApiKeyPath, PointQuery, PointHeaders),
    responses((status = 200, body = ApiKey,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_api_key(
    State(state): State<QueryState>,
    Path(path): Path<ApiKeyPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<ApiKey>, Problem> {
    let visible = viewer.visible(&state, Permission::ApiKeysRead).await?;
    state.get(path.organization_id, path.api_key_id.0, &visible, &query).await
}
