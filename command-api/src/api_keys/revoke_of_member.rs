//! Revoke all API keys of a member.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationError};
use event_log::read::KeysOf;
use event_schemas::{MemberId, OrganizationId, Permission};
use serde::Serialize;

use super::revoke::RevokeApiKeyRequest;
use super::revoke_all::ApiKeysRevoked;
use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::execute::{Command, Session};
use crate::parameters::{MemberPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Revoke all API keys of a member.
#[derive(Debug, Clone, Serialize)]
pub struct RevokeApiKeysOfMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
    /// The details.
    pub request: RevokeApiKeyRequest,
}

impl Command for RevokeApiKeysOfMember {
    const NAME: &'static str = "api_keys.revoke_of_member";
    type Outcome = ApiKeysRevoked;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let (organization_id, member_id) = (self.organization_id, self.member_id);
        let is_own = session.authority().member_id() == Some(member_id);
        if !is_own {
            session.permit(organization_id, Permission::ApiKeysUpdate).await?;
        }
        session.open_organization(organization_id).await?;
        let organization = session.read::<Organization>(organization_id).await?;
        if organization.present_member(member_id).is_none() {
            return Err(OrganizationError::MemberNotFound(member_id).into());
        }
        let reason = self.request.reason.as_deref();
        session.revoke_all(organization_id, KeysOf::Member(member_id), reason).await
    }
}

/// Revokes all API keys of a member that work, together: the one that is asked with too, where it is
/// one of them. Anybody may do so with their own.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/members/{member_id}/api-keys/revoke",
    tag = "API keys",
    params(MemberPath, PostHeaders),
    request_body = Option<RevokeApiKeyRequest>,
    responses((status = 200, description = "It is so now.", body = Answered<ApiKeysRevoked>), Refusals)
)]
pub(crate) async fn revoke_api_keys_of_member(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<MemberPath>,
    OptionalJson(request): OptionalJson<RevokeApiKeyRequest>,
) -> Result<Response, Problem> {
    let MemberPath { organization_id, member_id } = path;
    carry_out(&api, asked, RevokeApiKeysOfMember { organization_id, member_id, request }).await
}
