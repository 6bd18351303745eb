//! `GET /v1/organizations/{organization_id}/audit-log`.

use api_conventions::links::NextPage;
use api_conventions::{
    Cursor, Limit, POSITION_HEADER, Page, Path, Position, Problem, Query, TimeBound,
};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use event_schemas::{Permission, ProjectId};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::ocsf::to_ocsf;
use super::{
    Actions, ActorText, AuditEntry, AuditFilter, Order, Outcome, READS, Targets, audit_log, to_csv,
};
use crate::error::QueryError;
use crate::parameters::{OrganizationPath, Refusals, from_text, time_or_date};
use crate::snapshot::Rows;
use crate::state::{QueryState, Reflecting, highest};
use crate::viewer::Viewer;

/// How an audit log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AuditFormat {
    /// A page in JSON.
    #[default]
    Json,
    /// A JSON object a line.
    Ndjson,
    /// CSV with a header.
    Csv,
    /// An event of OCSF 1.3 a line, for a SIEM.
    Ocsf,
}

/// Which lines of an audit log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParameters {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// Up to this position: what the log knew there.
    #[param(value_type = Option<i64>, minimum = 0)]
    at_position: Option<Position>,
    /// From this position on. One more than the last line that was read goes on behind it.
    #[param(value_type = Option<i64>, minimum = 0)]
    from_position: Option<Position>,
    /// Of these types, with commas between: `member.added`, or all of a noun, `member.*`. Refusals are
    /// found by the command, `members.add`, too.
    #[param(value_type = Option<String>, rename = "type", example = "member.added,invite.*",
        pattern = r"^[a-z_]+\.([a-z_]+|\*)(,[a-z_]+\.([a-z_]+|\*)){0,19}$")]
    #[serde(default, rename = "type", deserialize_with = "from_text")]
    actions: Option<Actions>,
    /// By this actor: `member:ID`, `service_account:ID`, `invite:ID`, `operator:NAME`, `system:NAME` or
    /// `external:NAME`.
    #[param(value_type = Option<String>, example = "operator:operator",
        pattern = r"^(operator|member|service_account|invite|system|external):[a-zA-Z0-9._-]{1,100}$")]
    #[serde(default, deserialize_with = "from_text")]
    actor: Option<ActorText>,
    /// About this: the id of a member, project, key, group, role, lot or of anything else. With commas
    /// between, about all of them.
    #[param(value_type = Option<String>, example = "0190a1b2-77aa-7000-8000-0000000000b1",
        pattern = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
    #[serde(default, deserialize_with = "from_text")]
    target: Option<Targets>,
    /// In this project.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    /// Only what was done, or only what was refused.
    #[param(inline)]
    outcome: Option<Outcome>,
    /// Of this request.
    #[param(value_type = Option<String>, pattern = r"^[a-zA-Z0-9 .:+_-]{1,200}$")]
    #[serde(default, deserialize_with = "from_text")]
    request_id: Option<RequestText>,
    /// What happened from this time on (RFC 3339), or from the start of this day (UTC).
    #[param(schema_with = time_or_date, required = false, example = "2026-01-01")]
    #[serde(default, deserialize_with = "from_text")]
    from: Option<TimeBound>,
    /// What happened before this time, or before the start of this day.
    #[param(schema_with = time_or_date, required = false, example = "2026-02-01")]
    #[serde(default, deserialize_with = "from_text")]
    to: Option<TimeBound>,
    /// What was recorded from this time on, or from the start of this day: what was imported or
    /// recorded late happened before.
    #[param(schema_with = time_or_date, required = false, example = "2026-01-01")]
    #[serde(default, deserialize_with = "from_text")]
    recorded_from: Option<TimeBound>,
    /// What was recorded before this time, or before the start of this day.
    #[param(schema_with = time_or_date, required = false, example = "2026-02-01")]
    #[serde(default, deserialize_with = "from_text")]
    recorded_to: Option<TimeBound>,
    /// In the order of the log, or the other way round.
    #[param(inline)]
    order: Option<Order>,
    /// The most items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before, or of its `Link`. What was read stays as it is while the
    /// log grows.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// How to write it. All but JSON say where the next page is in `Link` alone.
    #[param(inline)]
    format: Option<AuditFormat>,
}

