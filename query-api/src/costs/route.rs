//! `GET /v1/organizations/{organization_id}/costs`.

use api_conventions::{POSITION_HEADER, Path, Problem, Query};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use event_schemas::Permission;
use utoipa::ToSchema;

use super::export::{to_csv, to_parquet};
use super::focus::{to_focus_csv, to_focus_parquet};
use super::parameters::{CostFormat, CostsParameters};
use super::report::{CostReport, READS, costs};
use crate::organizations::OrganizationRef;
use crate::parameters::{OrganizationPath, Refusals};
use crate::snapshot::Rows;
use crate::state::{QueryState, Reflecting, highest};
use crate::viewer::Viewer;

const CSV: &str = "text/csv; charset=utf-8";
/// A Parquet file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code)] // Never built: it describes what is answered.
struct ParquetFile(Vec<u8>);

const PARQUET: &str = "application/vnd.apache.parquet";

/// What was used and what it cost, grouped.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/costs", operation_id = "get_costs",
    tag = "costs", params(OrganizationPath, CostsParameters),
    responses((status = 200, content((CostReport = "application/json"), (String = "text/csv"),
        (ParquetFile = "application/vnd.apache.parquet"))), Refusals))]
pub(crate) async fn get_costs(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(parameters): Query<CostsParameters>,
) -> Result<Response, Problem> {
    let visible = viewer.visible(&state, Permission::UsageRead).await?;
    let rows = Rows::Of(path.organization_id);
    let position_min = highest(&[parameters.min_position, parameters.at_position]);
    let format = parameters.format.unwrap_or_default();
    let query = parameters.query(OrganizationRef::Id(path.organization_id), visible)?;
    let mut snapshot = state.snapshot(rows, READS, position_min).await?;
    let report = costs(&mut snapshot, &query).await?;
    // The connection is free while the report is written.
    drop(snapshot);
    let position = report.position;
    let (content_type, body) = match format {
        CostFormat::Json => return Ok(Reflecting::new(position, report).into_response()),
        CostFormat::Csv => (CSV, to_csv(&report, &query.by)?.into_bytes()),
        CostFormat::Parquet => (PARQUET, to_parquet(&report, &query.by)?),
        CostFormat::FocusCsv => (CSV, to_focus_csv(&report)?.into_bytes()),
        CostFormat::FocusParquet => (PARQUET, to_focus_parquet(&report)?),
    };
    let headers = [
        (header::CONTENT_TYPE.as_str(), content_type.to_owned()),
        (POSITION_HEADER, position.to_string()),
    ];
    Ok((headers, body).into_response())
}
