//! Suspend a member's access.

use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendMemberRequest {
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Suspend a member's access.
#[derive(Debug, Clone, Serialize)]
pub struct SuspendMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
    /// The details.
    pub request: SuspendMemberRequest,
}

impl Command for SuspendMember {
    const NAME: &'static str = "members.suspend";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let by = session.authority();
        let command = OrganizationCommand::SuspendMember {
            by,
            member_id: self.member_id,
            reason: self.request.reason.clone(),
        };
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}
