//! Carrying a command out, and answering.

use api_conventions::authentication::refused_credential;
use api_conventions::etag::etag;
use api_conventions::{POSITION_HEADER, Problem};
use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use event_schemas::OrganizationId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::asked::Asked;
use crate::execute::{Answer, Command, CommandContext, Secret};
use crate::refusal::{ExecuteError, Refusal};
use crate::routes::CommandApi;

/// Says that an answer was given before, to the same idempotency key.
pub const REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The answer to a command.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answered<O> {
    /// The position of the log from which on its effect can be seen: the `min_position` of a query
    /// that must show it.
    position: i64,
    #[serde(flatten)]
    outcome: O,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    secret: Option<String>,
}

/// The answer to a command that makes a secret.
#[derive(Serialize, ToSchema)]
#[allow(dead_code)] // Never built: it describes an `Answered` with a secret.
pub(crate) struct AnsweredWithSecret<O> {
    #[serde(flatten)]
    answered: Answered<O>,
    /// The secret, shown this once. It is not kept, so the answer to a request that is sent again
    /// does not have it.
    secret: Option<String>,
}

/// Carries a command out: 200.
pub(crate) async fn carry_out<C: Command>(
    api: &CommandApi,
    Asked(context): Asked,
    command: C,
) -> Result<Response, Problem> {
    Ok(answer(execute(api, &context, &command).await?))
}

/// Carries a command out that makes something: 201, and where it is found.
pub(crate) async fn create<C: Command>(
    api: &CommandApi,
    Asked(context): Asked,
    command: C,
    location: impl FnOnce(&C::Outcome) -> String,
) -> Result<Response, Problem> {
    let answered = execute(api, &context, &command).await?;
    let location = HeaderValue::try_from(location(&answered.outcome));
    let mut response = answer(answered);
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Executes a command; where it is refused, that is on record before it is answered.
async fn execute<C: Command>(
    api: &CommandApi,
    context: &CommandContext,
    command: &C,
) -> Result<Answer<C::Outcome>, Problem> {
    let error = match api.executor.execute(context, command).await {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    Err(refuse(api, context, C::NAME, command.organization_id(), error).await)
}

/// What is answered where a command, about that organization, was not done; where it was refused,
/// that is on record before it is answered.
pub(crate) async fn refuse(
    api: &CommandApi,
    context: &CommandContext,
    command: &'static str,
    about: Option<OrganizationId>,
    error: ExecuteError,
) -> Problem {
    // Who presents a credential that has ended is nobody.
    let is_refusal = match &error {
        ExecuteError::Refused(Refusal::CredentialEnded) => {
            refused_credential(
                "it has ended meanwhile",
                context.metadata.source_address.as_deref(),
            );
            false
        }
        ExecuteError::Refused(_) | ExecuteError::IdempotencyKeyReused => true,
        ExecuteError::Contended
        | ExecuteError::Overloaded
        | ExecuteError::UsageQueueFull
        | ExecuteError::BalancesBehind
        | ExecuteError::Log(_)
        | ExecuteError::Load(_)
        | ExecuteError::Vault(_)
        | ExecuteError::Database(_)
        | ExecuteError::Json(_)
        | ExecuteError::Random(_) => false,
    };
    let problem = Problem::from(error);
    if is_refusal {
        api.refused.record(context, command, about, &problem).await;
    }
    problem
}

/// Carries a command out that makes several secrets: 200, with what `show` makes of them and the
/// outcome. There are none where the answer was given before.
pub(crate) async fn carry_out_showing<C: Command, T: Serialize>(
    api: &CommandApi,
    Asked(context): Asked,
    command: C,
    show: impl FnOnce(C::Outcome, Vec<Secret>) -> T,
) -> Result<Response, Problem> {
    let answer = execute(api, &context, &command).await?;
    let Answer { outcome, position, sequence, replayed, secrets } = answer;
    let has_secret = !secrets.is_empty();
    let body = Answered { position, outcome: show(outcome, secrets), secret: None };
    Ok(respond(body, sequence, replayed, has_secret))
}

/// The answer to what was several commands: 200.
pub(crate) fn answered<O: Serialize>(position: i64, outcome: O, replayed: bool) -> Response {
    respond(Answered { position, outcome, secret: None }, None, replayed, false)
}

fn answer<O: Serialize>(answer: Answer<O>) -> Response {
    let Answer { outcome, position, sequence, replayed, secrets } = answer;
    let secret = secrets.first().map(|secret| secret.reveal().to_owned());
    let has_secret = secret.is_some();
    respond(Answered { position, outcome, secret }, sequence, replayed, has_secret)
}

fn respond<O: Serialize>(
    body: Answered<O>,
    sequence: Option<i64>,
    replayed: bool,
    has_secret: bool,
) -> Response {
    let position = body.position;
    let mut response = Json(body).into_response();
    let headers = response.headers_mut();
    if has_secret {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(POSITION_HEADER, HeaderValue::from(position));
    if let Some(sequence) = sequence {
        headers.insert(header::ETAG, etag(sequence));
    }
    if replayed {
        headers.insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
    }
    response
}
