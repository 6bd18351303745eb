//! Take back what waits for a second person.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::approval::{Approval, ApprovalCommand};
use event_schemas::{ApprovalId, OrganizationId};
use serde::Serialize;

use super::sensitive::permission;
use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ApprovalPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Take back what waits for a second person.
#[derive(Debug, Clone, Serialize)]
pub struct WithdrawApproval {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The approval.
    pub approval_id: ApprovalId,
}

impl Command for WithdrawApproval {
    const NAME: &'static str = "approvals.withdraw";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.asking(self.organization_id).await?;
        let approval = session.read::<Approval>(self.approval_id).await?;
        let needed = permission(approval.open(self.organization_id)?.request());
        let by = session.asking_member(self.organization_id).await?;
        // A limited key takes back what it could have asked for. Who asked may have lost that since.
        if !session.authority().is_all_of(by.member_id()) {
            session.permit(self.organization_id, needed).await?;
        }
        session.execute::<Approval>(self.approval_id, ApprovalCommand::Withdraw { by }).await?;
        Ok(Done {})
    }
}

/// Takes back what waits for a second person. Only who asked for it can.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/approvals/{approval_id}/withdraw",
    tag = "approvals",
    params(ApprovalPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn withdraw_approval(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ApprovalPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command =
        WithdrawApproval { organization_id: path.organization_id, approval_id: path.approval_id };
    carry_out(&api, asked, command).await
}
