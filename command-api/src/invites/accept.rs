//! Accept an invite: it becomes a member, with the project roles it carries.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::api_key::{ActiveOwner, ApiKey, ApiKeyCommand};
use domain::organization::{Authority, Organization, OrganizationCommand, OrganizationError};
use domain::project::{Project, ProjectCommand};
use event_schemas::{
    ApiKeyId, InviteId, MemberId, OrganizationId, OrganizationSettings, ProjectGrant,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{AnsweredWithSecret, create};
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
    /// The member's first credential: an admin key, with all that the member may do.
    pub api_key_id: ApiKeyId,
}

impl Command for AcceptInvite {
    const NAME: &'static str = "invites.accept";
    type Outcome = InviteAccepted;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let organization_id = self.organization_id;
        self.permit_holder(session)?;
        let organization = session.read::<Organization>(organization_id).await?;
        let invite = organization.invite(self.invite_id);
        let grants = invite.map(|invite| invite.projects.clone()).unwrap_or_default();
        let offered_by = invite.and_then(|invite| invite.invited_by);
        let rules = organization.settings();
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
                self.still_offered(session, offered_by, &grant).await?;
                let member = session.active_member(organization_id, member_id).await?;
                let assign = ProjectCommand::AssignMember { member, role: grant.role };
                session.execute::<Project>(grant.project_id, assign).await?;
            }
        }
        let api_key_id = first_key(session, organization_id, member_id, rules).await?;
        Ok(InviteAccepted { member_id, api_key_id })
    }
}

impl AcceptInvite {
    /// An invite is accepted by whoever holds its token; orgledger itself accepts what it imports.
    fn permit_holder(&self, session: &Session<'_>) -> Result<(), Refusal> {
        match session.authority() {
            Authority::Invited(invite_id) if invite_id == self.invite_id => Ok(()),
            Authority::System => Ok(()),
            Authority::Invited(_)
            | Authority::Operator
            | Authority::Member(_)
            | Authority::ApiKey { .. }
            | Authority::Nobody => Err(OrganizationError::InviteNotFound(self.invite_id).into()),
        }
    }

    /// Refuses a project role that whoever sent the invite last could not give there any more.
    async fn still_offered(
        &self,
        session: &mut Session<'_>,
        offered_by: Option<MemberId>,
        grant: &ProjectGrant,
    ) -> Result<(), Refusal> {
        let Some(inviter) = offered_by else { return Ok(()) };
        let organization = session.read::<Organization>(self.organization_id).await?;
        let access = organization.access_of(inviter);
        let project = session.read::<Project>(grant.project_id).await?;
        let may = access.is_some_and(|access| {
            access.in_project(grant.project_id, project).covers(grant.role.permissions())
        });
        if may { Ok(()) } else { Err(OrganizationError::InviteNotOffered(self.invite_id).into()) }
    }
}

/// The new member's own credential: an admin key, shown this once.
pub(crate) async fn first_key(
    session: &mut Session<'_>,
    organization_id: OrganizationId,
    member_id: MemberId,
    rules: OrganizationSettings,
) -> Result<ApiKeyId, Refusal> {
    let member = session.active_member(organization_id, member_id).await?;
    let (place, secret_of) = session.key_place(organization_id, None).await?;
    let secret = session.new_secret(secret_of)?;
    let api_key_id: ApiKeyId = session.new_id();
    let create = ApiKeyCommand::Create {
        place,
        // Nobody chose this name, so no convention binds it.
        rules: OrganizationSettings { api_key_name_pattern: None, ..rules },
        owner: ActiveOwner::Member(member),
        api_key_id,
        name: "first credential".to_owned(),
        secret_hash: secret.hash,
        redacted: secret.redacted,
        expires_at: None,
        rotation_due_at: None,
        rotation_days: None,
        scopes: None,
        now: session.now(),
    };
    session.begin::<ApiKey>(api_key_id, create)?;
    session.reveal(secret.plaintext);
    Ok(api_key_id)
}

/// Accepts an invite, with its token as the bearer credential: it becomes a member, with the project
/// roles it carries and a credential of their own, which is in the answer, this once.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/invites/{invite_id}/accept",
    tag = "invites",
    params(InvitePath, PostHeaders),
    request_body = AcceptInviteRequest,
    responses((status = 201, description = "It is made.", body = AnsweredWithSecret<InviteAccepted>), Refusals)
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
