//! Change an organization's profile.

use domain::name::NameScope;
use domain::organization::{Organization, OrganizationCommand};
use event_schemas::OrganizationId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::execute::{Command, Done, Session};
use crate::refusal::Refusal;

/// What to change; what is left out stays as it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateOrganizationRequest {
    /// The new name.
    #[serde(default)]
    pub name: Option<String>,
    /// The new seat limit.
    #[serde(default)]
    pub seat_limit: Option<u32>,
}

/// Change an organization's profile.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateOrganization {
    /// The organization.
    pub organization_id: OrganizationId,
    /// What to change.
    pub request: UpdateOrganizationRequest,
}

impl Command for UpdateOrganization {
    const NAME: &'static str = "organizations.update";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let id = self.organization_id;
        let organization = session.read::<Organization>(id).await?;
        organization.active()?;
        let old_name = organization.name().unwrap_or_default().to_owned();
        let update = OrganizationCommand::Update {
            name: self.request.name.clone(),
            seat_limit: self.request.seat_limit,
        };
        session.execute::<Organization>(id, update).await?;
        if let Some(name) = &self.request.name {
            session.change_name(NameScope::Organization, &old_name, name, id).await?;
        }
        Ok(Done {})
    }
}
