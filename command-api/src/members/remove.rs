//! Take a member out of the organization: their project memberships and keys end with it.

use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveMemberRequest {
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Take a member out of the organization: their project memberships and keys end with it.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
    /// The details.
    pub request: RemoveMemberRequest,
}

impl Command for RemoveMember {
    const NAME: &'static str = "members.remove";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let by = session.authority();
        let command = OrganizationCommand::RemoveMember {
            by,
            member_id: self.member_id,
            reason: self.request.reason.clone(),
        };
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}
