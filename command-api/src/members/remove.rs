//! Take a member out of the organization: their project memberships and keys end with it.

use api_conventions::{Path, Problem, Query};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, MemberPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RemoveMemberRequest {
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Take a member out of the organization: their project memberships and keys end with it.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
    /// The details.
    pub request: RemoveMemberRequest,
}

impl Command for RemoveMember {
    const NAME: &'static str = "members.remove";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let by = session.authority();
        // Anybody may leave.
        if !by.is_all_of(self.member_id) {
            session.permit(self.organization_id, Permission::MembersRemove).await?;
        }
        let command = OrganizationCommand::RemoveMember {
            by,
            member_id: self.member_id,
            reason: self.request.reason.clone(),
        };
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}

/// Takes a member out of the organization: their project memberships and keys end with it.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization_id}/members/{member_id}",
    tag = "members",
    params(MemberPath, RemoveMemberRequest, ChangeHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn remove_member(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<MemberPath>,
    Query(request): Query<RemoveMemberRequest>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command =
        RemoveMember { organization_id: path.organization_id, member_id: path.member_id, request };
    carry_out(&api, asked, command).await
}
