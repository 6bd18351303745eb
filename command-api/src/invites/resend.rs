//! Send an invite again, with a new token.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::organization::{Organization, OrganizationCommand};
use domain::project::Project;
use event_schemas::{InviteId, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::send::{InviteSent, VALID_FOR};
use crate::answers::{AnsweredWithSecret, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::checks::storable;
use crate::execute::{Command, Session};
use crate::parameters::{InvitePath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Until when.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendInviteRequest {
    /// Until when it can be accepted; by default for seven days from now.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// Send an invite again, with a new token.
#[derive(Debug, Clone, Serialize)]
pub struct ResendInvite {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The invite.
    pub invite_id: InviteId,
    /// The details.
    pub request: ResendInviteRequest,
}

impl Command for ResendInvite {
    const NAME: &'static str = "invites.resend";
    type Outcome = InviteSent;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let (organization_id, invite_id) = (self.organization_id, self.invite_id);
        self.permit_resending(session).await?;
        storable("expires_at", self.request.expires_at)?;
        self.permit_projects(session).await?;
        let token = session.new_invite_token()?;
        let now = session.now();
        let expires_at = self.request.expires_at.unwrap_or(now + VALID_FOR);
        let resend = OrganizationCommand::ResendInvite {
            by: session.authority(),
            invite_id,
            expires_at,
            token_hash: token.hash,
            now,
        };
        session.execute::<Organization>(organization_id, resend).await?;
        session.invites(organization_id, invite_id).await?;
        session.reveal(token.plaintext);
        Ok(InviteSent { invite_id, expires_at })
    }
}

impl ResendInvite {
    async fn permit_resending(&self, session: &mut Session<'_>) -> Result<(), Refusal> {
        let (organization_id, permission) = (self.organization_id, Permission::MembersInvite);
        let organization = session.read::<Organization>(organization_id).await?;
        match organization.invite(self.invite_id).map(|invite| invite.role) {
            Some(role) => session.permit_naming(organization_id, permission, role).await,
            None => session.permit(organization_id, permission).await,
        }
    }

    /// Whoever gets the token could accept the invite: so it carries no project role that the one who
    /// asks could not give. What was archived meanwhile gives nothing.
    async fn permit_projects(&self, session: &mut Session<'_>) -> Result<(), Refusal> {
        let organization = session.read::<Organization>(self.organization_id).await?;
        let invite = organization.invite(self.invite_id);
        let projects = invite.map(|invite| invite.projects.clone()).unwrap_or_default();
        for grant in projects {
            let project = session.read::<Project>(grant.project_id).await?;
            if project.open(self.organization_id).is_ok() {
                let (organization_id, project_id) = (self.organization_id, grant.project_id);
                session.permit_granting(organization_id, project_id, grant.role).await?;
            }
        }
        Ok(())
    }
}

/// Sends an invite again. Its new token is in the answer, this once; the one before is worth nothing
/// from now on.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/invites/{invite_id}/resend",
    tag = "invites",
    params(InvitePath, PostHeaders),
    request_body = Option<ResendInviteRequest>,
    responses((status = 200, description = "It is so now.", body = AnsweredWithSecret<InviteSent>), Refusals)
)]
pub(crate) async fn resend_invite(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<InvitePath>,
    OptionalJson(request): OptionalJson<ResendInviteRequest>,
) -> Result<Response, Problem> {
    let InvitePath { organization_id, invite_id } = path;
    carry_out(&api, asked, ResendInvite { organization_id, invite_id, request }).await
}
