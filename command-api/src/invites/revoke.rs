//! Take an invite back.

use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{InviteId, OrganizationId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Take an invite back.
#[derive(Debug, Clone, Serialize)]
pub struct RevokeInvite {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The invite.
    pub invite_id: InviteId,
}

impl Command for RevokeInvite {
    const NAME: &'static str = "invites.revoke";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let by = session.authority();
        let revoke = OrganizationCommand::RevokeInvite { by, invite_id: self.invite_id };
        session.execute::<Organization>(self.organization_id, revoke).await?;
        Ok(Done {})
    }
}
