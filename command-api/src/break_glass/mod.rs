//! Break-glass: the operator, let into an organization for an emergency.

pub(crate) mod approve;
pub(crate) mod decline;
pub(crate) mod end;
pub(crate) mod request;
pub(crate) mod review;

use domain::organization::{Authority, BreakGlassDecider, OrganizationError};
use event_schemas::{OrganizationId, Permission};

pub use approve::ApproveBreakGlass;
pub use decline::{DeclineBreakGlass, DeclineBreakGlassRequest};
pub use end::{EndBreakGlass, ExpireBreakGlass};
pub use request::{BreakGlassRequested, RequestBreakGlass, RequestBreakGlassRequest};
pub use review::{ReviewBreakGlass, ReviewBreakGlassRequest};

use crate::execute::Session;
use crate::refusal::Refusal;

impl Session<'_> {
    /// Who decides about an access: somebody of the organization, or another operator. Whoever is
    /// neither learns nothing.
    async fn break_glass_decider(
        &mut self,
        organization_id: OrganizationId,
    ) -> Result<BreakGlassDecider, Refusal> {
        match self.authority() {
            Authority::Operator => Ok(BreakGlassDecider::Operator(self.actor_name())),
            authority @ (Authority::Member(_) | Authority::ApiKey { .. }) => {
                self.asking(organization_id).await?;
                self.of_emergencies(organization_id, Permission::BreakGlassDecide).await?;
                Ok(BreakGlassDecider::Member(authority))
            }
            Authority::System | Authority::Invited(_) | Authority::Nobody => {
                Err(OrganizationError::NotFound.into())
            }
        }
    }
}
