//! Give an API key a new secret.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Duration, Utc};
use domain::api_key::{ApiKey, ApiKeyCommand};
use event_schemas::{ApiKeyId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{AnsweredWithSecret, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::checks::storable;
use crate::execute::{Command, Session};
use crate::parameters::{ApiKeyPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// How to rotate.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateApiKeyRequest {
    /// For how many seconds the old secret is still accepted: 0 to 2,592,000 (30 days).
    #[serde(default)]
    pub grace_seconds: u32,
    /// By when it should be rotated again.
    #[serde(default)]
    pub rotation_due_at: Option<DateTime<Utc>>,
}

/// Give an API key a new secret.
#[derive(Debug, Clone, Serialize)]
pub struct RotateApiKey {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The key.
    pub api_key_id: ApiKeyId,
    /// How.
    pub request: RotateApiKeyRequest,
}

/// An API key that was rotated.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyRotated {
    /// The new secret's beginning and end, to recognise it by.
    pub redacted: String,
    /// Until when the old secret is still accepted.
    pub previous_valid_until: DateTime<Utc>,
}

impl Command for RotateApiKey {
    const NAME: &'static str = "api_keys.rotate";
    type Outcome = ApiKeyRotated;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        storable("rotation_due_at", self.request.rotation_due_at)?;
        let project_id = session.permit_secret_of(self.organization_id, self.api_key_id).await?;
        let (place, secret_of) = session.key_place(self.organization_id, project_id).await?;
        let secret = session.new_secret(secret_of)?;
        let grace = Duration::seconds(i64::from(self.request.grace_seconds));
        let now = session.now();
        let rotate = ApiKeyCommand::Rotate {
            place,
            secret_hash: secret.hash,
            redacted: secret.redacted.clone(),
            grace,
            rotation_due_at: self.request.rotation_due_at,
            now,
        };
        session.execute::<ApiKey>(self.api_key_id, rotate).await?;
        session.hands_out(self.organization_id, self.api_key_id).await?;
        session.reveal(secret.plaintext);
        Ok(ApiKeyRotated { redacted: secret.redacted, previous_valid_until: now + grace })
    }
}

/// Gives an API key a new secret, which is in the answer, this once.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/api-keys/{api_key_id}/rotate",
    tag = "API keys",
    params(ApiKeyPath, PostHeaders),
    request_body = Option<RotateApiKeyRequest>,
    responses((status = 200, description = "It is so now.", body = AnsweredWithSecret<ApiKeyRotated>), Refusals)
)]
pub(crate) async fn rotate_api_key(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ApiKeyPath>,
    OptionalJson(request): OptionalJson<RotateApiKeyRequest>,
) -> Result<Response, Problem> {
    let command = RotateApiKey {
        organization_id: path.organization_id,
        api_key_id: path.api_key_id,
        request,
    };
    carry_out(&api, asked, command).await
}
