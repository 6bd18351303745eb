//! Ask to be let into an organization.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Authority, BreakGlassCommand, Organization, OrganizationCommand};
use event_schemas::{BreakGlassId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// An access to ask for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestBreakGlassRequest {
    /// What the emergency is.
    pub reason: String,
    /// For how many minutes, from the approval on: 1 to 240.
    #[schema(minimum = 1, maximum = 240)]
    pub minutes: u32,
}

/// Ask to be let into an organization, for an emergency.
#[derive(Debug, Clone, Serialize)]
pub struct RequestBreakGlass {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The details.
    pub request: RequestBreakGlassRequest,
}

/// An access that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BreakGlassRequested {
    /// Its id.
    pub break_glass_id: BreakGlassId,
}

impl Command for RequestBreakGlass {
    const NAME: &'static str = "break_glass.request";
    type Outcome = BreakGlassRequested;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        if session.authority() != Authority::Operator {
            session.asking(self.organization_id).await?;
            return Err(Refusal::OperatorOnly);
        }
        let break_glass_id: BreakGlassId = session.new_id();
        let request = BreakGlassCommand::Request {
            break_glass_id,
            operator: session.actor_name(),
            reason: self.request.reason.clone(),
            minutes: self.request.minutes,
        };
        let request = OrganizationCommand::BreakGlass(request);
        session.execute::<Organization>(self.organization_id, request).await?;
        Ok(BreakGlassRequested { break_glass_id })
    }
}

/// Asks to be let into an organization, for an emergency. The operator alone asks; an owner, or
/// another operator, approves.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/break-glass",
    tag = "break-glass",
    params(OrganizationPath, PostHeaders),
    request_body = RequestBreakGlassRequest,
    responses((status = 201, description = "It is asked for.", body = Answered<BreakGlassRequested>), Refusals)
)]
pub(crate) async fn request_break_glass(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<RequestBreakGlassRequest>,
) -> Result<Response, Problem> {
    let command = RequestBreakGlass { organization_id: path.organization_id, request };
    create(&api, asked, command, |created| {
        format!("/v1/organizations/{}/break-glass/{}", path.organization_id, created.break_glass_id)
    })
    .await
}
