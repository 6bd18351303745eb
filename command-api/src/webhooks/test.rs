//! Send a test message to a webhook.

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

/// Send a test message to a webhook.
#[derive(Debug, Clone, Serialize)]
pub struct TestWebhook {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The webhook.
    pub webhook_id: WebhookId,
}

impl Command for TestWebhook {
    const NAME: &'static str = "webhooks.test";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::WebhooksUpdate).await?;
        let organization = session.open_organization(self.organization_id).await?;
        let test = WebhookCommand::Test { organization };
        session.execute::<Webhook>(self.webhook_id, test).await?;
        Ok(Done {})
    }
}

/// Sends a test message, of type `webhook.test`, to a webhook, disabled or not, and whatever its event types
/// are: once, and before all else that waits. What came of it is among the deliveries, at the position that
/// is answered here; nothing else follows from it.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/webhooks/{webhook_id}/test",
    tag = "webhooks",
    params(WebhookPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn test_webhook(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<WebhookPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let (organization_id, webhook_id) = (path.organization_id, path.webhook_id);
    carry_out(&api, asked, TestWebhook { organization_id, webhook_id }).await
}
