//! Commands that were refused.

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::Permission;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::list::{Listed, Scope};
use crate::parameters::{ListQuery, OrganizationPath, Refusals};
use crate::snapshot::Projection;
use crate::state::{QueryState, Reflecting};
use crate::viewer::{Viewer, Visible};

/// Commands that were refused, one of them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RefusalView)]
pub struct Refusal {
    /// Its id.
    pub refusal_id: Uuid,
    /// Who asked, as `kind:id`.
    pub actor: String,
    /// What was asked, `nouns.verb`.
    pub command: String,
    /// The type of the problem that was answered.
    pub problem: String,
    /// The permission that was missing, where one was.
    pub permission: Option<String>,
    /// How many refusals of the same actor just before were not recorded, since they came too fast.
    pub unrecorded_before: i64,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

impl Listed for Refusal {
    const NOUN: &'static str = "refusal";
    const FROM: &'static str = "read.refusals t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.refusal_id, t.actor, t.command, t.problem, t.permission, t.unrecorded_before, t.occurred_at";
    const READS: &'static [Projection] = &[Projection::AccessRegister, Projection::Oversight];
    const SORT: &'static str =
        "to_char(t.occurred_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')";
    const ID: &'static str = "t.refusal_id";

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            refusal_id: row.try_get("refusal_id")?,
            actor: row.try_get("actor")?,
            command: row.try_get("command")?,
            problem: row.try_get("problem")?,
            permission: row.try_get("permission")?,
            unrecorded_before: row.try_get("unrecorded_before")?,
            occurred_at: row.try_get("occurred_at")?,
        })
    }
}

/// Commands that were refused to somebody of the organization, or to the operator in it, the oldest
/// first.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/refusals",
    operation_id = "list_refusals", tag = "refusals", params(OrganizationPath, ListQuery),
    responses((status = 200, body = Page<Refusal>), Refusals))]
pub(crate) async fn list_refusals(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<Refusal>>, Problem> {
    viewer.must(Permission::AuditRead)?;
    state.list(Scope::organization(path.organization_id), Visible::All, &query).await
}
