//! Decline what waits for a second person.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::approval::{Approval, ApprovalCommand};
use event_schemas::{ApprovalId, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ApprovalPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclineApprovalRequest {
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Decline what waits for a second person.
#[derive(Debug, Clone, Serialize)]
pub struct DeclineApproval {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The approval.
    pub approval_id: ApprovalId,
    /// The details.
    pub request: DeclineApprovalRequest,
}

impl Command for DeclineApproval {
    const NAME: &'static str = "approvals.decline";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::ApprovalsDecide).await?;
        session.read::<Approval>(self.approval_id).await?.open(self.organization_id)?;
        let by = session.asking_member(self.organization_id).await?;
        session.in_own_hands(self.organization_id).await?;
        let decline = ApprovalCommand::Decline { by, reason: self.request.reason.clone() };
        session.execute::<Approval>(self.approval_id, decline).await?;
        Ok(Done {})
    }
}

/// Declines what waits for a second person. Whoever asked for it cannot.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/approvals/{approval_id}/decline",
    tag = "approvals",
    params(ApprovalPath, PostHeaders),
    request_body = Option<DeclineApprovalRequest>,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn decline_approval(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ApprovalPath>,
    OptionalJson(request): OptionalJson<DeclineApprovalRequest>,
) -> Result<Response, Problem> {
    let command = DeclineApproval {
        organization_id: path.organization_id,
        approval_id: path.approval_id,
        request,
    };
    carry_out(&api, asked, command).await
}
