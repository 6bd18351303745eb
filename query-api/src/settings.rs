//! What an organization has settled for itself. Each is answered as the command that replaces it
//! takes it.

use api_conventions::{Path, Problem, Query};
use axum::extract::State;
use event_schemas::{OrganizationSettings, Permission, SecuritySettings};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;

use crate::list::{Listed, Stream};
use crate::parameters::{OrganizationPath, PointHeaders, PointQuery, Refusals, Unmodified};
use crate::state::{QueryState, Reflecting};
use crate::viewer::{Viewer, Visible};

/// An organization's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Settings(pub OrganizationSettings);

/// Who vouches for an organization's people, and what needs two of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Security(pub SecuritySettings);

impl Listed for Settings {
    const NOUN: &'static str = "organization";
    const FROM: &'static str = "read.organizations t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.settings";
    const SORT: &'static str = "lower(t.name)";
    const ID: &'static str = "t.organization_id";
    const STREAM: Option<Stream> = Some(Stream::Organization);

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(settings) = row.try_get("settings")?;
        Ok(Self(settings))
    }
}

impl Listed for Security {
    const NOUN: &'static str = "organization";
    const FROM: &'static str = "read.organizations t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.security";
    const SORT: &'static str = "lower(t.name)";
    const ID: &'static str = "t.organization_id";
    const STREAM: Option<Stream> = Some(Stream::Organization);

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let Json(security) = row.try_get("security")?;
        Ok(Self(security))
    }
}

/// What the organization has settled for itself.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/settings",
    operation_id = "get_organization_settings", tag = "organizations",
    params(OrganizationPath, PointQuery, PointHeaders),
    responses((status = 200, body = OrganizationSettings,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_organization_settings(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<Settings>, Problem> {
    viewer.must(Permission::OrganizationRead)?;
    let id = path.organization_id;
    state.get(id, id.0, &Visible::All, &query).await
}

/// Who vouches for people signing in, and what needs a second person's approval.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/security",
    operation_id = "get_security_settings", tag = "organizations",
    params(OrganizationPath, PointQuery, PointHeaders),
    responses((status = 200, body = SecuritySettings,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_security_settings(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<Security>, Problem> {
    viewer.must(Permission::OrganizationRead)?;
    let id = path.organization_id;
    state.get(id, id.0, &Visible::All, &query).await
}
