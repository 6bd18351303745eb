//! What a LiteLLM gateway posts through its generic API logger.

mod event;
mod place;

use api_conventions::authentication::Presented;
use api_conventions::problem::FORBIDDEN;
use api_conventions::{Caller, Problem};
use axum::extract::{Request, State};
use axum::response::Response;

use self::event::{Event, LiteLlmEvent};
use super::UsageAnswer;
use super::received::{Form, receive};
use super::route::{NAME, answered_in_order, count, respond};
use super::sent::{each, json_or_lines, lines};
use crate::answers::refuse;
use crate::asked;
use crate::parameters::Refusals;
use crate::routes::{CommandApi, LITELLM_BODY_BYTES_MAX};

/// Records what LiteLLM logs.
///
/// The organization is the credential's. An API key of a project records all in that project; one
/// of the organization records in the project whose name or id is LiteLLM's project or team. Each
/// event has a fate of its own, as with other usage. See docs/for-gateways.md for what becomes of
/// each field.
#[utoipa::path(
    post,
    path = "/v1/usage/litellm",
    tag = "usage",
    request_body(content(
        (Vec<LiteLlmEvent> = "application/json"),
        (String = "application/x-ndjson"),
    )),
    responses(
        (status = 200, description = "What became of each event.", body = UsageAnswer),
        Refusals
    )
)]
pub(crate) async fn record_litellm_usage(
    State(api): State<CommandApi>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let received = receive(&api.gate, (&caller, None), request, LITELLM_BODY_BYTES_MAX).await?;
    let context = asked::context(&caller)?;
    let (events, fates) = match received.form {
        Form::Lines => each(lines(&received.text)?, Event::read),
        // Its NDJSON, too, comes with the media type of JSON.
        Form::Json | Form::CloudEvent | Form::CloudEvents => {
            json_or_lines(&received.text, Event::read)?
        }
    };
    let Some(organization_id) = caller.presented.as_ref().map(Presented::organization_id) else {
        let why = "This needs an API key of the organization whose usage it is.";
        return Err(Problem::new(FORBIDDEN).with_detail(why));
    };
    let (records, placed) = place::place(&api.executor, &context, organization_id, events).await?;
    let recorded = api.recorder.record(&context, organization_id, records).await;
    drop(received.place);
    match recorded {
        Ok(answer) => {
            let answer = answered_in_order(fates, answered_in_order(placed, answer));
            count(&answer.records);
            Ok(respond(answer))
        }
        Err(error) => Err(refuse(&api, &context, NAME, Some(organization_id), error).await),
    }
}
