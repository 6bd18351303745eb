//! Take a member out of a project.

use domain::project::{Project, ProjectCommand};
use event_schemas::{MemberId, OrganizationId, ProjectId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Take a member out of a project.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveProjectMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub project_id: ProjectId,
    /// The member.
    pub member_id: MemberId,
}

impl Command for RemoveProjectMember {
    const NAME: &'static str = "project_members.remove";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let organization = session.open_organization(self.organization_id).await?;
        let remove = ProjectCommand::RemoveMember { organization, member_id: self.member_id };
        session.execute::<Project>(self.project_id, remove).await?;
        Ok(Done {})
    }
}
