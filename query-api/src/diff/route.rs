//! `GET /v1/organizations/{organization_id}/diff`.

use api_conventions::{AsOf, Path, Position, Problem, Query};
use axum::extract::State;
use event_schemas::Permission;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{DiffQuery, OrganizationDiff, READS, diff};
use crate::organizations::OrganizationRef;
use crate::parameters::{OrganizationPath, Refusals, time_or_date};
use crate::snapshot::Rows;
use crate::state::{QueryState, Reflecting, highest};
use crate::viewer::Viewer;

/// Between which times.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffParameters {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// What the log knew at this position.
    #[param(value_type = Option<i64>, minimum = 0)]
    at_position: Option<Position>,
    /// From what was true at this time (RFC 3339), or at the end of this day (UTC); without it, from
    /// before there was anything.
    #[param(schema_with = time_or_date, required = false, example = "2025-12-31")]
    from: Option<AsOf>,
    /// To what was true at this time, or at the end of this day; without it, to what is true.
    #[param(schema_with = time_or_date, required = false, example = "2026-03-31")]
    to: Option<AsOf>,
    /// Whether to leave out what is the same at both times, and to say of what changed more than once
    /// how it was and how it is.
    #[param(example = false)]
    net: Option<bool>,
}

/// What changed between two times in access, keys, budgets and money, each line with the event, the actor and the
/// reason.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/diff",
    operation_id = "get_diff", tag = "audit log", params(OrganizationPath, DiffParameters),
    responses((status = 200, body = OrganizationDiff), Refusals))]
pub(crate) async fn get_diff(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(parameters): Query<DiffParameters>,
) -> Result<Reflecting<OrganizationDiff>, Problem> {
    viewer.must(Permission::AuditRead)?;
    viewer.must(Permission::CreditsRead)?;
    viewer.must(Permission::UsageRead)?;
    let query = DiffQuery {
        organization: OrganizationRef::Id(path.organization_id),
        from: parameters.from.map(|AsOf(time)| time),
        to: parameters.to.map(|AsOf(time)| time),
        at_position: parameters.at_position.map(|Position(position)| position),
        net: parameters.net.unwrap_or_default(),
    };
    let rows = Rows::Of(path.organization_id);
    let position_min = highest(&[parameters.min_position, parameters.at_position]);
    let mut snapshot = state.snapshot(rows, READS, position_min).await?;
    let body = diff(&mut snapshot, &query).await?;
    Ok(Reflecting::new(snapshot.position(), body))
}
