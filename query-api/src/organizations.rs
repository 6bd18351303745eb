//! Organizations.

use std::str::FromStr;

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{OrganizationId, Permission};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::QueryError;
use crate::list::{self, Listed, Listing, Scope, Stream};
use crate::parameters::{
    ListQuery, OrganizationPath, Point as _, PointHeaders, PointQuery, Refusals, Unmodified,
};
use crate::snapshot::{Rows, Snapshot};
use crate::state::{QueryState, Reflecting};
use crate::temporal::Temporal;
use crate::viewer::{AnyViewer, Viewer, Visible};

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OrganizationView)]
pub struct Organization {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub organization_id: OrganizationId,
    /// Its name.
    pub name: String,
    /// How many members it may have; null for any number.
    pub seat_limit: Option<i32>,
    /// Since when it has been as it is shown.
    pub valid_from: DateTime<Utc>,
}

impl Listed for Organization {
    const NOUN: &'static str = "organization";
    const FROM: &'static str = "read.organizations t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.organization_id, t.name, t.seat_limit, t.valid_from";
    const SORT: &'static str = "lower(t.name)";
    const ID: &'static str = "t.organization_id";
    const STREAM: Option<Stream> = Some(Stream::Organization);

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            organization_id: OrganizationId(row.try_get("organization_id")?),
            name: row.try_get("name")?,
            seat_limit: row.try_get("seat_limit")?,
            valid_from: row.try_get("valid_from")?,
        })
    }
}

/// An organization, by what a person calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrganizationRef {
    /// By its id.
    Id(OrganizationId),
    /// By its name, compared without case.
    Name(String),
}

impl FromStr for OrganizationRef {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Id))
    }
}

/// The organization and its latest name, whether it is still there or was archived.
pub async fn find(
    snapshot: &mut Snapshot,
    reference: &OrganizationRef,
) -> Result<(OrganizationId, String), QueryError> {
    let (id, name) = match reference {
        OrganizationRef::Id(id) => (Some(id.0), None),
        OrganizationRef::Name(name) => (None, Some(name)),
    };
    // The latest row of each, then those of that name: a former name is nobody's. Of two of one
    // name the one that is still there comes first.
    let found: Option<(Uuid, String)> = sqlx::query_as(
        "select organization_id, name from (
             select distinct on (organization_id) organization_id, name, valid_to, valid_from
             from read.organizations
             where $1::uuid is null or organization_id = $1
             order by organization_id, (known_to is null) desc, valid_from desc, known_from desc
         ) latest
         where $2::text is null or lower(name) = lower($2)
         order by (valid_to is null) desc, valid_from desc limit 1",
    )
    .bind(id)
    .bind(name)
    .fetch_optional(snapshot.connection())
    .await?;
    found
        .map(|(id, name)| (OrganizationId(id), name))
        .ok_or(QueryError::NotFound(Organization::NOUN))
}

/// Refuses an organization that the log had never heard of at that position.
pub(crate) async fn check_exists(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    temporal: Temporal,
) -> Result<(), QueryError> {
    let exists: bool = sqlx::query_scalar(
        "select exists (select from read.organizations
         where organization_id = $1 and known_from <= $2)",
    )
    .bind(organization_id.0)
    .bind(temporal.at_position.unwrap_or(i64::MAX))
    .fetch_one(snapshot.connection())
    .await?;
    if exists { Ok(()) } else { Err(QueryError::NotFound(Organization::NOUN)) }
}

/// The organizations, by name.
#[utoipa::path(get, path = "/v1/organizations", operation_id = "list_organizations",
    tag = "organizations", params(ListQuery),
    responses((status = 200, body = Page<Organization>), Refusals))]
pub(crate) async fn list_organizations(
    State(state): State<QueryState>,
    viewer: AnyViewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<Organization>>, Problem> {
    let scope = Scope { organization_id: viewer.only_organization(), ..Scope::default() };
    state.list(scope, Visible::All, &query).await
}

/// An organization.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}", operation_id = "get_organization",
    tag = "organizations", params(OrganizationPath, PointQuery, PointHeaders),
    responses((status = 200, body = Organization,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_organization(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<Organization>, Problem> {
    viewer.must(Permission::OrganizationRead)?;
    let id = path.organization_id;
    state.get(id, id.0, &Visible::All, &query).await
}

impl QueryState {
    /// Answers a list's request.
    pub(crate) async fn list<T: Listed>(
        &self,
        scope: Scope,
        visible: Visible,
        query: &ListQuery,
    ) -> Result<Reflecting<Page<T>>, Problem> {
        let listing = Listing::new(scope, query.temporal(), query.limit, query.cursor.as_ref())?
            .visible(visible);
        let position_min = listing.position_min().max(query.position_min());
        let rows = scope.organization_id.map_or(Rows::All, Rows::Of);
        let mut snapshot = self.snapshot(rows, T::READS, position_min).await?;
        let body = list::list(&mut snapshot, &listing).await?;
        Ok(Reflecting::page(snapshot.position(), body))
    }

    /// Answers a request for the list of what is within another thing, which must be there.
    pub(crate) async fn list_within<P: Listed, T: Listed>(
        &self,
        scope: Scope,
        parent: Uuid,
        query: &ListQuery,
    ) -> Result<Reflecting<Page<T>>, Problem> {
        let listing = Listing::new(scope, query.temporal(), query.limit, query.cursor.as_ref())?;
        let position_min = listing.position_min().max(query.position_min());
        let rows = scope.organization_id.map_or(Rows::All, Rows::Of);
        let mut snapshot = self.snapshot(rows, T::READS, position_min).await?;
        if let Some(organization_id) = scope.organization_id {
            let temporal = listing.temporal();
            list::get::<P>(&mut snapshot, organization_id, parent, temporal, &Visible::All).await?;
        }
        let body = list::list(&mut snapshot, &listing).await?;
        Ok(Reflecting::page(snapshot.position(), body))
    }

    /// Answers a request for one thing.
    pub(crate) async fn get<T: Listed>(
        &self,
        organization_id: OrganizationId,
        id: Uuid,
        visible: &Visible,
        query: &PointQuery,
    ) -> Result<Reflecting<T>, Problem> {
        let rows = Rows::Of(organization_id);
        let mut snapshot = self.snapshot(rows, T::READS, query.position_min()).await?;
        let temporal = query.temporal();
        let body = list::get::<T>(&mut snapshot, organization_id, id, temporal, visible).await?;
        let sequence = list::sequence::<T>(&mut snapshot, organization_id, id, temporal).await?;
        Ok(Reflecting::new(snapshot.position(), body).at(sequence))
    }
}
