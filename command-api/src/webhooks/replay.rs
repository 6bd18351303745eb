//! Send events of the past to a webhook again.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::webhook::{Webhook, WebhookCommand};
use event_log::read::of_organization::has_event;
use event_schemas::{OrganizationId, Permission, WebhookId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{PostHeaders, Refusals, WebhookPath};
use crate::refusal::{ExecuteError, Refusal};
use crate::routes::CommandApi;

/// Which events to send again: exactly one of the two is named.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayWebhookRequest {
    /// All after this position that are of the webhook's types, up to the one that it took last.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub after_position: Option<i64>,
    /// The one at this position, as a delivery names it.
    #[serde(default)]
    #[schema(minimum = 1)]
    pub position: Option<i64>,
}

/// Send events of the past to a webhook again.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayWebhook {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// Which events.
    pub request: ReplayWebhookRequest,
}

impl Command for ReplayWebhook {
    const NAME: &'static str = "webhooks.replay";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::WebhooksUpdate).await?;
        let organization = session.open_organization(self.organization_id).await?;
        // Whether the webhook is there comes first: of what is not, nothing more is said.
        session.read::<Webhook>(self.webhook_id).await?.terms(self.organization_id)?;
        let (after_position, upto_position) =
            match (self.request.after_position, self.request.position) {
                (Some(after), None) => (after, None),
                (None, Some(position)) => {
                    let pool = session.log().pool();
                    let is_there = has_event(pool, self.organization_id, position).await;
                    if !is_there.map_err(ExecuteError::Database)? {
                        return Err(Refusal::Invalid {
                            field: "position",
                            why: "no event of the organization stands at that position",
                        });
                    }
                    (position - 1, Some(position))
                }
                (Some(_), Some(_)) | (None, None) => {
                    return Err(Refusal::Invalid {
                        field: "after_position",
                        why: "exactly one of after_position and position says what is sent again",
                    });
                }
            };
        let replay = WebhookCommand::Replay { organization, after_position, upto_position };
        session.execute::<Webhook>(self.webhook_id, replay).await?;
        Ok(Done {})
    }
}

/// Sends events of the past to a webhook again, in order and before what has happened since, however long
/// ago they happened: those from before it was created, too. Each has the `webhook-id` that it always has.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/webhooks/{webhook_id}/replay",
    tag = "webhooks",
    params(WebhookPath, PostHeaders),
    request_body = ReplayWebhookRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn replay_webhook(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<WebhookPath>,
    Json(request): Json<ReplayWebhookRequest>,
) -> Result<Response, Problem> {
    let (organization_id, webhook_id) = (path.organization_id, path.webhook_id);
    carry_out(&api, asked, ReplayWebhook { organization_id, webhook_id, request }).await
}
