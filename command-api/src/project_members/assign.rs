//! Give a member a role in a project.

use domain::project::{Project, ProjectCommand};
use event_schemas::{MemberId, OrganizationId, ProjectId, ProjectRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// Who, and which role.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignProjectMemberRequest {
    /// The member.
    pub member_id: MemberId,
    /// The role.
    pub role: ProjectRole,
}

/// Give a member of the organization a role in one of its projects.
#[derive(Debug, Clone, Serialize)]
pub struct AssignProjectMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub project_id: ProjectId,
    /// The details.
    pub request: AssignProjectMemberRequest,
}

impl Command for AssignProjectMember {
    const NAME: &'static str = "project_members.assign";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let member =
            session.active_member(self.organization_id, self.request.member_id).await?;
        let assign = ProjectCommand::AssignMember { member, role: self.request.role };
        session.execute::<Project>(self.project_id, assign).await?;
        Ok(Done {})
    }
}
