//! `GET /v1/organizations/{organization_id}/why`.

use api_conventions::{AsOf, Path, Position, Problem, Query};
use axum::extract::State;
use event_schemas::{Currency, MemberId, Permission, ProjectId};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{READS, Why, WhyQuery, why};
use crate::parameters::{OrganizationPath, Point, Refusals, time_or_date};
use crate::snapshot::Rows;
use crate::state::{QueryState, Reflecting};
use crate::viewer::Viewer;

/// What is asked about; all that is named is answered.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhyParameters {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// What the log knew at this position.
    #[param(value_type = Option<i64>, minimum = 0)]
    at_position: Option<Position>,
    /// What was true at this time (RFC 3339), or at the end of this day (a date, in UTC).
    #[param(schema_with = time_or_date, required = false, example = "2026-01-31")]
    as_of: Option<AsOf>,
    /// Why this member has what they have; and where they have left, how that took effect.
    #[param(value_type = Option<Uuid>)]
    member_id: Option<MemberId>,
    /// In this project, beside what they have everywhere; of usage, in this project alone.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    /// Why this is as it is: the id of a key, an invite, a group, a lot or of anything else.
    #[param(value_type = Option<Uuid>, example = "0190a1b2-77aa-7000-8000-00000000005a")]
    subject: Option<Uuid>,
    /// Why the balance in this currency is what it is.
    #[param(value_type = Option<String>, pattern = "^[A-Z]{3}$", example = "USD")]
    currency: Option<Currency>,
    /// Where the usage of this feature comes from.
    feature: Option<String>,
}

impl Point for WhyParameters {
    fn point(&self) -> (Option<AsOf>, Option<Position>, Option<Position>) {
        (self.as_of, self.at_position, self.min_position)
    }
}

/// From what a register, a balance or a report says to the events behind it: who granted it and why, and
/// who has attested it.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/why", operation_id = "get_why",
    tag = "audit log", params(OrganizationPath, WhyParameters),
    responses((status = 200, body = Why), Refusals))]
pub(crate) async fn get_why(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(parameters): Query<WhyParameters>,
) -> Result<Reflecting<Why>, Problem> {
    viewer.must(Permission::AuditRead)?;
    if parameters.currency.is_some() {
        viewer.must(Permission::CreditsRead)?;
    }
    if parameters.feature.is_some() {
        viewer.must(Permission::UsageRead)?;
    }
    let query = WhyQuery {
        member_id: parameters.member_id,
        project_id: parameters.project_id,
        subject: parameters.subject,
        currency: parameters.currency,
        // Nothing that was recorded has a NUL in it.
        feature: parameters.feature.clone().filter(|feature| !feature.contains('\0')),
        temporal: parameters.temporal(),
    };
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, parameters.position_min()).await?;
    let body = why(&mut snapshot, path.organization_id, &query).await?;
    Ok(Reflecting::new(snapshot.position(), body))
}
