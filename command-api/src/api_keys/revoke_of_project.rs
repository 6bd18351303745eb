//! Revoke all API keys of a project.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use event_log::read::KeysOf;
use event_schemas::{OrganizationId, Permission, ProjectId};
use serde::Serialize;

use super::revoke::RevokeApiKeyRequest;
use super::revoke_all::ApiKeysRevoked;
use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::execute::{Command, Session};
use crate::parameters::{PostHeaders, ProjectPath, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Revoke all API keys of a project.
#[derive(Debug, Clone, Serialize)]
pub struct RevokeApiKeysOfProject {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub project_id: ProjectId,
    /// The details.
    pub request: RevokeApiKeyRequest,
}

impl Command for RevokeApiKeysOfProject {
    const NAME: &'static str = "api_keys.revoke_of_project";
    type Outcome = ApiKeysRevoked;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let (organization_id, project_id) = (self.organization_id, self.project_id);
        session.permit_in(organization_id, project_id, Permission::ApiKeysUpdate).await?;
        session.own_project(organization_id, project_id).await?;
        let reason = self.request.reason.as_deref();
        session.revoke_all(organization_id, KeysOf::Project(project_id), reason).await
    }
}

/// Revokes all API keys of a project that work, of members and service accounts, together: the one
/// that is asked with too, where it is one of them.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/projects/{project_id}/api-keys/revoke",
    tag = "API keys",
    params(ProjectPath, PostHeaders),
    request_body = Option<RevokeApiKeyRequest>,
    responses((status = 200, description = "It is so now.", body = Answered<ApiKeysRevoked>), Refusals)
)]
pub(crate) async fn revoke_api_keys_of_project(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ProjectPath>,
    OptionalJson(request): OptionalJson<RevokeApiKeyRequest>,
) -> Result<Response, Problem> {
    let ProjectPath { organization_id, project_id } = path;
    carry_out(&api, asked, RevokeApiKeysOfProject { organization_id, project_id, request }).await
}
