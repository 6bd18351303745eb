//! Remove a webhook.

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
use crate::parameters::{ChangeHeaders, Refusals, WebhookPath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Remove a webhook.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveWebhook {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The webhook.
    pub webhook_id: WebhookId,
}

impl Command for RemoveWebhook {
    const NAME: &'static str = "webhooks.remove";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::WebhooksUpdate).await?;
        let organization = session.open_organization(self.organization_id).await?;
        let remove = WebhookCommand::Remove { organization };
        session.execute::<Webhook>(self.webhook_id, remove).await?;
        Ok(Done {})
    }
}

/// Removes a webhook for good: nothing is sent to it any more.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization_id}/webhooks/{webhook_id}",
    tag = "webhooks",
    params(WebhookPath, ChangeHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn remove_webhook(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<WebhookPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let (organization_id, webhook_id) = (path.organization_id, path.webhook_id);
    carry_out(&api, asked, RemoveWebhook { organization_id, webhook_id }).await
}
