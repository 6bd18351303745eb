//! Close the matter of an access of the operator.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::organization::{BreakGlassCommand, Organization, OrganizationCommand};
use event_schemas::{BreakGlassId, OrganizationId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{BreakGlassPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// What was found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewBreakGlassRequest {
    /// What was found in what the operator did.
    pub note: String,
}

/// Close the matter of an access of the operator.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewBreakGlass {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The access.
    pub break_glass_id: BreakGlassId,
    /// The details.
    pub request: ReviewBreakGlassRequest,
}

impl Command for ReviewBreakGlass {
    const NAME: &'static str = "break_glass.review";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let by = session.break_glass_decider(self.organization_id).await?;
        let command = BreakGlassCommand::Review {
            by,
            break_glass_id: self.break_glass_id,
            note: self.request.note.clone(),
            now: session.now(),
        };
        let command = OrganizationCommand::BreakGlass(command);
        session.execute::<Organization>(self.organization_id, command).await?;
        Ok(Done {})
    }
}

/// Closes the matter of an access of the operator, after having looked at what was done. An owner does,
/// or an operator other than the one who was let in, but with no credential that was made under the
/// access. Until then the members that it took in and the keys that it made count no longer than the
/// access lasts; from then on they count like any other.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/break-glass/{break_glass_id}/review",
    tag = "break-glass",
    params(BreakGlassPath, PostHeaders),
    request_body = ReviewBreakGlassRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn review_break_glass(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<BreakGlassPath>,
    Json(request): Json<ReviewBreakGlassRequest>,
) -> Result<Response, Problem> {
    let command = ReviewBreakGlass {
        organization_id: path.organization_id,
        break_glass_id: path.break_glass_id,
        request,
    };
    carry_out(&api, asked, command).await
}
