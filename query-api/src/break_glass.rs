//! Accesses of the operator to an organization.

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{MemberId, Permission};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::list::{Listed, Scope};
use crate::parameters::{ListQuery, OrganizationPath, Refusals};
use crate::snapshot::Projection;
use crate::state::{QueryState, Reflecting};
use crate::viewer::{OversightViewer, Visible};

/// Accesses of the operator to an organization, one of them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = BreakGlassView)]
pub struct BreakGlass {
    /// Its id.
    pub break_glass_id: Uuid,
    /// The operator's name.
    pub operator: String,
    /// What the emergency was.
    pub reason: String,
    /// For how many minutes it was asked.
    pub minutes: i32,
    /// `requested`, `open`, `declined`, `ended` or `reviewed`.
    pub state: String,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// When the operator was let in.
    pub opened_at: Option<DateTime<Utc>>,
    /// Until when it lasts, or was to last.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Who approved or declined it, as `kind:id`.
    pub decided_by: Option<String>,
    /// Who reviewed it, as `kind:id`.
    pub reviewed_by: Option<String>,
    /// When it was reviewed.
    pub reviewed_at: Option<DateTime<Utc>>,
    /// Why it was declined, or what the review found.
    pub note: Option<String>,
    /// The members who came in by it, were given back or given more: they rest from its end until the
    /// review.
    #[schema(value_type = Vec<Uuid>)]
    pub took_in: Vec<MemberId>,
}

impl Listed for BreakGlass {
    const NOUN: &'static str = "access of the operator";
    const FROM: &'static str = "read.break_glass t";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.break_glass_id, t.operator, t.reason, t.minutes, t.state, t.requested_at, t.opened_at, t.expires_at, t.ended_at, t.decided_by, t.reviewed_by, t.reviewed_at, t.note, t.took_in";
    const READS: &'static [Projection] = &[Projection::AccessRegister, Projection::Oversight];
    const SORT: &'static str =
        "to_char(t.requested_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')";
    const ID: &'static str = "t.break_glass_id";

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            break_glass_id: row.try_get("break_glass_id")?,
            operator: row.try_get("operator")?,
            reason: row.try_get("reason")?,
            minutes: row.try_get("minutes")?,
            state: row.try_get("state")?,
            requested_at: row.try_get("requested_at")?,
            opened_at: row.try_get("opened_at")?,
            expires_at: row.try_get("expires_at")?,
            ended_at: row.try_get("ended_at")?,
            decided_by: row.try_get("decided_by")?,
            reviewed_by: row.try_get("reviewed_by")?,
            reviewed_at: row.try_get("reviewed_at")?,
            note: row.try_get("note")?,
            took_in: row.try_get::<Json<_>, _>("took_in")?.0,
        })
    }
}

/// Accesses of the operator to the organization, the oldest first. Whoever runs orgledger sees these,
/// and nothing else of an organization, without being let in: one of them may be asked to decide.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/break-glass",
    operation_id = "list_break_glass", tag = "break-glass", params(OrganizationPath, ListQuery),
    responses((status = 200, body = Page<BreakGlass>), Refusals))]
pub(crate) async fn list_break_glass(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: OversightViewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<BreakGlass>>, Problem> {
    viewer.must(Permission::AuditRead)?;
    state.list(Scope::organization(path.organization_id), Visible::All, &query).await
}
