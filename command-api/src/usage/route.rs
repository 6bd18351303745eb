//! The route that records usage.

use api_conventions::{Caller, Json, POSITION_HEADER, Path, Problem};
use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::{IntoResponse as _, Response};

use super::sent::{RecordUsageRequest, read_records};
use super::{RecordFate, UsageAnswer};
use crate::answers::refuse;
use crate::asked;
use crate::parameters::{OrganizationPath, Refusals};
use crate::routes::CommandApi;

/// As refusals name it.
const NAME: &str = "usage.record";

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
    let organization_id = path.organization_id;
    match api.recorder.record(&context, organization_id, &read).await {
        Ok(answer) => {
            let answer = answered_in_order(fates, answer);
            count(&answer.records);
            Ok(respond(answer))
        }
        Err(error) => Err(refuse(&api, &context, NAME, Some(organization_id), error).await),
    }
}

/// Counts what is not in the log after all. Each stands in the answer; an event for each would let
/// whoever may record usage flood the log.
fn count(fates: &[RecordFate]) {
    let (mut invalid, mut conflicts) = (0, 0);
    for fate in fates {
        match fate {
            RecordFate::Invalid { .. } => invalid += 1,
            RecordFate::Conflict => conflicts += 1,
            RecordFate::Recorded { .. } | RecordFate::Duplicate => {}
        }
    }
    for (fate, records) in [("invalid", invalid), ("conflict", conflicts)] {
        metrics::counter!("orgledger_usage_refused_total", "fate" => fate).increment(records);
    }
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
