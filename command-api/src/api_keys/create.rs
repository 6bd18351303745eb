//! Create an API key.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::api_key::{ActiveOwner, ApiKey, ApiKeyCommand};
use domain::organization::Organization;
use event_schemas::{
    ApiKeyId, KeyOwner, MemberId, OrganizationId, Permission, ProjectId, ServiceAccountId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{AnsweredWithSecret, create};
use crate::asked::Asked;
use crate::checks::storable;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// An API key to create. It belongs to a member or to a service account: exactly one is named.
/// Without a project it is an admin key, which opens all that the member may do.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateApiKeyRequest {
    /// The project that it works for; without one it is an admin key.
    #[serde(default)]
    pub project_id: Option<ProjectId>,
    /// The member whose it is.
    #[serde(default)]
    pub member_id: Option<MemberId>,
    /// The service account whose it is.
    #[serde(default)]
    pub service_account_id: Option<ServiceAccountId>,
    /// Its name, for example `production-search-indexing`.
    pub name: String,
    /// Until when it works; without one, until it is revoked.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
    /// By when its secret should be rotated; by default as `rotation_days` says.
    #[serde(default)]
    pub rotation_due_at: Option<DateTime<Utc>>,
    /// How many days after each rotation the next is due; by default what the organization's settings
    /// say.
    #[serde(default)]
    pub rotation_days: Option<u32>,
    /// What it is limited to, of what its owner may do; by default all of it.
    #[serde(default)]
    pub scopes: Option<Vec<Permission>>,
}

/// Create an API key.
#[derive(Debug, Clone, Serialize)]
pub struct CreateApiKey {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The key.
    pub request: CreateApiKeyRequest,
}

/// An API key that was created.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyCreated {
    /// Its id.
    pub api_key_id: ApiKeyId,
    /// The secret's beginning and end, to recognise it by.
    pub redacted: String,
}

impl Command for CreateApiKey {
    const NAME: &'static str = "api_keys.create";
    type Outcome = ApiKeyCreated;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let request = &self.request;
        storable("expires_at", request.expires_at)?;
        storable("rotation_due_at", request.rotation_due_at)?;
        let owner = match (request.member_id, request.service_account_id) {
            (Some(member_id), None) => Some(KeyOwner::Member { member_id }),
            (None, Some(service_account_id)) => {
                Some(KeyOwner::ServiceAccount { service_account_id })
            }
            (Some(_), Some(_)) | (None, None) => None,
        };
        let scopes = request.scopes.as_ref().map(|scopes| scopes.iter().copied().collect());
        let (organization_id, project_id) = (self.organization_id, request.project_id);
        session.permit_key_of(organization_id, project_id, owner, scopes).await?;
        let (place, secret_of) = session.key_place(organization_id, project_id).await?;
        let owner = self.owner(session).await?;
        let rules = session.read::<Organization>(organization_id).await?.settings();
        let secret = session.new_secret(secret_of)?;
        let api_key_id: ApiKeyId = session.new_id();
        let create = ApiKeyCommand::Create {
            place,
            rules,
            owner,
            api_key_id,
            name: request.name.clone(),
            secret_hash: secret.hash,
            redacted: secret.redacted.clone(),
            expires_at: request.expires_at,
            rotation_due_at: request.rotation_due_at,
            rotation_days: request.rotation_days,
            scopes,
            now: session.now(),
        };
        session.begin::<ApiKey>(api_key_id, create)?;
        session.hands_out(organization_id, api_key_id).await?;
        session.reveal(secret.plaintext);
        Ok(ApiKeyCreated { api_key_id, redacted: secret.redacted })
    }
}

impl CreateApiKey {
    async fn owner(&self, session: &mut Session<'_>) -> Result<ActiveOwner, Refusal> {
        let organization_id = self.organization_id;
        match (self.request.member_id, self.request.service_account_id) {
            (Some(member_id), None) => {
                Ok(ActiveOwner::Member(session.active_member(organization_id, member_id).await?))
            }
            (None, Some(id)) => Ok(ActiveOwner::ServiceAccount(
                session.active_service_account(organization_id, id).await?,
            )),
            (Some(_), Some(_)) | (None, None) => Err(Refusal::Invalid {
                field: "member_id",
                why: "exactly one of member_id and service_account_id says whose key it is",
            }),
        }
    }
}

/// Creates an API key. Its secret is in the answer, this once.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/api-keys",
    tag = "API keys",
    params(OrganizationPath, PostHeaders),
    request_body = CreateApiKeyRequest,
    responses((status = 201, description = "It is made.", body = AnsweredWithSecret<ApiKeyCreated>), Refusals)
)]
pub(crate) async fn create_api_key(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<CreateApiKeyRequest>,
) -> Result<Response, Problem> {
    let command = CreateApiKey { organization_id: path.organization_id, request };
    create(&api, asked, command, |created| {
        format!("/v1/organizations/{}/api-keys/{}", path.organization_id, created.api_key_id)
    })
    .await
}
