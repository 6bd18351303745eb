//! Give an access review up: nothing ends by it.

use api_conventions::{Path, Problem};
use axum::extract::State;
use axum::response::Response;
use domain::access_review::{AccessReview, AccessReviewCommand};
use event_schemas::{AccessReviewId, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, carry_out};
use crate::asked::Asked;
use crate::bodies::OptionalJson;
use crate::execute::{Command, Done, Session};
use crate::parameters::{AccessReviewPath, PostHeaders, Refusals};
use crate::refusal::Refusal;
use crate::routes::CommandApi;

/// Why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelAccessReviewRequest {
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Give an access review up.
#[derive(Debug, Clone, Serialize)]
pub struct CancelAccessReview {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The review.
    pub access_review_id: AccessReviewId,
    /// The details.
    pub request: CancelAccessReviewRequest,
}

impl Command for CancelAccessReview {
    const NAME: &'static str = "access_reviews.cancel";
    type Outcome = Done;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Done, Refusal> {
        session.permit(self.organization_id, Permission::AccessReviewsUpdate).await?;
        let reviewer = session.reviewer(self.organization_id).await?;
        let reason = self.request.reason.clone();
        let cancel = AccessReviewCommand::Cancel { reviewer, reason };
        session.execute::<AccessReview>(self.access_review_id, cancel).await?;
        Ok(Done {})
    }
}

/// Gives an access review up. Nothing ends by it.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/access-reviews/{access_review_id}/cancel",
    tag = "access reviews",
    params(AccessReviewPath, PostHeaders),
    request_body = Option<CancelAccessReviewRequest>,
    responses((status = 200, description = "It is so now.", body = Answered<Done>), Refusals)
)]
pub(crate) async fn cancel_access_review(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<AccessReviewPath>,
    OptionalJson(request): OptionalJson<CancelAccessReviewRequest>,
) -> Result<Response, Problem> {
    let command = CancelAccessReview {
        organization_id: path.organization_id,
        access_review_id: path.access_review_id,
        request,
    };
    carry_out(&api, asked, command).await
}
