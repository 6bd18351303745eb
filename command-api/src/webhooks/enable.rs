//! Enable a webhook.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::webhook::{Webhook, WebhookCommand};
use event_schemas::{OrganizationId, Permission, WebhookId};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{PostHeaders, Refusals, WebhookPath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Enable a webhook.
#[derive(Debug, Clone, Serialize)]
pub struct EnableWebhook {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The webhook.
    pub webhook_id: WebhookId,
}

impl Command for EnableWebhook {
    const NAME: &'static str = "webhooks.enable";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::WebhooksUpdate).await?;
        let organization = session.open_organization(self.organization_id).await?;
        let enable = WebhookCommand::Enable { organization };
        session.execute::<Webhook>(self.webhook_id, enable).await?;
        Ok(Done {})
    }
}

/// Sends to a webhook again, from the event on that it has not taken yet.
///
/// A webhook is disabled by itself where its endpoint took none of the tries to send it an event, or has
/// answered that it is gone for good (410).
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/webhooks/{webhook_id}/enable",
    tag = "webhooks",
    params(WebhookPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn enable_webhook(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<WebhookPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let (organization_id, webhook_id) = (path.organization_id, path.webhook_id);
    carry_out(&api, asked, EnableWebhook { organization_id, webhook_id }).await
}
