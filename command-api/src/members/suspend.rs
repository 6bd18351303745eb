//! Suspend a member's access.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::execute::{Command, Done, Session};
use crate::parameters::{MemberPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendMemberRequest {
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Suspend a member's access.
#[derive(Debug, Clone, Serialize)]
pub struct SuspendMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
    /// The details.
    pub request: SuspendMemberRequest,
}

impl Command for SuspendMember {
    const NAME: &'static str = "members.suspend";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::MembersUpdate).await?;
        let by = session.authority();
        let command = OrganizationCommand::SuspendMember {
            by,
            member_id: self.member_id,
            reason: self.request.reason.clone(),
        };
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}

/// Suspends a member's access.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/members/{member_id}/suspend",
    tag = "members",
    params(MemberPath, PostHeaders),
    request_body = Option<SuspendMemberRequest>,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn suspend_member(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<MemberPath>,
    OptionalJson(request): OptionalJson<SuspendMemberRequest>,
) -> Result<Response, Problem> {
    let command =
        SuspendMember { organization_id: path.organization_id, member_id: path.member_id, request };
    carry_out(&api, asked, command).await
}
