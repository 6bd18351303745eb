//! The route that records usage.

use api_conventions::{Caller, Json, POSITION_HEADER, Path, Problem};
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::response::{IntoResponse as _, Response};

use super::received::receive;
use super::sent::{CloudEvent, RecordUsageRequest, read_records};
use super::{RecordFate, UsageAnswer};
use crate::answers::refuse;
use crate::asked;
use crate::parameters::{OrganizationPath, Refusals};
use crate::routes::{CommandApi, USAGE_BODY_BYTES_MAX};

/// As refusals name it.
pub(super) const NAME: &str = "usage.record";

/// Records usage.
///
/// Each record has a fate of its own, in the order sent: one that is invalid, a duplicate or a
/// conflict does not keep its neighbours from being recorded. It needs no `Idempotency-Key`: what
/// makes a record the same is its `request_id`, so all of it can be sent again.
///
/// JSON may be an object with records, a list of them, or one record. A line that is no record in
/// NDJSON, and an event that is none, are `invalid` like a record. The body may be packed with gzip,
/// deflate or zstd (`Content-Encoding`); it counts unpacked.
///
/// 429 `usage-queue-full` says that more waits than can be recorded at the moment, of your
/// organization or of all: nothing was recorded, and all of it can be sent again.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/usage",
    tag = "usage",
    params(OrganizationPath),
    request_body(content(
        (RecordUsageRequest = "application/json"),
        (String = "application/x-ndjson"),
        (CloudEvent<'_> = "application/cloudevents+json"),
        (Vec<CloudEvent<'_>> = "application/cloudevents-batch+json"),
    )),
    responses(
        (status = 200, description = "What became of each record.", body = UsageAnswer),
        Refusals
    )
)]
pub(crate) async fn record_usage(
    State(api): State<CommandApi>,
    caller: Caller,
    Path(path): Path<OrganizationPath>,
    request: Request,
) -> Result<Response, Problem> {
    let organization_id = path.organization_id;
    let about = (&caller, Some(organization_id));
    let received = receive(&api.gate, about, request, USAGE_BODY_BYTES_MAX).await?;
    let context = asked::context(&caller)?;
    let (read, fates) = read_records(received.form, &received.text)?;
    let recorded = api.recorder.record(&context, organization_id, read).await;
    drop(received.place);
    match recorded {
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
pub(super) fn count(fates: &[RecordFate]) {
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
pub(super) fn answered_in_order(
    fates: Vec<Option<RecordFate>>,
    answer: UsageAnswer,
) -> UsageAnswer {
    let UsageAnswer { records, position, unpriced } = answer;
    let mut read = records.into_iter();
    let records = fates.into_iter().filter_map(|fate| fate.or_else(|| read.next())).collect();
    UsageAnswer { records, position, unpriced }
}

pub(super) fn respond(answer: UsageAnswer) -> Response {
    let position = HeaderValue::from(answer.position);
    let mut response = Json(answer).into_response();
    response.headers_mut().insert(POSITION_HEADER, position);
    response
}
