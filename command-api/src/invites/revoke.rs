//! Take an invite back.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{InviteId, OrganizationId, Permission};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{InvitePath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Take an invite back.
#[derive(Debug, Clone, Serialize)]
pub struct RevokeInvite {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The invite.
    pub invite_id: InviteId,
}

impl Command for RevokeInvite {
    const NAME: &'static str = "invites.revoke";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::MembersInvite).await?;
        let by = session.authority();
        let revoke = OrganizationCommand::RevokeInvite { by, invite_id: self.invite_id };
        session.execute::<Organization>(self.organization_id, revoke).await?;
        Ok(Done {})
    }
}

/// Takes an invite back.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/invites/{invite_id}/revoke",
    tag = "invites",
    params(InvitePath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn revoke_invite(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<InvitePath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let command = RevokeInvite { organization_id: path.organization_id, invite_id: path.invite_id };
    carry_out(&api, asked, command).await
}
