//! Service accounts of an organization.

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{
    Permission, ProjectId, ServiceAccountEvent, ServiceAccountId, StreamEvent as _,
};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;

use crate::list::{Listed, Scope, Stream};
use crate::parameters::{
    OrganizationPath, PointHeaders, PointQuery, Refusals, ServiceAccountListQuery,
    ServiceAccountPath, Unmodified,
};
use crate::state::{QueryState, Reflecting};
use crate::viewer::Viewer;

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ServiceAccountView)]
pub struct ServiceAccount {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub service_account_id: ServiceAccountId,
    /// The project that it works for.
    #[schema(value_type = Uuid)]
    pub project_id: ProjectId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: Option<String>,
    /// Whether its keys are refused.
    pub disabled: bool,
    /// Who made it, as `kind:id`.
    pub created_by: String,
    /// Since when it has been as shown.
    pub valid_from: DateTime<Utc>,
}

impl Listed for ServiceAccount {
    const NOUN: &'static str = "service account";
    const FROM: &'static str = "read.service_accounts t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.service_account_id, t.project_id, t.name, t.purpose, \
                                   t.disabled, t.created_by, t.valid_from";
    const SORT: &'static str = "lower(t.name)";
    const ID: &'static str = "t.service_account_id";
    const STREAM: Option<Stream> = Some(Stream::Own(ServiceAccountEvent::STREAM));
    const PROJECT: Option<&'static str> = Some("t.project_id");

    const STATE: &'static str = "case when t.disabled then 'disabled' else 'active' end";

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            service_account_id: ServiceAccountId(row.try_get("service_account_id")?),
            project_id: ProjectId(row.try_get("project_id")?),
            name: row.try_get("name")?,
            purpose: row.try_get("purpose")?,
            disabled: row.try_get("disabled")?,
            created_by: row.try_get("created_by")?,
            valid_from: row.try_get("valid_from")?,
        })
    }
}

/// The service accounts, by name.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/service-accounts",
    operation_id = "list_service_accounts", tag = "service accounts",
    params(OrganizationPath, ServiceAccountListQuery),
    responses((status = 200, body = Page<ServiceAccount>), Refusals))]
pub(crate) async fn list_service_accounts(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<ServiceAccountListQuery>,
) -> Result<Reflecting<Page<ServiceAccount>>, Problem> {
    let scope = Scope::organization(path.organization_id);
    let scope = scope.project(query.project_id).state(query.state);
    let visible = viewer.visible(&state, Permission::ServiceAccountsRead).await?;
    state.list(scope, visible, &query.list()).await
}

/// A service account.
#[utoipa::path(get,
    path = "/v1/organizations/{organization_id}/service-accounts/{service_account_id}",
    operation_id = "get_service_account", tag = "service accounts",
    params(ServiceAccountPath, PointQuery, PointHeaders),
    responses((status = 200, body = ServiceAccount,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_service_account(
    State(state): State<QueryState>,
    Path(path): Path<ServiceAccountPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<ServiceAccount>, Problem> {
    let visible = viewer.visible(&state, Permission::ServiceAccountsRead).await?;
    state.get(path.organization_id, path.service_account_id.0, &visible, &query).await
}
