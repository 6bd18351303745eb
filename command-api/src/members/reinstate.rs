//! Give a suspended member's access back.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId, Permission};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{MemberPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Give a suspended member's access back.
#[derive(Debug, Clone, Serialize)]
pub struct ReinstateMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
}

impl Command for ReinstateMember {
    const NAME: &'static str = "members.reinstate";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::MembersUpdate).await?;
        let by = session.authority();
        let command = OrganizationCommand::ReinstateMember { by, member_id: self.member_id };
        session.execute::<Organization>(self.organization_id, command).await?;
        session.takes_in(self.organization_id, self.member_id).await?;
        Ok(Done {})
    }
}

/// Gives a suspended member's access back.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/members/{member_id}/reinstate",
    tag = "members",
    params(MemberPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn reinstate_member(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<MemberPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command =
        ReinstateMember { organization_id: path.organization_id, member_id: path.member_id };
    carry_out(&api, asked, command).await
}
