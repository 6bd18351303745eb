//! The access reviews of an organization.

use api_conventions::{Cursor, Limit, Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{AccessReviewId, OrganizationId, ReviewScope};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Postgres, QueryBuilder, Row as _};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{READS, may_see};
use crate::error::QueryError;
use crate::keyset;
use crate::organizations;
use crate::parameters::{
    AccessReviewListQuery, AccessReviewPath, OrganizationPath, Point as _, PointHeaders,
    PointQuery, Refusals, Unmodified,
};
use crate::snapshot::{Rows, Snapshot};
use crate::state::{QueryState, Reflecting};
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
    /// As they were at a time, and as the log knew them at a position.
    #[serde(default, skip_serializing_if = "is_now")]
    pub temporal: Temporal,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
pub(super) fn is_now(temporal: &Temporal) -> bool {
    *temporal == Temporal::NOW
}

/// Reviews `r` as they were and as was known, with how many lines they have. What is now is as it
/// stands; of another time or position it is what had happened by then.
fn select(temporal: Temporal) -> QueryBuilder<'static, Postgres> {
    let mut query = QueryBuilder::new("select r.*, n.lines, n.keep, n.revoke, n.revoked from (");
    push_reviews(&mut query, temporal);
    query.push(
        ") r cross join lateral (
             select count(*) as lines, count(*) filter (where l.decision = 'keep') as keep,
                 count(*) filter (where l.decision = 'revoke') as revoke,
                 count(*) filter (where l.outcome = 'revoked') as revoked
             from (",
    );
    push_lines(&mut query, temporal);
    query.push(") l where l.access_review_id = r.access_review_id) n ");
    query
}

/// The rows of reviews.
fn push_reviews(query: &mut QueryBuilder<'static, Postgres>, temporal: Temporal) {
    if temporal == Temporal::NOW {
        query.push("select * from read.access_reviews");
        return;
    }
    // Closed at another time, or unknown as closed: still open then.
    query.push(
        "select access_review_id, organization_id, title, scope, due_at,
             case when closed then state else 'open' end as state, opened_by, opened_at,
             case when closed then closed_by end as closed_by,
             case when closed then closed_at end as closed_at,
             case when closed then reason end as reason, sequence
         from (select a.*, coalesce(true",
    );
    push_by(query, temporal, "a.closed_at", "a.closed_position");
    query.push(
        " and a.closed_at is not null, false) as closed from read.access_reviews a where true",
    );
    push_by(query, temporal, "a.opened_at", "a.opened_position");
    query.push(") known");
}

/// The rows of lines.
pub(super) fn push_lines(query: &mut QueryBuilder<'static, Postgres>, temporal: Temporal) {
    if temporal == Temporal::NOW {
        query.push("select * from read.access_review_lines");
        return;
    }
    query.push(
        "select x.line_id, x.access_review_id, x.organization_id, x.ordinal, x.kind, x.holder_kind,
             x.holder_id, x.project_id, x.group_id, x.role_id, x.api_key_id, x.held, s.decision,
             s.reason, s.attested_by, s.attested_at,
             case when coalesce(true",
    );
    push_by(query, temporal, "v.closed_at", "v.closed_position");
    query.push(
        " and v.closed_at is not null, false) then x.outcome end as outcome
         from read.access_review_lines x
         join read.access_reviews v on v.access_review_id = x.access_review_id
         left join lateral (
             select a.decision, a.reason, a.attested_by, a.attested_at
             from read.access_review_attestations a where a.line_id = x.line_id",
    );
    push_by(query, temporal, "a.attested_at", "a.position");
    query.push(" order by a.position desc limit 1) s on true where true");
    push_by(query, temporal, "v.opened_at", "v.opened_position");
}

/// Adds `and …` for what had happened by a time, and was known at a position.
fn push_by(
    query: &mut QueryBuilder<'static, Postgres>,
    temporal: Temporal,
    at: &str,
    position: &str,
) {
    if let Some(time) = temporal.as_of {
        query.push(format_args!(" and {at} <= ")).push_bind(time);
    }
    if let Some(known) = temporal.at_position {
        query.push(format_args!(" and {position} <= ")).push_bind(known);
    }
}

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
    query.temporal.check(snapshot)?;
    organizations::check_exists(snapshot, query.organization_id, query.temporal).await?;
    let mut statement = select(query.temporal);
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
    temporal: Temporal,
) -> Result<AccessReview, QueryError> {
    temporal.check(snapshot)?;
    let mut statement = select(temporal);
    statement.push("where r.organization_id = ").push_bind(organization_id.0);
    statement.push(" and r.access_review_id = ").push_bind(access_review_id.0);
    let row = statement.build().fetch_optional(snapshot.connection()).await?;
    Ok(read(&row.ok_or(QueryError::NotFound(NOUN))?)?)
}

/// The access reviews, the newest first.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/access-reviews",
    operation_id = "list_access_reviews", tag = "access reviews",
    params(OrganizationPath, AccessReviewListQuery),
    responses((status = 200, body = Page<AccessReview>), Refusals))]
pub(crate) async fn list_access_reviews(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<AccessReviewListQuery>,
) -> Result<Reflecting<Page<AccessReview>>, Problem> {
    may_see(&viewer)?;
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, query.position_min()).await?;
    let which = ReviewsQuery {
        organization_id: path.organization_id,
        state: query.state,
        temporal: query.temporal(),
    };
    let limit = query.limit.unwrap_or_default();
    let body = access_reviews(&mut snapshot, which, limit, query.cursor.as_ref()).await?;
    Ok(Reflecting::page(snapshot.position(), body))
}

/// An access review.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/access-reviews/{access_review_id}",
    operation_id = "get_access_review", tag = "access reviews",
    params(AccessReviewPath, PointQuery, PointHeaders),
    responses((status = 200, body = AccessReview,
            headers(("ETag" = String, description = "Its version."))), Unmodified, Refusals))]
pub(crate) async fn get_access_review(
    State(state): State<QueryState>,
    Path(path): Path<AccessReviewPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<AccessReview>, Problem> {
    may_see(&viewer)?;
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, query.position_min()).await?;
    let (of, id, temporal) = (path.organization_id, path.access_review_id, query.temporal());
    let body = access_review(&mut snapshot, of, id, temporal).await?;
    let sequence = Some(body.sequence).filter(|_| temporal == Temporal::NOW);
    Ok(Reflecting::new(snapshot.position(), body).at(sequence))
}
