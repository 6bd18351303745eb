//! Invite many at once, each by itself.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use event_schemas::{InviteId, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::send::{InviteSent, SendInvite, SendInviteRequest};
use crate::answers::{Answered, carry_out_showing};
use crate::asked::Asked;
use crate::execute::{Command, Secret, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::problems;
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// How many invites one request may have.
pub const INVITES_MAX: usize = 500;

/// Invites to send.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendInvitesRequest {
    /// 1 to 500 invites.
    #[schema(min_items = 1, max_items = 500)]
    pub invites: Vec<SendInviteRequest>,
}

/// Invite many at once. It is one command: where it is sent again, every line of it is as it was.
#[derive(Debug, Clone, Serialize)]
pub struct SendInvites {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The invites.
    pub request: SendInvitesRequest,
}

/// What became of many invites.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InvitesSent {
    /// What became of each, in the order of the request.
    pub invites: Vec<InviteOfMany>,
}

/// What became of one invite among many.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum InviteOfMany {
    /// It was sent.
    Sent(InviteSent),
    /// It was refused; the others are not touched by that.
    Refused {
        /// Why, as it would be answered if it were alone.
        problem: Value,
    },
}

impl Command for SendInvites {
    const NAME: &'static str = "invites.send_in_bulk";
    type Outcome = InvitesSent;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    /// An invite decides at most once, and last of all: one that is refused has left nothing behind
    /// that would have to be undone.
    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let organization_id = self.organization_id;
        // What stands against all of them stands against the request.
        session.permit(organization_id, Permission::MembersInvite).await?;
        session.open_organization(organization_id).await?;
        if !(1..=INVITES_MAX).contains(&self.request.invites.len()) {
            let why = "it must have 1 to 500 invites";
            return Err(Refusal::Invalid { field: "invites", why });
        }
        let mut invites = Vec::with_capacity(self.request.invites.len());
        for request in &self.request.invites {
            let invite = SendInvite { organization_id, request: request.clone() };
            invites.push(match invite.handle(session).await {
                Ok(sent) => InviteOfMany::Sent(sent),
                Err(Refusal::Failed(error)) => return Err(Refusal::Failed(error)),
                Err(Refusal::PreconditionFailed { sequence }) => {
                    return Err(Refusal::PreconditionFailed { sequence });
                }
                Err(refusal) => {
                    InviteOfMany::Refused { problem: problems::of_refusal(refusal).within() }
                }
            });
        }
        Ok(InvitesSent { invites })
    }
}

/// What became of many invites.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvitesAnswered {
    /// What became of each, in the order of the request.
    invites: Vec<InviteAnswered>,
}

/// What became of one invite among many: `sent`, or `refused`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
enum InviteAnswered {
    /// It was sent.
    Sent {
        /// Its id.
        invite_id: InviteId,
        /// Until when it can be accepted.
        expires_at: DateTime<Utc>,
        /// The token that accepts it, shown this once. The answer to a request that is sent again
        /// does not have it.
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<String>,
    },
    /// It was refused; the others are not touched by that.
    Refused {
        /// Why: the problem that it would be answered with if it were alone.
        #[schema(value_type = Object)]
        problem: Value,
    },
}

/// Each with its token: there is one for each that was sent, in their order, or there is none.
fn with_tokens(sent: InvitesSent, secrets: Vec<Secret>) -> InvitesAnswered {
    let mut secrets = secrets.into_iter();
    let answered = |invite| match invite {
        InviteOfMany::Sent(InviteSent { invite_id, expires_at }) => {
            let secret = secrets.next().map(|secret| secret.reveal().to_owned());
            InviteAnswered::Sent { invite_id, expires_at, secret }
        }
        InviteOfMany::Refused { problem } => InviteAnswered::Refused { problem },
    };
    InvitesAnswered { invites: sent.invites.into_iter().map(answered).collect() }
}

/// Invites many at once, each by itself: those that can be sent are, together, and the others are
/// refused. The tokens are in the answer, this once.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/invites/bulk",
    tag = "invites",
    params(OrganizationPath, PostHeaders),
    request_body = SendInvitesRequest,
    responses((status = 200, description = "What became of each.", body = Answered<InvitesAnswered>), Refusals)
)]
pub(crate) async fn send_invites_in_bulk(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<SendInvitesRequest>,
) -> Result<Response, Problem> {
    let command = SendInvites { organization_id: path.organization_id, request };
    carry_out_showing(&api, asked, command, with_tokens).await
}
