//! Open an access review: everything held that its scope looks at becomes a line.

use api_conventions::{Json, Path, Problem};
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use domain::access_review::{AccessReview, AccessReviewCommand, AccessReviewError, OPEN_MAX};
use event_log::read::of_organization;
use event_schemas::{AccessReviewId, OrganizationId, Permission, ReviewLine, ReviewScope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::{Answered, create};
use crate::asked::Asked;
use crate::execute::{Command, Session};
use crate::parameters::{OrganizationPath, PostHeaders, Refusals};
use crate::refusal::{ExecuteError, Refusal};
use crate::routes::CommandApi;

/// An access review to open.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenAccessReviewRequest {
    /// Its title.
    pub title: String,
    /// What it looks at.
    pub scope: ReviewScope,
    /// By when it should be closed.
    pub due_at: DateTime<Utc>,
}

/// Open an access review.
#[derive(Debug, Clone, Serialize)]
pub struct OpenAccessReview {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The details.
    pub request: OpenAccessReviewRequest,
}

/// An access review that was opened.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AccessReviewOpened {
    /// The review's id.
    pub access_review_id: AccessReviewId,
    /// How many lines it has.
    pub lines: usize,
}

impl Command for OpenAccessReview {
    const NAME: &'static str = "access_reviews.open";
    type Outcome = AccessReviewOpened;

    fn organization_id(&self) -> Option<OrganizationId> {
        Some(self.organization_id)
    }

    async fn handle(&self, session: &mut Session<'_>) -> Result<Self::Outcome, Refusal> {
        let organization_id = self.organization_id;
        session.permit(organization_id, Permission::AccessReviewsUpdate).await?;
        let reviewer = session.reviewer(organization_id).await?;
        // A bound on work, not a rule over access: two opened in the same moment may pass it.
        let open = of_organization::open_access_reviews(session.log().pool(), organization_id)
            .await
            .map_err(ExecuteError::Database)?;
        if open >= OPEN_MAX {
            return Err(AccessReviewError::TooManyOpen { max: OPEN_MAX }.into());
        }
        let held = session.held_access(organization_id, self.request.scope).await?;
        let lines: Vec<ReviewLine> =
            held.into_iter().map(|held| ReviewLine { line_id: session.new_id(), held }).collect();
        let access_review_id: AccessReviewId = session.new_id();
        let outcome = AccessReviewOpened { access_review_id, lines: lines.len() };
        let open = AccessReviewCommand::Open {
            reviewer,
            access_review_id,
            title: self.request.title.clone(),
            scope: self.request.scope,
            due_at: self.request.due_at,
            lines,
            now: session.now(),
        };
        session.begin::<AccessReview>(access_review_id, open)?;
        Ok(outcome)
    }
}

/// Opens an access review. Everything held that its scope looks at becomes a line.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization_id}/access-reviews",
    tag = "access reviews",
    params(OrganizationPath, PostHeaders),
    request_body = OpenAccessReviewRequest,
    responses((status = 201, description = "It is made.", body = Answered<AccessReviewOpened>), Refusals)
)]
pub(crate) async fn open_access_review(
    State(api): State<CommandApi>,
    asked: Asked,
    Path(path): Path<OrganizationPath>,
    Json(request): Json<OpenAccessReviewRequest>,
) -> Result<Response, Problem> {
    let organization_id = path.organization_id;
    let command = OpenAccessReview { organization_id, request };
    create(&api, asked, command, |opened| {
        format!("/v1/organizations/{organization_id}/access-reviews/{}", opened.access_review_id)
    })
    .await
}
