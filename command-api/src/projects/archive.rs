//! Archive a project.

use domain::name::NameScope;
use domain::project::{Project, ProjectCommand};
use event_schemas::{OrganizationId, ProjectId};
use serde::Serialize;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Close a project for good: it takes no keys, members or usage from now on.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveProject {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub project_id: ProjectId,
}

impl Command for ArchiveProject {
    const NAME: &'static str = "projects.archive";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let organization = session.open_organization(self.organization_id).await?;
        let archive = ProjectCommand::Archive { organization };
        session.execute::<Project>(self.project_id, archive).await?;
        let project = session.read::<Project>(self.project_id).await?;
        let name = project.name().unwrap_or_default().to_owned();
        let scope = NameScope::Project(self.organization_id);
        session.release_name(scope, &name, self.project_id).await?;
        Ok(Done {})
    }
}
