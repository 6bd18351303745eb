//! Attest one line of an access review.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use event_schemas::{AccessReviewId, OrganizationId, ReviewDecision, ReviewLineId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::attest_many::{AttestationRequest, attest};
use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Done, Session};
use crate::parameters::{PostHeaders, Refusals, ReviewLinePath};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// What is to become of the line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttestAccessReviewLineRequest {
    /// Whether its access stays, or ends when the review is closed.
    pub decision: ReviewDecision,
    /// Why; required for what is to end.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Attest one line of an access review.
#[derive(Debug, Clone, Serialize)]
pub struct AttestAccessReviewLine {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The review.
    pub access_review_id: AccessReviewId,
    /// The line.
    pub line_id: ReviewLineId,
    /// The details.
    pub request: AttestAccessReviewLineRequest,
}

impl Command for AttestAccessReviewLine {
    const NAME: &'static str = "access_reviews.attest_line";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        let AttestAccessReviewLineRequest { decision, reason } = self.request.clone();
        let attestations = [AttestationRequest { line_id: self.line_id, decision, reason }];
        attest(session, self.organization_id, self.access_review_id, &attestations).await?;
        Ok(Done {})
    }
}

/// Says whether what stands in a line is kept or, when the review is closed, revoked. It can be said
/// otherwise until then. Nobody attests their own access.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/access-reviews/{access_review_id}/lines/{line_id}/attest",
    tag = "access reviews",
    params(ReviewLinePath, PostHeaders),
    request_body = AttestAccessReviewLineRequest,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn attest_access_review_line(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<ReviewLinePath>,
    Json(request): Json<AttestAccessReviewLineRequest>,
) -> Result<Response, Problem> {
    let command = AttestAccessReviewLine {
        organization_id: path.organization_id,
        access_review_id: path.access_review_id,
        line_id: path.line_id,
        request,
    };
    carry_out(&api, asked, command).await
}
