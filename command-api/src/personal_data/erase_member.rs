//! Erase a member who has left: their name and address can be read by nobody any more.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::Organization;
use event_schemas::{MemberId, OrganizationId, Permission, SensitiveRequest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::approvals::Sensitive;
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::execute::{Command, Session};
use crate::parameters::{MemberPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Why somebody is erased.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasePersonRequest {
    /// Why. It stays in the log, so it should name nobody.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Erase a member who has left: their name and address can be read by nobody any more.
#[derive(Debug, Clone, Serialize)]
pub struct EraseMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
    /// The details.
    pub request: ErasePersonRequest,
}

impl Command for EraseMember {
    const NAME: &'static str = "members.erase";
    type Outcome = Sensitive;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Sensitive, Refusal> {
        session.permit(self.organization_id, Permission::PersonalDataErase).await?;
        // What would be refused is refused before anybody is asked to approve it.
        let organization = session.read::<Organization>(self.organization_id).await?;
        organization.erasable_member(self.member_id)?;
        let reason = self.request.reason.clone();
        let request = SensitiveRequest::ErasePersonalData { member_id: self.member_id, reason };
        session.do_sensitive(self.organization_id, request).await
    }
}

/// Erases a member who has left, for good: name, address and logins can be read by nobody any more. What they
/// did, and when, stays. It may need a second person's approval.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/members/{member_id}/erase",
    tag = "members",
    params(MemberPath, PostHeaders),
    request_body = Option<ErasePersonRequest>,
    responses((status = 200, description = "It is so now.", body = Answered<Sensitive>), Refusals)
)]
pub(crate) async fn erase_member(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<MemberPath>,
    OptionalJson(request): OptionalJson<ErasePersonRequest>,
) -> Result<Response, Problem> {
    let command =
        EraseMember { organization_id: path.organization_id, member_id: path.member_id, request };
    carry_out(&api, asked, command).await
}
