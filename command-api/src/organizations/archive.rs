//! Archive an organization.

use domain::name::NameScope;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::OrganizationId;
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Close an organization for good: all access in it ends.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveOrganization {
    /// The organization.
    pub organization_id: OrganizationId,
}

impl Command for ArchiveOrganization {
    const NAME: &'static str = "organizations.archive";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let id = self.organization_id;
        session.execute::<Organization>(id, OrganizationCommand::Archive).await?;
        let name = session.read::<Organization>(id).await?.name().unwrap_or_default().to_owned();
        session.release_name(NameScope::Organization, &name, id).await?;
        Ok(Done {})
    }
}
