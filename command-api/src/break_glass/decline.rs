//! Do not let the operator into the organization.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{BreakGlassCommand, Organization, OrganizationCommand};
use event_schemas::{BreakGlassId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::execute::{Command, Done, Session};
use crate::parameters::{BreakGlassPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclineBreakGlassRequest {
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Do not let the operator into the organization.
#[derive(Debug, Clone, Serialize)]
pub struct DeclineBreakGlass {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The access.
    pub break_glass_id: BreakGlassId,
    /// The details.
    pub request: DeclineBreakGlassRequest,
}

impl Command for DeclineBreakGlass {
    const NAME: &'static str = "break_glass.decline";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let by = session.break_glass_decider(self.organization_id).await?;
        let reason = self.request.reason.clone();
        let break_glass_id = self.break_glass_id;
        let command = BreakGlassCommand::Decline { by, break_glass_id, reason };
        let command = OrganizationCommand::BreakGlass(command);
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}

/// Does not let the operator into the organization.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/break-glass/{break_glass_id}/decline",
    tag = "break-glass",
    params(BreakGlassPath, PostHeaders),
    request_body = Option<DeclineBreakGlassRequest>,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn decline_break_glass(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<BreakGlassPath>,
    OptionalJson(request): OptionalJson<DeclineBreakGlassRequest>,
) -> Result<Response, Problem> {
    let command = DeclineBreakGlass {
        organization_id: path.organization_id,
        break_glass_id: path.break_glass_id,
        request,
    };
    carry_out(&api, asked, command).await
}
