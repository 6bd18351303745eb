//! Create a webhook.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::webhook::{Webhook, WebhookCommand, WebhookError, WebhookTerms};
use event_log::read::of_organization;
use event_schemas::{OrganizationId, Permission, WebhookId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::secret::SigningSecret;
use crate::answers::{AnsweredWithSecret, create};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::{ExecuteError, Refusal};
use crate::routes::CommandApi;

/// The most webhooks of an organization: each of its events may go to all of them. Some more can slip
/// in where several are created at once.
const WEBHOOKS_MAX: usize = 20;

/// A webhook to create.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhookRequest {
    /// Where events are sent to: `https://…`, without a user, a password or a fragment.
    #[schema(max_length = 2000)]
    pub url: String,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// Which types of events are sent, such as `budget.threshold_reached`; `budget.*` is all of a noun, `*`
    /// all there are.
    #[schema(min_items = 1, max_items = 50)]
    pub event_types: Vec<String>,
}

/// Create a webhook.
#[derive(Debug, Clone, Serialize)]
pub struct CreateWebhook {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The webhook.
    pub request: CreateWebhookRequest,
}

/// A webhook that was created.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WebhookCreated {
    /// Its id.
    pub webhook_id: WebhookId,
}

impl Command for CreateWebhook {
    const NAME: &'static str = "webhooks.create";
    type Outcome = WebhookCreated;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        session.permit(self.organization_id, Permission::WebhooksUpdate).await?;
        let organization = session.open_organization(self.organization_id).await?;
        let there = of_organization::webhooks(session.log().pool(), self.organization_id).await;
        if there.map_err(ExecuteError::Database)? >= WEBHOOKS_MAX {
            return Err(WebhookError::TooMany { max: WEBHOOKS_MAX }.into());
        }
        let CreateWebhookRequest { url, description, event_types } = self.request.clone();
        let webhook_id: WebhookId = session.new_id();
        let create = WebhookCommand::Create {
            webhook_id,
            organization,
            terms: WebhookTerms { url, description, event_types },
            addresses: session.webhook_addresses(),
        };
        session.begin::<Webhook>(webhook_id, create)?;
        let number = session.read::<Webhook>(webhook_id).await?;
        let number = number.secret_number(self.organization_id)?;
        session.reveal(SigningSecret::of(session.pepper(), webhook_id, number).shown());
        Ok(WebhookCreated { webhook_id })
    }
}

/// Creates a webhook: what happens from then on and is of one of these types is sent to it, signed and in
/// order. The secret to verify the signatures with is in the answer, this once.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/webhooks",
    tag = "webhooks",
    params(OrganizationPath, PostHeaders),
    request_body = CreateWebhookRequest,
    responses((status = 201, description = "It is made.", body = AnsweredWithSecret<WebhookCreated>), Refusals)
)]
pub(crate) async fn create_webhook(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<CreateWebhookRequest>,
) -> Result<Response, Problem> {
    let organization_id = path.organization_id;
    create(&api, asked, CreateWebhook { organization_id, request }, |created| {
        format!("/v1/organizations/{organization_id}/webhooks/{}", created.webhook_id)
    })
    .await
}
