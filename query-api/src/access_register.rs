//! The access register: who may do what, since when and by whom, as of any time.

mod filter;
mod held;
mod rows;

use api_conventions::{Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{MemberId, OrganizationId, Permission, ProjectId, ServiceAccountId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::QueryError;
use crate::organizations::{self, OrganizationRef};
use crate::parameters::{OrganizationPath, Point as _, Refusals, RegisterQuery};
use crate::snapshot::{Projection, Rows, Snapshot};
use crate::state::{QueryState, Reflecting};
use crate::temporal::Temporal;
use crate::viewer::Viewer;

pub use filter::RegisterFilter;

/// The most rows of each kind in one register: memory stays bounded. Beyond it, ask for one
/// organization at a time.
pub const ROWS_MAX: usize = 250_000;

/// Which register.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessRegisterQuery {
    /// Of this organization; without one, of all.
    pub organization: Option<OrganizationRef>,
    /// When.
    pub temporal: Temporal,
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccessRegister {
    /// When it was so: what was asked, else when the log learned of the event at `position`.
    pub as_of: Option<DateTime<Utc>>,
    /// The position of the log that it reflects.
    pub position: i64,
    /// The organizations, by name.
    pub organizations: Vec<RegisterOrganization>,
}

/// An organization's register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RegisterOrganization {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub organization_id: OrganizationId,
    /// Its name.
    pub name: String,
    /// Its members, by login.
    pub people: Vec<RegisterPerson>,
    /// Its service accounts, by name.
    pub service_accounts: Vec<RegisterServiceAccount>,
}

/// A member in the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RegisterPerson {
    /// The membership.
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
    /// Roles in the organization beyond that: what is inherited from groups, and custom roles. Left
    /// out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub further_roles: Vec<RegisterRole>,
    /// The names of the groups that they are in. Left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub groups: Vec<String>,
    /// The roles in projects, by the project's name.
    pub projects: Vec<RegisterProject>,
    /// Since when the role in the organization is held.
    pub since: DateTime<Utc>,
    /// Who gave it, as `kind:id`.
    pub granted_by: String,
    /// When the access was last reviewed; null until it has been.
    pub last_review: Option<DateTime<Utc>>,
}

/// A role in the organization that somebody has beside their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RegisterRole {
    /// The role's name.
    pub role: String,
    /// Whether it is one that the organization has defined.
    pub custom: bool,
    /// The name of the group through which they have it; left out where it is granted to themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Since when they have it: since both the group has it and they are in the group.
    pub since: DateTime<Utc>,
    /// Who brought that about, as `kind:id`.
    pub granted_by: String,
}

/// A role in a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RegisterProject {
    /// The project's name.
    pub name: String,
    /// The role in it.
    pub role: String,
    /// Whether it is one that the organization has defined; left out where it is not.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    pub custom: bool,
    /// The name of the group through which they have it; left out where they have it themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The project.
    #[serde(skip)]
    pub project_id: ProjectId,
    /// Since when it is held. The project's members say so too, with their positions.
    #[serde(skip)]
    pub since: DateTime<Utc>,
    /// Who gave it, as `kind:id`.
    #[serde(skip)]
    pub granted_by: String,
}

/// A service account in the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RegisterServiceAccount {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub service_account_id: ServiceAccountId,
    /// Its name.
    pub name: String,
    /// The project that it works for.
    #[serde(skip)]
    pub project_id: ProjectId,
    /// The name of the project that it works for.
    pub project: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// Whether its keys are refused.
    pub disabled: bool,
    /// Its keys, by name, whatever their state.
    pub keys: Vec<RegisterKey>,
}

/// A service account's key in the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RegisterKey {
    /// Its name.
    pub name: String,
    /// The secret's beginning and end.
    pub redacted: String,
    /// `active`, `revoked` or `expired`.
    pub state: String,
    /// Until when it works.
    pub expires_at: Option<DateTime<Utc>>,
    /// By when its secret should be rotated.
    pub rotation_due_at: Option<DateTime<Utc>>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_false(is: &bool) -> bool {
    !is
}

/// The register. An organization that is not there at that time has none; one that never was there
/// is not found.
pub async fn access_register(
    snapshot: &mut Snapshot,
    query: &AccessRegisterQuery,
) -> Result<AccessRegister, QueryError> {
    query.temporal.check(snapshot)?;
    let temporal = query.temporal.simplified(snapshot);
    let organizations =
        rows::organizations(snapshot, query.organization.as_ref(), temporal).await?;
    let organizations = match (&query.organization, &organizations[..]) {
        (Some(reference), []) => {
            let (organization_id, _) = organizations::find(snapshot, reference).await?;
            organizations::check_exists(snapshot, organization_id, query.temporal).await?;
            organizations
        }
        (Some(_), [organization]) => {
            let only = Some(organization.organization_id);
            rows::fill(snapshot, organizations, only, temporal).await?
        }
        _ => rows::fill(snapshot, organizations, None, temporal).await?,
    };
    let recorded_at = snapshot.recorded_at().filter(|_| temporal.at_position.is_none());
    Ok(AccessRegister {
        as_of: query.temporal.as_of.or(recorded_at),
        position: query.temporal.at_position.unwrap_or(snapshot.position()),
        organizations,
    })
}

/// The access register of an organization.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/access-register",
    operation_id = "get_organization_access_register", tag = "access register",
    params(OrganizationPath, RegisterQuery),
    responses((status = 200, body = AccessRegister), Refusals))]
pub(crate) async fn get_organization_access_register(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<RegisterQuery>,
) -> Result<Reflecting<AccessRegister>, Problem> {
    viewer.must(Permission::MembersRead)?;
    viewer.must(Permission::ProjectsRead)?;
    let rows = Rows::Of(path.organization_id);
    let mut snapshot =
        state.snapshot(rows, &[Projection::AccessRegister], query.position_min()).await?;
    let only = RegisterFilter {
        member_id: query.member_id,
        project_id: query.project_id,
        state: query.state.map(Into::into),
    };
    let organization = Some(OrganizationRef::Id(path.organization_id));
    let query = AccessRegisterQuery { organization, temporal: query.temporal() };
    let body = access_register(&mut snapshot, &query).await?.only(only);
    Ok(Reflecting::new(snapshot.position(), body))
}
