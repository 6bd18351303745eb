//! Attest many lines of an access review at once.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::access_review::{AccessReview, AccessReviewCommand, Attestation, Revocation};
use event_schemas::{AccessReviewId, OrganizationId, Permission, ReviewDecision, ReviewLineId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{AccessReviewPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// The most lines that are attested at once.
pub const ATTESTATIONS_MAX: usize = 1_000;

/// What is said of a line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttestationRequest {
    /// The line.
    pub line_id: ReviewLineId,
    /// Whether its access stays, or ends when the review is closed.
    pub decision: ReviewDecision,
    /// Why; required for what is to end.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What is said of lines: of all of them or, where one is refused, of none.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AttestAccessReviewLinesRequest {
    /// One for each line, 1 to 1000.
    #[schema(min_items = 1, max_items = 1000)]
    pub attestations: Vec<AttestationRequest>,
}

/// Attest many lines of an access review at once.
#[derive(Debug, Clone, Serialize)]
pub struct AttestAccessReviewLines {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The review.
    pub access_review_id: AccessReviewId,
    /// The details.
    pub request: AttestAccessReviewLinesRequest,
}

/// Lines that were attested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinesAttested {
    /// How many of them that has changed.
    pub changed: usize,
}

impl Command for AttestAccessReviewLines {
    const NAME: &'static str = "access_reviews.attest_lines";
    type Outcome = LinesAttested;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<LinesAttested, Refusal> {
        let attestations = &self.request.attestations;
        let changed =
            attest(session, self.organization_id, self.access_review_id, attestations).await?;
        Ok(LinesAttested { changed })
    }
}

/// Attests lines; answers how many of them that has changed. What is to be revoked must be within
/// the reach of who says so, not only of who closes the review.
pub(super) async fn attest(
    session: &mut Session<'_>,
    organization_id: OrganizationId,
    access_review_id: AccessReviewId,
    attestations: &[AttestationRequest],
) -> Result<usize, Refusal> {
    session.permit(organization_id, Permission::AccessReviewsUpdate).await?;
    // Nobody says of their own access that it stays, by a key that they made for another.
    session.in_own_hands(organization_id).await?;
    if attestations.is_empty() || attestations.len() > ATTESTATIONS_MAX {
        let why = "it does not have from 1 to 1000 lines";
        return Err(Refusal::Invalid { field: "attestations", why });
    }
    let reviewer = session.reviewer(organization_id).await?;
    let said = attestations.iter().cloned();
    let said = said.map(|AttestationRequest { line_id, decision, reason }| Attestation {
        line_id,
        decision,
        reason,
    });
    let attest = AccessReviewCommand::Attest { reviewer, attestations: said.collect() };
    let changed = session.execute::<AccessReview>(access_review_id, attest).await?;
    for AttestationRequest { line_id, decision, reason } in attestations {
        let line_id = *line_id;
        let held = session.read::<AccessReview>(access_review_id).await?.held(line_id);
        let (ReviewDecision::Revoke, Some(held)) = (decision, held) else { continue };
        if !session.is_held(organization_id, &held).await? {
            continue;
        }
        let reason = reason.clone().unwrap_or_default();
        let revocation = Revocation { line_id, held, reason };
        let permitted = session.permit_revoking(organization_id, &revocation).await;
        permitted.map_err(|refusal| refusal.at_line(line_id))?;
    }
    Ok(changed)
}

/// Attests up to 1,000 lines at once: all of them or, where one is refused, none.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/access-reviews/{access_review_id}/attest",
    tag = "access reviews",
    params(AccessReviewPath, PostHeaders),
    request_body = AttestAccessReviewLinesRequest,
    responses((status = 200, description = "It is so now.", body = Answered<LinesAttested>), Refusals)
)]
pub(crate) async fn attest_access_review_lines(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<AccessReviewPath>,
    Json(request): Json<AttestAccessReviewLinesRequest>,
) -> Result<Response, Problem> {
    let command = AttestAccessReviewLines {
        organization_id: path.organization_id,
        access_review_id: path.access_review_id,
        request,
    };
    carry_out(&api, asked, command).await
}
