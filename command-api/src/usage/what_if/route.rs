//! `GET /v1/organizations/{organization_id}/usage/what-if`.

use std::sync::PoisonError;

use api_conventions::{Caller, Path, Position, Problem, Query};
use axum::extract::State;
use axum::response::Response;
use domain::project::{Project, ProjectError};
use event_schemas::{OrganizationId, Permission, ProjectId};

use super::lines::Lines;
use super::parameters::WhatIfParameters;
use super::{UsageWhatIf, would_cost};
use crate::answers::{Answered, answered};
use crate::asked;
use crate::execute::{CommandContext, Session};
use crate::parameters::{OrganizationPath, Refusals};
use crate::refusal::{ExecuteError, Refusal};
use crate::routes::CommandApi;
use crate::usage::other_prices::{PAGES_MAX, Span};

/// From how many lines on an answer takes in no more records.
const LINES_MAX: usize = 10_000;

/// What recorded usage would cost under other prices.
///
/// Under another price list, under the prices that were known at a position, or as another model's with
/// the same quantities; without any of these as if it were recorded now. Nothing is recorded. What has no
/// price that way is counted, and never taken for nothing. One request looks at up to 100,000 records: where
/// there are more, `continue_after` says where to go on. It takes the permission `usage.read`; who has it in
/// a project names the project.
#[utoipa::path(
    get,
    path = "/v1/organizations/{organization_id}/usage/what-if",
    tag = "usage",
    params(OrganizationPath, WhatIfParameters),
    responses(
        (status = 200, description = "What it would cost.", body = Answered<UsageWhatIf>),
        Refusals
    )
)]
pub(crate) async fn what_if_usage(
    State(api): State<CommandApi>,
    caller: Caller,
    Path(path): Path<OrganizationPath>,
    Query(parameters): Query<WhatIfParameters>,
) -> Result<Response, Problem> {
    let context = asked::context(&caller)?;
    let told = look(&api, &context, path.organization_id, &parameters).await;
    let (told, position) = told.map_err(Refusal::into_error)?;
    Ok(answered(position, told, false))
}

async fn look(
    api: &CommandApi,
    context: &CommandContext,
    organization_id: OrganizationId,
    parameters: &WhatIfParameters,
) -> Result<(UsageWhatIf, i64), Refusal> {
    let session = api.executor.reading(context.authority, true);
    let mut session = session.named(&context.metadata.actor.id);
    session.vouch(context.presented.as_ref()).await?;
    let project_id = session.may_see(organization_id, parameters.project_id).await?;
    parameters.check()?;
    let another = parameters.another_model()?;
    let head = session.log().head().await.map_err(ExecuteError::Database)?;
    let (scope, asked) = (parameters.scope(project_id), parameters.prices());
    let prices_at = api.recorder.prices_for(organization_id, &asked, head).await?;
    let prices = asked.known_at(prices_at);
    let mut lines = Lines::default();
    let mut after = parameters.after_position.map_or(0, |Position(position)| position);
    for _ in 0..PAGES_MAX {
        let span = Span { after, upto: head };
        let next = api.recorder.next_records(organization_id, &scope, span).await?;
        let of_feature = |said: &str| parameters.feature.as_ref().is_none_or(|it| it == said);
        {
            let book = api.recorder.book.read().unwrap_or_else(PoisonError::into_inner);
            for usage in next.records.iter().filter(|usage| of_feature(&usage.feature)) {
                let what_if = would_cost(&book, &prices, another.as_ref(), usage);
                lines.take(&parameters.by, usage, what_if);
            }
        }
        after = next.upto;
        if after >= head || lines.count() >= LINES_MAX {
            break;
        }
    }
    Ok((lines.told(&parameters.by, prices_at, (after < head).then_some(after)), head))
}

impl Session<'_> {
    /// Refuses who may not see the usage that is asked about; answers the project that it is of, where it
    /// is of one alone. With a project's key it is of that project.
    async fn may_see(
        &mut self,
        organization_id: OrganizationId,
        project_id: Option<ProjectId>,
    ) -> Result<Option<ProjectId>, Refusal> {
        let asking = self.asking(organization_id).await?;
        let only_in = asking.and_then(|asking| asking.only_in());
        let Some(project_id) = project_id.or(only_in) else {
            self.permit(organization_id, Permission::UsageRead).await?;
            return Ok(None);
        };
        self.permit_in(organization_id, project_id, Permission::UsageRead).await?;
        match self.read::<Project>(project_id).await?.organization_id() {
            Some(owner) if owner == organization_id => Ok(Some(project_id)),
            Some(_) | None => Err(ProjectError::NotFound.into()),
        }
    }
}
