//! `POST /v1/organizations/{organization_id}/usage/reprice`.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use event_schemas::OrganizationId;

use super::page::{PageRepriced, RepricePage};
use super::priced::Summary;
use super::{NAME, RepriceUsageRequest, UsageRepriced};
use crate::answers::{Answered, answered, refuse};
use crate::asked::Asked;
use crate::execute::CommandContext;
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::{ExecuteError, Refusal};
use crate::routes::CommandApi;
use crate::usage::other_prices::{PAGES_MAX, Span};

/// What became of a request.
struct Done {
    repriced: UsageRepriced,
    position: i64,
    /// Whether all of it had been answered before.
    replayed: bool,
}

/// Prices recorded usage again.
///
/// With `dry_run` it tells what would change. Without, what costs something else is on record from then on,
/// as corrections beside the records: reports and balances as known before stay what they were. A record
/// that has a price keeps one. Prices are those of today that were in force when the usage happened, unless
/// the request names others; asked again, nothing changes any more. One request looks at up to 100,000
/// records: where there are more, `continue_after` says where to go on.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/usage/reprice",
    tag = "usage",
    params(OrganizationPath, PostHeaders),
    request_body = RepriceUsageRequest,
    responses((status = 200, description = "What changes.", body = Answered<UsageRepriced>), Refusals)
)]
pub(crate) async fn reprice_usage(
    State(api): State<CommandApi>,
    Asked(context): Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<RepriceUsageRequest>,
) -> Result<Response, Problem> {
    let organization_id = path.organization_id;
    let done = if request.dry_run {
        would_change(&api, &context, organization_id, &request).await
    } else {
        change(&api, &context, organization_id, request).await
    };
    match done {
        Ok(Done { repriced, position, replayed }) => Ok(answered(position, repriced, replayed)),
        Err(error) => Err(refuse(&api, &context, NAME, Some(organization_id), error).await),
    }
}

/// Page after page, each with the caller's key and its own number: what was done of the same request
/// before is answered again, and the rest is done.
async fn change(
    api: &CommandApi,
    context: &CommandContext,
    organization_id: OrganizationId,
    request: RepriceUsageRequest,
) -> Result<Done, ExecuteError> {
    let after = request.after_position.unwrap_or(0);
    let recorder = api.recorder.clone();
    let mut page = RepricePage { organization_id, request, begun: None, after, recorder };
    let (mut summary, mut replayed) = (Summary::default(), true);
    for number in 0..PAGES_MAX {
        let answer = api.executor.execute(&context_of(context, number), &page).await?;
        let PageRepriced { begun, upto, repriced } = answer.outcome;
        summary.add_all(&repriced);
        replayed &= answer.replayed;
        if repriced.continue_after.is_none() || number + 1 == PAGES_MAX {
            let mut repriced = summary.told(begun.prices_at, repriced.continue_after);
            repriced.repricing_id = Some(begun.repricing_id);
            return Ok(Done { repriced, position: answer.position, replayed });
        }
        page = RepricePage { begun: Some(begun), after: upto, ..page };
    }
    // The last page has returned.
    Err(ExecuteError::Contended)
}

/// A caller's key has no space in it, so that the pages' are nobody else's.
fn context_of(context: &CommandContext, number: u32) -> CommandContext {
    if number == 0 {
        return context.clone();
    }
    let key = context.idempotency_key.as_ref().map(|key| format!("{key} {number}"));
    CommandContext { idempotency_key: key, expected_sequence: None, ..context.clone() }
}

async fn would_change(
    api: &CommandApi,
    context: &CommandContext,
    organization_id: OrganizationId,
    request: &RepriceUsageRequest,
) -> Result<Done, ExecuteError> {
    let repriced = look(api, context, organization_id, request).await;
    let (repriced, position) = repriced.map_err(Refusal::into_error)?;
    Ok(Done { repriced, position, replayed: false })
}

async fn look(
    api: &CommandApi,
    context: &CommandContext,
    organization_id: OrganizationId,
    request: &RepriceUsageRequest,
) -> Result<(UsageRepriced, i64), Refusal> {
    // What is refused is refused on the state that the log has now.
    let session = api.executor.reading(context.authority, true);
    let mut session = session.named(&context.metadata.actor.id);
    session.vouch(context.presented.as_ref()).await?;
    session.may_reprice(organization_id, request).await?;
    session.open_organization(organization_id).await?;
    let head = session.log().head().await.map_err(ExecuteError::Database)?;
    let prices_at = api.recorder.prices_for(organization_id, &request.prices(), head).await?;
    let mut summary = Summary::default();
    let mut after = request.after_position.unwrap_or(0);
    for _ in 0..PAGES_MAX {
        let span = Span { after, upto: head };
        let page = api.recorder.price_again(organization_id, request, span, prices_at).await?;
        summary.add_all(&page.summary.told(prices_at, None));
        after = page.upto;
        if after >= head {
            break;
        }
    }
    Ok((summary.told(prices_at, (after < head).then_some(after)), head))
}
