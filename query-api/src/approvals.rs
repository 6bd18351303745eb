//! What waits for a second person, or has.

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

/// What waits for a second person, or has, one of them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ApprovalView)]
pub struct Approval {
    /// Its id.
    pub approval_id: Uuid,
    /// What kind of thing it is: `grant_owner`, `update_security` and the like.
    pub action: String,
    /// What was asked for.
    #[schema(value_type = Object)]
    pub request: serde_json::Value,
    /// `open`, `approved`, `declined` or `withdrawn`; one whose time is over stays open and cannot be approved.
    pub state: String,
    /// The member who asked.
    pub requested_by: Uuid,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// Until when it can be approved.
    pub expires_at: DateTime<Utc>,
    /// The member who decided.
    pub decided_by: Option<Uuid>,
    /// Why it was declined.
    pub reason: Option<String>,
}

impl Listed for Approval {
    const NOUN: &'static str = "approval";
    const FROM: &'static str = "read.approvals t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.approval_id, t.action, t.request, t.state, t.requested_by, t.requested_at, t.expires_at, t.decided_by, t.reason";
    const READS: &'static [Projection] = &[Projection::AccessRegister, Projection::Oversight];
    const SORT: &'static str =
        "to_char(t.requested_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')";
    const ID: &'static str = "t.approval_id";

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            approval_id: row.try_get("approval_id")?,
            action: row.try_get("action")?,
            request: row.try_get("request")?,
            state: row.try_get("state")?,
            requested_by: row.try_get("requested_by")?,
            requested_at: row.try_get("requested_at")?,
            expires_at: row.try_get("expires_at")?,
            decided_by: row.try_get("decided_by")?,
            reason: row.try_get("reason")?,
        })
    }
}

/// What waits for a second person, or has, the oldest first.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/approvals",
    operation_id = "list_approvals", tag = "approvals", params(OrganizationPath, ListQuery),
    responses((status = 200, body = Page<Approval>), Refusals))]
pub(crate) async fn list_approvals(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<Approval>>, Problem> {
    viewer.must(Permission::AuditRead)?;
    state.list(Scope::organization(path.organization_id), Visible::All, &query).await
}
