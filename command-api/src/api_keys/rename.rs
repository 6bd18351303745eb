//! Give an API key another name.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::api_key::{ApiKey, ApiKeyCommand};
use domain::organization::Organization;
use event_schemas::{ApiKeyId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{ApiKeyPath, ChangeHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

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
        let project_id = session.permit_key(self.organization_id, self.api_key_id).await?;
        // What is closed stays as it is, as with rotating.
        session.key_place(self.organization_id, project_id).await?;
        let rules = session.read::<Organization>(self.organization_id).await?.settings();
        let command = ApiKeyCommand::Rename { rules, name: self.request.name.clone() };
        session.execute::<ApiKey>(self.api_key_id, command).await?;
        Ok(Done {})
    }
}

/// Gives an API key another name.
#[utoipa::path(
    patch,
    path = "/v1/organizations/{organization_id}/api-keys/{api_key_id}",
    tag = "API keys",
    params(ApiKeyPath, ChangeHeaders),
    request_body = RenameApiKeyRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn rename_api_key(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ApiKeyPath>,
    Json(request): Json<RenameApiKeyRequest>,
) -> Result<Response, Problem> {
    let command = RenameApiKey {
        organization_id: path.organization_id,
        api_key_id: path.api_key_id,
        request,
    };
    carry_out(&api, asked, command).await
}
