//! Let the operator into the organization.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{BreakGlassCommand, Organization, OrganizationCommand};
use event_schemas::{BreakGlassId, OrganizationId};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{BreakGlassPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Let the operator into the organization.
#[derive(Debug, Clone, Serialize)]
pub struct ApproveBreakGlass {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The access.
    pub break_glass_id: BreakGlassId,
}

impl Command for ApproveBreakGlass {
    const NAME: &'static str = "break_glass.approve";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let by = session.break_glass_decider(self.organization_id).await?;
        let now = session.now();
        let command = BreakGlassCommand::Approve { by, break_glass_id: self.break_glass_id, now };
        let command = OrganizationCommand::BreakGlass(command);
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}

/// Lets the operator into the organization, from now on and for the time asked for. An owner does, or
/// an operator other than the one who asked.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/break-glass/{break_glass_id}/approve",
    tag = "break-glass",
    params(BreakGlassPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn approve_break_glass(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<BreakGlassPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command = ApproveBreakGlass {
        organization_id: path.organization_id,
        break_glass_id: path.break_glass_id,
    };
    carry_out(&api, asked, command).await
}
