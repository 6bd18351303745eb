//! Give a webhook a new secret.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::webhook::{GRACE, Webhook, WebhookCommand};
use event_schemas::{OrganizationId, Permission, WebhookId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::secret::SigningSecret;
use crate::answers::{AnsweredWithSecret, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Session};
use crate::parameters::{PostHeaders, Refusals, WebhookPath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Give a webhook a new secret.
#[derive(Debug, Clone, Serialize)]
pub struct RotateWebhookSecret {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The webhook.
    pub webhook_id: WebhookId,
}

/// A webhook that signs with another secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookSecretRotated {
    /// Until when the secret before signs beside it.
    pub previous_signs_until: DateTime<Utc>,
}

impl Command for RotateWebhookSecret {
    const NAME: &'static str = "webhooks.rotate_secret";
    type Outcome = WebhookSecretRotated;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.permit(self.organization_id, Permission::WebhooksUpdate).await?;
        let organization = session.open_organization(self.organization_id).await?;
        let now = session.now();
        let rotate = WebhookCommand::RotateSecret { organization, now };
        session.execute::<Webhook>(self.webhook_id, rotate).await?;
        let webhook = session.read::<Webhook>(self.webhook_id).await?;
        let number = webhook.secret_number(self.organization_id)?;
        session.reveal(SigningSecret::of(session.pepper(), self.webhook_id, number).shown());
        Ok(WebhookSecretRotated { previous_signs_until: now + GRACE })
    }
}

/// Gives a webhook a new secret, which is in the answer, this once. For 24 hours each message has two
/// signatures, one of them by the secret before.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/webhooks/{webhook_id}/rotate-secret",
    tag = "webhooks",
    params(WebhookPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = AnsweredWithSecret<WebhookSecretRotated>), Refusals)
)]
pub(crate) async fn rotate_webhook_secret(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<WebhookPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let (organization_id, webhook_id) = (path.organization_id, path.webhook_id);
    carry_out(&api, asked, RotateWebhookSecret { organization_id, webhook_id }).await
}
