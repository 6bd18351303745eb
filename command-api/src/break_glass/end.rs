//! End the operator's access.

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

/// End the operator's access.
#[derive(Debug, Clone, Serialize)]
pub struct EndBreakGlass {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The access.
    pub break_glass_id: BreakGlassId,
}

impl Command for EndBreakGlass {
    const NAME: &'static str = "break_glass.end";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let by = Some(session.break_glass_decider(self.organization_id).await?);
        let now = session.now();
        let command = BreakGlassCommand::End { by, break_glass_id: self.break_glass_id, now };
        let command = OrganizationCommand::BreakGlass(command);
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}

/// Record that the time of the operator's access is over.
#[derive(Debug, Clone, Serialize)]
pub struct ExpireBreakGlass {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The access.
    pub break_glass_id: BreakGlassId,
}

impl Command for ExpireBreakGlass {
    const NAME: &'static str = "break_glass.expire";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_operator()?;
        let now = session.now();
        let break_glass_id = self.break_glass_id;
        let command = BreakGlassCommand::End { by: None, break_glass_id, now };
        let command = OrganizationCommand::BreakGlass(command);
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}

/// Ends the operator's access before its time: an owner does, or the operator.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/break-glass/{break_glass_id}/end",
    tag = "break-glass",
    params(BreakGlassPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn end_break_glass(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<BreakGlassPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command = EndBreakGlass {
        organization_id: path.organization_id,
        break_glass_id: path.break_glass_id,
    };
    carry_out(&api, asked, command).await
}
