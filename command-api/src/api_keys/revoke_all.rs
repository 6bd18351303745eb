//! Revoke all API keys of a member, or of a project, at once.

use domain::api_key::{ApiKey, ApiKeyCommand};
use event_log::read::{KeysOf, api_keys_of};
use event_schemas::OrganizationId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::Session;
use crate::refusal::{ExecuteError, Refusal};

/// API keys that were revoked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiKeysRevoked {
    /// How many: those that worked until now.
    pub revoked: usize,
}

impl Session<'_> {
    /// Revokes each that works, where all of them may be revoked. They are found in the log itself,
    /// so one that was made a moment ago is among them.
    pub(super) async fn revoke_all(
        &mut self,
        organization_id: OrganizationId,
        of: KeysOf,
        reason: Option<&str>,
    ) -> Result<ApiKeysRevoked, Refusal> {
        let found = api_keys_of(self.log().pool(), of).await.map_err(ExecuteError::Database)?;
        let now = self.now();
        let mut revoked = 0;
        for api_key_id in found {
            if self.read::<ApiKey>(api_key_id).await?.usable(now).is_err() {
                continue;
            }
            self.permit_key(organization_id, api_key_id).await?;
            let revoke = ApiKeyCommand::Revoke { reason: reason.map(str::to_owned) };
            self.execute::<ApiKey>(api_key_id, revoke).await?;
            revoked += 1;
        }
        Ok(ApiKeysRevoked { revoked })
    }
}
