//! Approve what waits for a second person: it is done at once.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::approval::{Approval, ApprovalCommand, ApprovalError};
use domain::organization::{Authority, Organization};
use event_schemas::{ApprovalId, OrganizationId, Permission};
use serde::Serialize;

use super::sensitive::permission;
use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ApprovalPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Approve what waits for a second person: it is done at once.
#[derive(Debug, Clone, Serialize)]
pub struct ApproveApproval {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The approval.
    pub approval_id: ApprovalId,
}

impl Command for ApproveApproval {
    const NAME: &'static str = "approvals.approve";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::ApprovalsDecide).await?;
        let approval = session.read::<Approval>(self.approval_id).await?;
        let asked = approval.open(self.organization_id)?.clone();
        let by = session.asking_member(self.organization_id).await?;
        session.in_own_hands(self.organization_id).await?;
        let organization = session.read::<Organization>(self.organization_id).await?;
        if organization.came_in_by(asked.requested_by(), by.member_id()) {
            return Err(ApprovalError::InvitedByYou.into());
        }
        let approve = ApprovalCommand::Approve { by, now: session.now() };
        session.execute::<Approval>(self.approval_id, approve).await?;
        // Who approves must be able to do as much; who asked, still: the command itself says.
        session.permit(self.organization_id, permission(asked.request())).await?;
        session.would_do(self.organization_id, session.authority(), asked.request()).await?;
        session.still_may(self.organization_id, asked.requested_by(), asked.request()).await?;
        session.still_replaces(self.organization_id, asked.request()).await?;
        let requester = Authority::Member(asked.requested_by());
        session.do_it(self.organization_id, requester, asked.request()).await?;
        Ok(Done {})
    }
}

/// Approves what waits for a second person: it is done at once, in the name of who asked. Whoever
/// asked for it cannot approve it.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/approvals/{approval_id}/approve",
    tag = "approvals",
    params(ApprovalPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn approve_approval(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ApprovalPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command =
        ApproveApproval { organization_id: path.organization_id, approval_id: path.approval_id };
    carry_out(&api, asked, command).await
}
