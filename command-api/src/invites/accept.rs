//! Accept an invite: it becomes a member, with the project roles it carries.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand};
use domain::project::{Project, ProjectCommand};
use event_schemas::{InviteId, MemberId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{InvitePath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Who accepts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptInviteRequest {
    /// The login that the new member will be known by.
    pub login: String,
}

/// Accept an invite.
#[derive(Debug, Clone, Serialize)]
pub struct AcceptInvite {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The invite.
    pub invite_id: InviteId,
    /// Who accepts.
    pub request: AcceptInviteRequest,
}

/// An invite that was accepted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InviteAccepted {
    /// The member that it became.
    pub member_id: MemberId,
}

impl Command for AcceptInvite {
    const NAME: &'static str = "invites.accept";
    type Outcome = InviteAccepted;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.permit_operator()?;
        let organization_id = self.organization_id;
        let organization = session.read::<Organization>(organization_id).await?;
        let invite = organization.invite(self.invite_id);
        let grants = invite.map(|invite| invite.projects.clone()).unwrap_or_default();
        let member_id: MemberId = session.new_id();
        let accept = OrganizationCommand::AcceptInvite {
            invite_id: self.invite_id,
            member_id,
            login: self.request.login.clone(),
            now: session.now(),
        };
        session.execute::<Organization>(organization_id, accept).await?;
        for grant in grants {
            // A project that was archived since the invite was sent gives no access any more.
            if session.read::<Project>(grant.project_id).await?.open(organization_id).is_ok() {
                let member = session.active_member(organization_id, member_id).await?;
                let assign = ProjectCommand::AssignMember { member, role: grant.role };
                session.execute::<Project>(grant.project_id, assign).await?;
            }
        }
        Ok(InviteAccepted { member_id })
    }
}

/// Accepts an invite: it becomes a member, with the project roles it carries.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/invites/{invite_id}/accept",
    tag = "invites",
    params(InvitePath, PostHeaders),
    request_body = AcceptInviteRequest,
    responses((status = 201, description = "It is made.", body = Answered<InviteAccepted>), Refusals)
)]
pub(crate) async fn accept_invite(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<InvitePath>,
    Json(request): Json<AcceptInviteRequest>,
) -> Result<Response, Problem> {
    let command =
        AcceptInvite { organization_id: path.organization_id, invite_id: path.invite_id, request };
    create(&api, asked, command, |created| {
        format!("/v1/organizations/{}/members/{}", path.organization_id, created.member_id)
    })
    .await
}
