//! `GET /v1/organizations/{organization_id}/suggestions`.

use api_conventions::{AsOf, Cursor, Limit, Page, Path, Position, Problem, Query};
use axum::extract::State;
use event_schemas::Permission;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    READS, Suggestion, SuggestionKind, SuggestionsQuery, UNUSED_DAYS_DEFAULT, suggestions,
};
use crate::parameters::{OrganizationPath, Refusals, time_or_date};
use crate::snapshot::Rows;
use crate::state::{QueryState, Reflecting, highest};
use crate::viewer::Viewer;

/// The most days that an API key can be asked to be unused for.
const UNUSED_DAYS_MAX: i32 = 3_650;

/// Which suggestions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SuggestionListQuery {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// The time against which ages are measured (RFC 3339), or the end of this day; now, where it is
    /// left out. What there is, is of now all the same.
    #[param(schema_with = time_or_date, required = false, example = "2026-01-31")]
    as_of: Option<AsOf>,
    /// The most items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before. All pages measure against the time of the first.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Of this kind only.
    #[param(inline)]
    kind: Option<SuggestionKind>,
    /// For how many days an API key must be unused.
    #[param(minimum = 1, maximum = 3650, default = 90)]
    unused_days: Option<i32>,
}

/// The standing suggestions: by kind, the oldest first. Without `kind`, those of all kinds that the
/// caller may see.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/suggestions",
    operation_id = "list_suggestions", tag = "suggestions",
    params(OrganizationPath, SuggestionListQuery),
    responses((status = 200, body = Page<Suggestion>), Refusals))]
pub(crate) async fn list_suggestions(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<SuggestionListQuery>,
) -> Result<Reflecting<Page<Suggestion>>, Problem> {
    let unused_days = query.unused_days.unwrap_or(UNUSED_DAYS_DEFAULT);
    if !(1..=UNUSED_DAYS_MAX).contains(&unused_days) {
        return Err(Problem::invalid("unused_days", "it is not a number of days from 1 to 3650"));
    }
    let which = SuggestionsQuery {
        organization_id: path.organization_id,
        kinds: kinds(&viewer, query.kind)?,
        as_of: query.as_of.map(|AsOf(time)| time),
        unused_days,
    };
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, highest(&[query.min_position])).await?;
    let limit = query.limit.unwrap_or_default();
    let body = suggestions(&mut snapshot, &which, limit, query.cursor.as_ref()).await?;
    Ok(Reflecting::page(snapshot.position(), body))
}

/// The kinds that are asked for, as far as they may be seen.
fn kinds(viewer: &Viewer, asked: Option<SuggestionKind>) -> Result<Vec<SuggestionKind>, Problem> {
    if let Some(kind) = asked {
        kind.needs().iter().try_for_each(|permission| viewer.must(*permission))?;
        return Ok(vec![kind]);
    }
    let is_seen = |kind: &SuggestionKind| kind.needs().iter().all(|needed| viewer.may(*needed));
    let kinds: Vec<SuggestionKind> = SuggestionKind::ALL.iter().copied().filter(is_seen).collect();
    if kinds.is_empty() {
        viewer.must(Permission::MembersRead)?;
    }
    Ok(kinds)
}
