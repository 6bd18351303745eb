//! Change a member's role.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId, OrganizationRole, Permission, SensitiveRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::approvals::Sensitive;
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{ChangeHeaders, MemberPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// The role to give.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMemberRoleRequest {
    /// The new role.
    pub role: OrganizationRole,
}

/// Change a member's role.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeMemberRole {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
    /// The details.
    pub request: ChangeMemberRoleRequest,
}

impl Command for ChangeMemberRole {
    const NAME: &'static str = "members.change_role";
    type Outcome = Sensitive;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Sensitive, Refusal> {
        session.permit(self.organization_id, Permission::MembersUpdate).await?;
        let (member_id, role) = (self.member_id, self.request.role);
        if role == OrganizationRole::Owner {
            let request = SensitiveRequest::ChangeMemberRole { member_id, role };
            return session.do_sensitive(self.organization_id, request).await;
        }
        let raised = session.raises(self.organization_id, member_id, role).await?;
        let by = session.authority();
        let command = OrganizationCommand::ChangeMemberRole { by, member_id, role };
        session.execute::<Organization>(self.organization_id, command).await?;
        if raised {
            session.takes_in(self.organization_id, member_id).await?;
        }
        Ok(Sensitive { approval_id: None })
    }
}

/// Changes a member's role. To make somebody an owner may need a second person's approval.
#[utoipa::path(
    put,
    path = "/v1/organizations/{organization_id}/members/{member_id}/role",
    tag = "members",
    params(MemberPath, ChangeHeaders),
    request_body = ChangeMemberRoleRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Sensitive>), Refusals)
)]
pub(crate) async fn change_member_role(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<MemberPath>,
    Json(request): Json<ChangeMemberRoleRequest>,
) -> Result<Response, Problem> {
    let command = ChangeMemberRole {
        organization_id: path.organization_id,
        member_id: path.member_id,
        request,
    };
    carry_out(&api, asked, command).await
}
