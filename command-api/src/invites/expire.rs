//! Record that an invite's time is over.

use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{InviteId, OrganizationId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Record that an invite's time is over.
#[derive(Debug, Clone, Serialize)]
pub struct ExpireInvite {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The invite.
    pub invite_id: InviteId,
}

impl Command for ExpireInvite {
    const NAME: &'static str = "invites.expire";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit_operator()?;
        let now = session.now();
        let expire = OrganizationCommand::ExpireInvite { invite_id: self.invite_id, now };
        session.execute::<Organization>(self.organization_id, expire).await?;
        Ok(Done {})
    }
}
