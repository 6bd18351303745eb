//! Hand ownership on.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use event_schemas::{MemberId, OrganizationId, Permission, SensitiveRequest};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::approvals::Sensitive;
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Session};
use crate::parameters::{MemberPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Make another member an owner, and the owner who asks an admin.
#[derive(Debug, Clone, Serialize)]
pub struct TransferOwnership {
    /// The organization.
    pub organization_id: OrganizationId,
    /// Who becomes an owner.
    pub member_id: MemberId,
}

impl Command for TransferOwnership {
    const NAME: &'static str = "members.transfer_ownership";
    type Outcome = Sensitive;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Sensitive, Refusal> {
        session.permit(self.organization_id, Permission::MembersUpdate).await?;
        session.active_member(self.organization_id, self.member_id).await?;
        let request = SensitiveRequest::TransferOwnership { member_id: self.member_id };
        session.do_sensitive(self.organization_id, request).await
    }
}

/// Makes another member an owner, and the owner who asks an admin. It may need a second
/// person's approval.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/members/{member_id}/transfer-ownership",
    tag = "members",
    params(MemberPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Sensitive>), Refusals)
)]
pub(crate) async fn transfer_ownership(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<MemberPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    let MemberPath { organization_id, member_id } = path;
    carry_out(&api, asked, TransferOwnership { organization_id, member_id }).await
}
