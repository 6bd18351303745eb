//! Change a member's login.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, MemberPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// The login to give.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameMemberRequest {
    /// The new login.
    pub login: String,
}

/// Change a member's login.
#[derive(Debug, Clone, Serialize)]
pub struct RenameMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
    /// The details.
    pub request: RenameMemberRequest,
}

impl Command for RenameMember {
    const NAME: &'static str = "members.rename";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::MembersUpdate).await?;
        let by = session.authority();
        let command = OrganizationCommand::RenameMember {
            by,
            member_id: self.member_id,
            login: self.request.login.clone(),
        };
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}

/// Changes a member's login.
#[utoipa::path(
    put,
    path = "/v1/organizations/{organization_id}/members/{member_id}/login",
    tag = "members",
    params(MemberPath, ChangeHeaders),
    request_body = RenameMemberRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn rename_member(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<MemberPath>,
    Json(request): Json<RenameMemberRequest>,
) -> Result<Response, Problem> {
    let command =
        RenameMember { organization_id: path.organization_id, member_id: path.member_id, request };
    carry_out(&api, asked, command).await
}
