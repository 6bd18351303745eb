//! Leave an organization.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId, Permission};
use serde::Serialize;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::NoBody;
use crate::execute::{Command, Done, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Leave an organization: the member who asks.
#[derive(Debug, Clone, Serialize)]
pub struct LeaveOrganization {
    /// The organization.
    pub organization_id: OrganizationId,
}

impl Command for LeaveOrganization {
    const NAME: &'static str = "members.leave";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let member_id = session.permit_leaving(self.organization_id).await?;
        let by = session.authority();
        let leave = OrganizationCommand::RemoveMember { by, member_id, reason: None };
        session.execute::<Organization>(self.organization_id, leave).await?;
        Ok(Done {})
    }
}

impl Session<'_> {
    /// The member who asks. Anybody may leave, whatever their role, but not with a key that is for
    /// less than all that they may do.
    pub(crate) async fn permit_leaving(
        &mut self,
        organization_id: OrganizationId,
    ) -> Result<MemberId, Refusal> {
        let asking = self.asking(organization_id).await?;
        self.open_organization(organization_id).await?;
        let Some(asking) = asking else { return Err(Refusal::MembersOnly) };
        let Some(access) = asking.access() else { return Err(Refusal::MembersOnly) };
        if !self.authority().is_all_of(access.member_id) {
            return Err(Refusal::NotPermitted { permission: Permission::MembersRemove });
        }
        Ok(access.member_id)
    }
}

/// Leaves the organization: the member who asks goes, and with them their keys, their places in
/// projects and groups, and the invites that they have sent.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/leave",
    tag = "members",
    params(OrganizationPath, PostHeaders),
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn leave_organization(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    _: NoBody,
) -> Result<Response, Problem> {
    carry_out(&api, asked, LeaveOrganization { organization_id: path.organization_id }).await
}
