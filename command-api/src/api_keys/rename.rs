//! Give an API key another name.

use domain::api_key::{ApiKey, ApiKeyCommand};
use event_schemas::{ApiKeyId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// The name to give.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameApiKeyRequest {
    /// The new name.
    pub name: String,
}

/// Give an API key another name.
#[derive(Debug, Clone, Serialize)]
pub struct RenameApiKey {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The key.
    pub api_key_id: ApiKeyId,
    /// The details.
    pub request: RenameApiKeyRequest,
}

impl Command for RenameApiKey {
    const NAME: &'static str = "api_keys.rename";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.own_api_key(self.organization_id, self.api_key_id).await?;
        let command = ApiKeyCommand::Rename { name: self.request.name.clone() };
        session.execute::<ApiKey>(self.api_key_id, command).await?;
        Ok(Done {})
    }
}
