//! The route that records usage.

use api_conventions::{Caller, Json, POSITION_HEADER, Path, Problem};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::{IntoResponse as _, Response};

use super::sent::{RecordUsageRequest, read_records};
use super::{RecordFate, UsageAnswer};
use crate::asked;
use crate::parameters::{OrganizationPath, Refusals};
use crate::routes::CommandApi;

/// Records usage.
///
/// Each record has a fate of its own, in the order sent: one that is invalid, a duplicate or a
/// conflict does not keep its neighbours from being recorded. It needs no `Idempotency-Key`: what
/// makes a record the same is its `request_id`, so all of it can be sent again.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/usage",
    tag = "usage",
    params(OrganizationPath),
    request_body = RecordUsageRequest,
    responses(
        (status = 200, description = "What became of each record.", body = UsageAnswer),
        Refusals
    )
)]
pub(crate) async fn record_usage(
    State(api): State<CommandApi>,
    caller: Caller,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<RecordUsageRequest>,
) -> Result<Response, Problem> {
    let context = asked::context(&caller)?;
    let (read, fates) = read_records(&request);
    let answer = api.recorder.record(&context, path.organization_id, &read).await?;
    Ok(respond(answered_in_order(fates, answer)))
}

/// Puts the fates of the records that were read in the places left for them.
fn answered_in_order(fates: Vec<Option<RecordFate>>, answer: UsageAnswer) -> UsageAnswer {
    let UsageAnswer { records, position, unpriced } = answer;
    let mut read = records.into_iter();
    let records = fates.into_iter().filter_map(|fate| fate.or_else(|| read.next())).collect();
    UsageAnswer { records, position, unpriced }
}

fn respond(answer: UsageAnswer) -> Response {
    let position = HeaderValue::from(answer.position);
    let mut response = Json(answer).into_response();
    response.headers_mut().insert(POSITION_HEADER, position);
    response
}
