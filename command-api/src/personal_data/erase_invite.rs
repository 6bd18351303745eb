//! Erase whom an invite was sent to, where it has ended.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::Organization;
use event_schemas::{InviteId, OrganizationId, Permission};
use serde::Serialize;

use super::erase;
use super::erase_member::ErasePersonRequest;
use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::execute::{Command, Done, Session};
use crate::parameters::{InvitePath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Erase whom an invite was sent to, where it has ended.
#[derive(Debug, Clone, Serialize)]
pub struct EraseInvite {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The invite.
    pub invite_id: InviteId,
    /// The details.
    pub request: ErasePersonRequest,
}

impl Command for EraseInvite {
    const NAME: &'static str = "invites.erase";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::PersonalDataErase).await?;
        let organization = session.read::<Organization>(self.organization_id).await?;
        let person = organization.erasable_invite(self.invite_id)?;
        erase(session, person, self.request.reason.as_deref()).await?;
        Ok(Done {})
    }
}

/// Erases whom an invite was sent to, for good: the address can be read by nobody any more. The invite has to
/// have ended without having been accepted; whoever came in by it is erased as a member.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/invites/{invite_id}/erase",
    tag = "invites",
    params(InvitePath, PostHeaders),
    request_body = Option<ErasePersonRequest>,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn erase_invite(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<InvitePath>,
    OptionalJson(request): OptionalJson<ErasePersonRequest>,
) -> Result<Response, Problem> {
    let command =
        EraseInvite { organization_id: path.organization_id, invite_id: path.invite_id, request };
    carry_out(&api, asked, command).await
}