/// A request's id.
#[derive(Debug)]
pub(crate) struct RequestText(String);

impl std::str::FromStr for RequestText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains('\0') {
            return Err("it is no id of a request".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl AuditParameters {
    fn filter(&self, path: &OrganizationPath) -> Result<AuditFilter, QueryError> {
        let time = |bound: &Option<TimeBound>| bound.as_ref().map(|TimeBound(time)| *time);
        for (field, from, to) in [
            ("to", time(&self.from), time(&self.to)),
            ("recorded_to", time(&self.recorded_from), time(&self.recorded_to)),
        ] {
            if from.zip(to).is_some_and(|(from, to)| from >= to) {
                return Err(QueryError::invalid(field, "it must be after where it begins"));
            }
        }
        Ok(AuditFilter {
            organization_id: path.organization_id,
            actions: self.actions.clone(),
            actor: self.actor.as_ref().map(|ActorText(text)| text.clone()),
            targets: self.target.clone(),
            project_id: self.project_id,
            outcome: self.outcome,
            request_id: self.request_id.as_ref().map(|RequestText(text)| text.clone()),
            from: time(&self.from),
            to: time(&self.to),
            recorded_from: time(&self.recorded_from),
            recorded_to: time(&self.recorded_to),
            from_position: self.from_position.map(|Position(position)| position),
            at_position: self.at_position.map(|Position(position)| position),
            order: self.order.unwrap_or_default(),
        })
    }
}

/// Every event of the organization, with who did it, to what, what was before and what is after;
/// refused commands and batches of usage records, too. Nothing of it ever goes.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/audit-log",
    operation_id = "list_audit_log", tag = "audit log",
    params(OrganizationPath, AuditParameters),
    responses((status = 200, content((Page<AuditEntry> = "application/json"),
        (String = "application/x-ndjson"), (String = "text/csv"))), Refusals))]
pub(crate) async fn list_audit_log(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<AuditParameters>,
) -> Result<Response, Problem> {
    viewer.must(Permission::AuditRead)?;
    let filter = query.filter(&path)?;
    let rows = Rows::Of(path.organization_id);
    let position_min = highest(&[query.min_position, query.at_position]);
    let mut snapshot = state.snapshot(rows, READS, position_min).await?;
    let limit = query.limit.unwrap_or_default();
    let page = audit_log(&mut snapshot, &filter, limit, query.cursor.as_ref()).await?;
    let position = snapshot.position();
    drop(snapshot);
    let (content_type, text) = match query.format.unwrap_or_default() {
        AuditFormat::Json => return Ok(Reflecting::page(position, page).into_response()),
        AuditFormat::Ndjson => ("application/x-ndjson", to_ndjson(&page.items)?),
        AuditFormat::Csv => ("text/csv; charset=utf-8", to_csv(&page.items)?),
        AuditFormat::Ocsf => {
            let events: Vec<_> = page.items.iter().map(to_ocsf).collect();
            ("application/x-ndjson", to_ndjson(&events)?)
        }
    };
    let headers = [
        (header::CONTENT_TYPE.as_str(), content_type.to_owned()),
        (POSITION_HEADER, position.to_string()),
    ];
    let mut response = (headers, text).into_response();
    response.extensions_mut().insert(NextPage(page.next_cursor));
    Ok(response)
}

/// A JSON object a line.
pub fn to_ndjson<T: serde::Serialize>(items: &[T]) -> Result<String, QueryError> {
    let mut text = String::new();
    for item in items {
        text.push_str(&serde_json::to_string(item).map_err(QueryError::unreadable)?);
        text.push('\n');
    }
    Ok(text)
}
