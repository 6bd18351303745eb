//! `GET /v1/organizations/{organization_id}/costs`.

use std::str::FromStr;

use api_conventions::{POSITION_HEADER, Path, Position, Problem, Query};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, Utc};
use event_schemas::Permission;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::dimension::Dimension;
use super::export::to_csv;
use super::report::{CostReport, CostsQuery, READS, costs};
use crate::organizations::OrganizationRef;
use crate::parameters::{OrganizationPath, Refusals, from_text, time_or_date};
use crate::snapshot::Rows;
use crate::state::{QueryState, Reflecting, highest};
use crate::viewer::Viewer;

/// Where a span of hours begins or ends: an RFC 3339 time, or a date, which means its start in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourBound(pub DateTime<Utc>);

impl FromStr for HourBound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A plus sign that was not percent-encoded arrives as a space.
        let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok();
        let start_of_day =
            || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc());
        let time = time.map(|time| time.with_timezone(&Utc)).or_else(start_of_day);
        // Within what Postgres keeps as `timestamptz`, and what four digits of a year can say.
        let time = time.filter(|time| (1..=9_999).contains(&time.year()));
        time.map(Self).ok_or_else(|| {
            format!(
                "'{text}' is neither a time such as 2026-01-31T13:00:00Z nor a date such as \
                 2026-01-31, which means its start in UTC"
            )
        })
    }
}

/// `feature,project`.
#[derive(Debug, Clone)]
struct By(Vec<Dimension>);

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// How a report is written.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CostFormat {
    /// JSON.
    #[default]
    Json,
    /// CSV with a header.
    Csv,
}

/// Which report.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CostsParameters {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// What to group by, with commas between: feature (where nothing is asked), project,
    /// `api_key`, member, `service_account`, provider, model, hour, day, month.
    #[param(value_type = Option<String>, example = "feature,model", pattern = "^(feature|project|api_key|\
        member|service_account|provider|model|hour|day|month)(,(feature|project|api_key|member|\
        service_account|provider|model|hour|day|month))*$")]
    #[serde(default, deserialize_with = "from_text")]
    by: Option<By>,
    /// From this whole hour on (RFC 3339), or from the start of this day (UTC).
    #[param(schema_with = time_or_date, required = false, example = "2026-01-01")]
    #[serde(default, deserialize_with = "from_text")]
    from: Option<HourBound>,
    /// Up to this whole hour, or the start of this day, which is not part of it.
    #[param(schema_with = time_or_date, required = false, example = "2026-02-01")]
    #[serde(default, deserialize_with = "from_text")]
    to: Option<HourBound>,
    /// How to write it.
    #[param(inline)]
    format: Option<CostFormat>,
}

/// What was used and what it cost, grouped.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/costs", operation_id = "get_costs",
    tag = "costs", params(OrganizationPath, CostsParameters),
    responses((status = 200, content((CostReport = "application/json"), (String = "text/csv"))),
        Refusals))]
pub(crate) async fn get_costs(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(parameters): Query<CostsParameters>,
) -> Result<Response, Problem> {
    let visible = viewer.visible(&state, Permission::UsageRead).await?;
    let query = CostsQuery {
        visible,
        organization: OrganizationRef::Id(path.organization_id),
        by: parameters.by.map_or_else(|| vec![Dimension::Feature], |By(by)| by),
        from: parameters.from.map(|HourBound(time)| time),
        to: parameters.to.map(|HourBound(time)| time),
    };
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, highest(&[parameters.min_position])).await?;
    let report = costs(&mut snapshot, &query).await?;
    let position = report.position;
    Ok(match parameters.format.unwrap_or_default() {
        CostFormat::Json => Reflecting::new(position, report).into_response(),
        CostFormat::Csv => {
            let headers = [
                (header::CONTENT_TYPE.as_str(), "text/csv; charset=utf-8".to_owned()),
                (POSITION_HEADER, position.to_string()),
            ];
            (headers, to_csv(&report, &query.by)?).into_response()
        }
    })
}
