//! Change a webhook.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::webhook::{Webhook, WebhookCommand, WebhookTerms};
use event_schemas::{OrganizationId, Permission, WebhookId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ChangeHeaders, Refusals, WebhookPath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// What to change; what is left out stays as it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeWebhookRequest {
    /// Where events are sent to from now on.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub url: Option<String>,
    /// What it is for; empty for nothing.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// Which types of events are sent from now on: all of them.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 50)]
    pub event_types: Option<Vec<String>>,
}

/// Change a webhook.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeWebhook {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// What to change.
    pub request: ChangeWebhookRequest,
}

impl Command for ChangeWebhook {
    const NAME: &'static str = "webhooks.change";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::WebhooksUpdate).await?;
        let organization = session.open_organization(self.organization_id).await?;
        let present = session.read::<Webhook>(self.webhook_id).await?;
        let present = present.terms(self.organization_id)?.clone();
        let ChangeWebhookRequest { url, description, event_types } = self.request.clone();
        let terms = WebhookTerms {
            url: url.unwrap_or(present.url),
            description: description.or(present.description),
            event_types: event_types.unwrap_or(present.event_types),
        };
        let addresses = session.webhook_addresses();
        let change = WebhookCommand::Change { organization, terms, addresses };
        session.execute::<Webhook>(self.webhook_id, change).await?;
        Ok(Done {})
    }
}

/// Changes a webhook. What it has not taken yet is tried at once, at the new URL and by the new types.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{organization_id}/webhooks/{webhook_id}",
    tag = "webhooks",
    params(WebhookPath, ChangeHeaders),
    request_body = ChangeWebhookRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn change_webhook(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<WebhookPath>,
    Json(request): Json<ChangeWebhookRequest>,
) -> Result<Response, Problem> {
    let (organization_id, webhook_id) = (path.organization_id, path.webhook_id);
    carry_out(&api, asked, ChangeWebhook { organization_id, webhook_id, request }).await
}
