//! Invite somebody.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Duration, Utc};
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{
    InviteId, OrganizationId, OrganizationRole, Permission, PersonId, ProjectGrant, ProjectId,
    ProjectRole,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{AnsweredWithSecret, create};
use crate::asked::Asked;
use crate::checks::storable;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// How long an invite can be accepted where nothing else is asked for.
pub(super) const VALID_FOR: Duration = Duration::days(7);

/// How many projects an invite may carry.
const PROJECTS_MAX: usize = 100;

/// A project role that accepting the invite gives.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteProject {
    /// The project.
    pub project_id: ProjectId,
    /// The role in it.
    pub role: ProjectRole,
}

/// An invite to send.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendInviteRequest {
    /// The address.
    pub email: String,
    /// The role that accepting it gives; by default the one that the organization's settings name.
    #[serde(default)]
    pub role: Option<OrganizationRole>,
    /// The project roles that accepting it gives.
    #[serde(default)]
    pub projects: Vec<InviteProject>,
    /// Until when it can be accepted; by default for seven days.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// Invite somebody.
#[derive(Debug, Clone, Serialize)]
pub struct SendInvite {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The invite.
    pub request: SendInviteRequest,
}

/// An invite that was sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct InviteSent {
    /// Its id.
    pub invite_id: InviteId,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
}

impl Command for SendInvite {
    const NAME: &'static str = "invites.send";
    type Outcome = InviteSent;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let settings = session.read::<Organization>(self.organization_id).await?.settings();
        let role = self.request.role.unwrap_or(settings.default_role);
        session.permit_naming(self.organization_id, Permission::MembersInvite, role).await?;
        storable("expires_at", self.request.expires_at)?;
        if self.request.projects.len() > PROJECTS_MAX {
            let why = "an invite carries at most 100 projects";
            return Err(Refusal::Invalid { field: "projects", why });
        }
        let mut projects = Vec::with_capacity(self.request.projects.len());
        for InviteProject { project_id, role } in &self.request.projects {
            session.open_project(self.organization_id, *project_id).await?;
            session.permit_granting(self.organization_id, *project_id, *role).await?;
            projects.push(ProjectGrant { project_id: *project_id, role: *role });
        }
        let invite_id: InviteId = session.new_id();
        let person_id: PersonId = session.new_id();
        let token = session.new_invite_token()?;
        let now = session.now();
        let expires_at = self.request.expires_at.unwrap_or(now + VALID_FOR);
        let send = OrganizationCommand::SendInvite {
            by: session.authority(),
            invite_id,
            person_id,
            email: self.request.email.clone(),
            role,
            projects,
            expires_at,
            token_hash: Some(token.hash),
            now,
        };
        session.execute::<Organization>(self.organization_id, send).await?;
        session.invites(self.organization_id, invite_id).await?;
        session.reveal(token.plaintext);
        Ok(InviteSent { invite_id, expires_at })
    }
}

/// Invites somebody. The token that accepts it is in the answer, this once: hand it to them.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/invites",
    tag = "invites",
    params(OrganizationPath, PostHeaders),
    request_body = SendInviteRequest,
    responses((status = 201, description = "It is made.", body = AnsweredWithSecret<InviteSent>), Refusals)
)]
pub(crate) async fn send_invite(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<SendInviteRequest>,
) -> Result<Response, Problem> {
    let command = SendInvite { organization_id: path.organization_id, request };
    create(&api, asked, command, |created| {
        format!("/v1/organizations/{}/invites/{}", path.organization_id, created.invite_id)
    })
    .await
}
