//! Change a member's login.

use domain::organization::{Organization, OrganizationCommand};
use event_schemas::{MemberId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// The login to give.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameMemberRequest {
    /// The new login.
    pub login: String,
}

/// Change a member's login.
#[derive(Debug, Clone, Serialize)]
pub struct RenameMember {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The member.
    pub member_id: MemberId,
    /// The details.
    pub request: RenameMemberRequest,
}

impl Command for RenameMember {
    const NAME: &'static str = "members.rename";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let by = session.authority();
        let command = OrganizationCommand::RenameMember {
            by,
            member_id: self.member_id,
            login: self.request.login.clone(),
        };
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}
