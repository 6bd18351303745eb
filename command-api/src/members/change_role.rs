//! Change a member's role.

use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId, OrganizationRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// The role to give.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMemberRoleRequest {
    /// The new role.
    pub role: OrganizationRole,
}

/// Change a member's role.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeMemberRole {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
    /// The details.
    pub request: ChangeMemberRoleRequest,
}

impl Command for ChangeMemberRole {
    const NAME: &'static str = "members.change_role";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let by = session.authority();
        let command = OrganizationCommand::ChangeMemberRole {
            by,
            member_id: self.member_id,
            role: self.request.role,
        };
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}
