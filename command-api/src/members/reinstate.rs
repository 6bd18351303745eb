//! Give a suspended member's access back.

use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Give a suspended member's access back.
#[derive(Debug, Clone, Serialize)]
pub struct ReinstateMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
}

impl Command for ReinstateMember {
    const NAME: &'static str = "members.reinstate";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let by = session.authority();
        let command = OrganizationCommand::ReinstateMember { by, member_id: self.member_id };
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}
