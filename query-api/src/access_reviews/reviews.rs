//! The access reviews of an organization.

use api_conventions::{Cursor, Limit, Page, Path, Position, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{AccessReviewId, OrganizationId, ReviewScope};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Postgres, QueryBuilder, Row as _};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{READS, may_see};
use crate::error::QueryError;
use crate::keyset;
use crate::organizations;
use crate::parameters::{
    AccessReviewPath, NowQuery, OrganizationPath, PointHeaders, Refusals, Unmodified,
};
use crate::snapshot::{Rows, Snapshot};
use crate::state::{QueryState, Reflecting, highest};
use crate::temporal::Temporal;
use crate::viewer::Viewer;

const NOUN: &str = "access review";

/// An access review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AccessReviewView)]
pub struct AccessReview {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub access_review_id: AccessReviewId,
    /// Its title.
    pub title: String,
    /// What it looks at.
    pub scope: ReviewScope,
    /// By when it should be closed.
    pub due_at: DateTime<Utc>,
    /// `open`, `completed` or `cancelled`.
    pub state: String,
    /// Who opened it, as `kind:id`.
    pub opened_by: String,
    /// When.
    pub opened_at: DateTime<Utc>,
    /// Who closed or cancelled it, as `kind:id`.
    pub closed_by: Option<String>,
    /// When.
    pub closed_at: Option<DateTime<Utc>>,
    /// Why it was cancelled.
    pub reason: Option<String>,
    /// How many lines it has.
    pub lines: i64,
    /// How many of them are attested to be kept.
    pub keep: i64,
    /// How many of them are attested to be revoked.
    pub revoke: i64,
    /// How many lines' access ended when it was completed.
    pub revoked: i64,
    #[serde(skip)]
    #[schema(ignore)]
    sequence: i64,
}

/// Which state of reviews.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewState {
    /// Lines can be attested.
    Open,
    /// Closed, and what was to end has ended.
    Completed,
    /// Given up.
    Cancelled,
}

impl ReviewState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Which reviews.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewsQuery {
    /// The organization.
    pub organization_id: OrganizationId,
    /// Those in this state only.
    pub state: Option<ReviewState>,
}

const SELECT: &str = "select r.access_review_id, r.title, r.scope, r.due_at, r.state, r.opened_by, \
     r.opened_at, r.closed_by, r.closed_at, r.reason, r.sequence, n.lines, n.keep, n.revoke, n.revoked \
     from read.access_reviews r cross join lateral ( \
         select count(*) as lines, count(*) filter (where l.decision = 'keep') as keep, \
             count(*) filter (where l.decision = 'revoke') as revoke, \
             count(*) filter (where l.outcome = 'revoked') as revoked \
         from read.access_review_lines l where l.access_review_id = r.access_review_id) n ";

fn read(row: &PgRow) -> Result<AccessReview, sqlx::Error> {
    let Json(scope) = row.try_get("scope")?;
    Ok(AccessReview {
        access_review_id: AccessReviewId(row.try_get("access_review_id")?),
        title: row.try_get("title")?,
        scope,
        due_at: row.try_get("due_at")?,
        state: row.try_get("state")?,
        opened_by: row.try_get("opened_by")?,
        opened_at: row.try_get("opened_at")?,
        closed_by: row.try_get("closed_by")?,
        closed_at: row.try_get("closed_at")?,
        reason: row.try_get("reason")?,
        lines: row.try_get("lines")?,
        keep: row.try_get("keep")?,
        revoke: row.try_get("revoke")?,
        revoked: row.try_get("revoked")?,
        sequence: row.try_get("sequence")?,
    })
}

/// The reviews, the newest first.
pub async fn access_reviews(
    snapshot: &mut Snapshot,
    query: ReviewsQuery,
    limit: Limit,
    cursor: Option<&Cursor>,
) -> Result<Page<AccessReview>, QueryError> {
    let after = keyset::after::<_, (DateTime<Utc>, Uuid)>(NOUN, &query, cursor)?;
    organizations::check_exists(snapshot, query.organization_id, Temporal::NOW).await?;
    let mut statement = QueryBuilder::<Postgres>::new(SELECT);
    statement.push("where r.organization_id = ").push_bind(query.organization_id.0);
    if let Some(state) = query.state {
        statement.push(" and r.state = ").push_bind(state.as_str());
    }
    if let Some((opened_at, id)) = after {
        statement.push(" and (r.opened_at, r.access_review_id) < (").push_bind(opened_at);
        statement.push(", ").push_bind(id).push(")");
    }
    statement.push(" order by r.opened_at desc, r.access_review_id desc limit ");
    statement.push_bind(keyset::one_more(limit));
    let rows = statement.build().fetch_all(snapshot.connection()).await?;
    let reviews = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    keyset::page(NOUN, &query, reviews, limit, |review| {
        (review.opened_at, review.access_review_id.0)
    })
}

/// One of an organization's reviews.
pub async fn access_review(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    access_review_id: AccessReviewId,
) -> Result<AccessReview, QueryError> {
    let mut statement = QueryBuilder::<Postgres>::new(SELECT);
    statement.push("where r.organization_id = ").push_bind(organization_id.0);
    statement.push(" and r.access_review_id = ").push_bind(access_review_id.0);
    let row = statement.build().fetch_optional(snapshot.connection()).await?;
    Ok(read(&row.ok_or(QueryError::NotFound(NOUN))?)?)
}

/// Which reviews.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReviewListQuery {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// The most items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
    /// Those in this state only.
    #[param(inline)]
    state: Option<ReviewState>,
}

/// The access reviews, the newest first.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/access-reviews",
    operation_id = "list_access_reviews", tag = "access reviews",
    params(OrganizationPath, ReviewListQuery),
    responses((status = 200, body = Page<AccessReview>), Refusals))]
pub(crate) async fn list_access_reviews(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<ReviewListQuery>,
) -> Result<Reflecting<Page<AccessReview>>, Problem> {
    may_see(&viewer)?;
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, highest(&[query.min_position])).await?;
    let which = ReviewsQuery { organization_id: path.organization_id, state: query.state };
    let limit = query.limit.unwrap_or_default();
    let body = access_reviews(&mut snapshot, which, limit, query.cursor.as_ref()).await?;
    Ok(Reflecting::page(snapshot.position(), body))
}

/// An access review.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/access-reviews/{access_review_id}",
    operation_id = "get_access_review", tag = "access reviews",
    params(AccessReviewPath, NowQuery, PointHeaders),
    responses((status = 200, body = AccessReview,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_access_review(
    State(state): State<QueryState>,
    Path(path): Path<AccessReviewPath>,
    viewer: Viewer,
    Query(query): Query<NowQuery>,
) -> Result<Reflecting<AccessReview>, Problem> {
    may_see(&viewer)?;
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, highest(&[query.min_position])).await?;
    let body = access_review(&mut snapshot, path.organization_id, path.access_review_id).await?;
    let sequence = Some(body.sequence);
    Ok(Reflecting::new(snapshot.position(), body).at(sequence))
}
