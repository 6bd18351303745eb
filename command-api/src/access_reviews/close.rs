//! Close an access review: what was to end ends, in the same append.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::Decider as _;
use domain::access_review::{AccessReview, AccessReviewCommand};
use event_schemas::{AccessReviewId, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::revoking::order;
use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::execute::{Command, Session};
use crate::parameters::{AccessReviewPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// How to close it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseAccessReviewRequest {
    /// Whether what nobody has attested is revoked, too. Without it every line must be attested.
    #[serde(default)]
    pub revoke_unattested: bool,
}

/// Close an access review.
#[derive(Debug, Clone, Serialize)]
pub struct CloseAccessReview {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The review.
    pub access_review_id: AccessReviewId,
    /// The details.
    pub request: CloseAccessReviewRequest,
}

/// A review that was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessReviewClosed {
    /// How many lines' access ended by this.
    pub revoked: usize,
    /// How many lines to be revoked had ended by themselves before.
    pub already_ended: usize,
}

impl Command for CloseAccessReview {
    const NAME: &'static str = "access_reviews.close";
    type Outcome = AccessReviewClosed;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<AccessReviewClosed, Refusal> {
        let (organization_id, id) = (self.organization_id, self.access_review_id);
        let revoke_unattested = self.request.revoke_unattested;
        session.permit(organization_id, Permission::AccessReviewsUpdate).await?;
        let reviewer = session.reviewer(organization_id).await?;
        let mut close = AccessReviewCommand::Close {
            reviewer: reviewer.clone(),
            revoke_unattested,
            already_ended: Vec::new(),
        };
        let review = session.read::<AccessReview>(id).await?;
        // Before thousands of lines are looked at: whether it can be closed at all.
        review.decide(close.clone())?;
        let mut revocations = Vec::new();
        let mut ended = Vec::new();
        for revocation in review.revocations(revoke_unattested) {
            let line_id = revocation.line_id;
            if !session.is_held(organization_id, &revocation.held).await? {
                ended.push(line_id);
                continue;
            }
            let permitted = session.permit_revoking(organization_id, &revocation).await;
            permitted.map_err(|refusal| refusal.at_line(line_id))?;
            revocations.push(revocation);
        }
        let outcome = AccessReviewClosed { revoked: revocations.len(), already_ended: ended.len() };
        if let AccessReviewCommand::Close { already_ended, .. } = &mut close {
            *already_ended = ended;
        }
        session.execute::<AccessReview>(id, close).await?;
        revocations.sort_by_key(|revocation| order(revocation, reviewer.holds(&revocation.held)));
        for revocation in revocations {
            let revoked = session.revoke(organization_id, &revocation).await;
            revoked.map_err(|refusal| refusal.at_line(revocation.line_id))?;
        }
        Ok(outcome)
    }
}

/// Closes an access review. What was attested to be revoked ends with it: all of it or, where that
/// cannot be, nothing, and the review stays open.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/access-reviews/{access_review_id}/close",
    tag = "access reviews",
    params(AccessReviewPath, PostHeaders),
    request_body = Option<CloseAccessReviewRequest>,
    responses((status = 200, description = "It is so now.", body = Answered<AccessReviewClosed>), Refusals)
)]
pub(crate) async fn close_access_review(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<AccessReviewPath>,
    OptionalJson(request): OptionalJson<CloseAccessReviewRequest>,
) -> Result<Response, Problem> {
    let command = CloseAccessReview {
        organization_id: path.organization_id,
        access_review_id: path.access_review_id,
        request,
    };
    carry_out(&api, asked, command).await
}
