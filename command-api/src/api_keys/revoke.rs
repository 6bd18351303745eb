//! Revoke an API key for good.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::api_key::{ApiKey, ApiKeyCommand};
use event_schemas::{ApiKeyId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ApiKeyPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

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
        session.permit_key(self.organization_id, self.api_key_id).await?;
        let command = ApiKeyCommand::Revoke { reason: self.request.reason.clone() };
        session.execute::<ApiKey>(self.api_key_id, command).await?;
        Ok(Done {})
    }
}

/// Revokes an API key for good.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/api-keys/{api_key_id}/revoke",
    tag = "API keys",
    params(ApiKeyPath, PostHeaders),
    request_body = Option<RevokeApiKeyRequest>,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn revoke_api_key(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ApiKeyPath>,
    OptionalJson(request): OptionalJson<RevokeApiKeyRequest>,
) -> Result<Response, Problem> {
    let command = RevokeApiKey {
        organization_id: path.organization_id,
        api_key_id: path.api_key_id,
        request,
    };
    carry_out(&api, asked, command).await
}
