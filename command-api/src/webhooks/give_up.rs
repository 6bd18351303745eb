//! Put on record that a webhook's endpoint takes nothing.

use domain::webhook::{Webhook, WebhookCommand};
use event_schemas::{OrganizationId, WebhookId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Put on record that a webhook's endpoint takes nothing: nothing more is sent to it.
#[derive(Debug, Clone, Serialize)]
pub struct GiveUpWebhook {
    /// The organization, archived or not.
    pub organization_id: OrganizationId,
    /// The webhook.
    pub webhook_id: WebhookId,
    /// The endpoint that was tried.
    pub url: String,
    /// Whether it has answered that it is gone for good.
    pub is_gone: bool,
}

impl Command for GiveUpWebhook {
    const NAME: &'static str = "webhooks.give_up";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_operator()?;
        let give_up = WebhookCommand::GiveUp { url: self.url.clone(), is_gone: self.is_gone };
        session.execute::<Webhook>(self.webhook_id, give_up).await?;
        Ok(Done {})
    }
}
