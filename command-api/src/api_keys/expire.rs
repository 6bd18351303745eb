//! Record that an API key's time is over.

use domain::api_key::{ApiKey, ApiKeyCommand};
use event_schemas::{ApiKeyId, OrganizationId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Record that an API key's time is over.
#[derive(Debug, Clone, Serialize)]
pub struct ExpireApiKey {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The key.
    pub api_key_id: ApiKeyId,
}

impl Command for ExpireApiKey {
    const NAME: &'static str = "api_keys.expire";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_operator()?;
        session.own_api_key(self.organization_id, self.api_key_id).await?;
        let command = ApiKeyCommand::Expire { now: session.now() };
        session.execute::<ApiKey>(self.api_key_id, command).await?;
        Ok(Done {})
    }
}
