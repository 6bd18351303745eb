//! Disable a webhook.

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

/// Disable a webhook.
#[derive(Debug, Clone, Serialize)]
pub struct DisableWebhook {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The webhook.
    pub webhook_id: WebhookId,
}

impl Command for DisableWebhook {
    const NAME: &'static str = "webhooks.disable";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::WebhooksUpdate).await?;
        let organization = session.open_organization(self.organization_id).await?;
        let disable = WebhookCommand::Disable { organization };
        session.execute::<Webhook>(self.webhook_id, disable).await?;
        Ok(Done {})
    }
}

/// Sends a webhook nothing any more, until it is enabled.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/webhooks/{webhook_id}/disable",
    tag = "webhooks",
    params(WebhookPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn disable_webhook(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<WebhookPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let (organization_id, webhook_id) = (path.organization_id, path.webhook_id);
    carry_out(&api, asked, DisableWebhook { organization_id, webhook_id }).await
}
