//! Revoke an API key for good.

use domain::api_key::{ApiKey, ApiKeyCommand};
use event_schemas::{ApiKeyId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeApiKeyRequest {
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Revoke an API key for good.
#[derive(Debug, Clone, Serialize)]
pub struct RevokeApiKey {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The key.
    pub api_key_id: ApiKeyId,
    /// The details.
    pub request: RevokeApiKeyRequest,
}

impl Command for RevokeApiKey {
    const NAME: &'static str = "api_keys.revoke";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.own_api_key(self.organization_id, self.api_key_id).await?;
        let command = ApiKeyCommand::Revoke { reason: self.request.reason.clone() };
        session.execute::<ApiKey>(self.api_key_id, command).await?;
        Ok(Done {})
    }
}
