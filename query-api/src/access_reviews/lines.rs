//! The lines of an access review, with the latest names of things: of what is gone, its last one.

use api_conventions::{Cursor, Limit, Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{AccessReviewId, OrganizationId, ReviewDecision, ReviewLineId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row as _};
use utoipa::ToSchema;
use uuid::Uuid;

use super::reviews::{access_review, is_now, push_lines};
use super::{READS, may_see};
use crate::error::QueryError;
use crate::keyset;
use crate::parameters::{AccessReviewLineListQuery, AccessReviewPath, Point as _, Refusals};
use crate::snapshot::{Rows, Snapshot};
use crate::state::{QueryState, Reflecting};
use crate::temporal::Temporal;
use crate::viewer::Viewer;

const NOUN: &str = "access review line";

/// A line of an access review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AccessReviewLine {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub line_id: ReviewLineId,
    /// Its place in the review, from 1.
    pub ordinal: i32,
    /// `member_role`, `project_role`, `group_membership`, `role_grant` or `api_key`.
    pub kind: String,
    /// Whose access it is: `member`, `group` or `service_account`.
    pub holder_kind: String,
    /// Their id.
    pub holder_id: Uuid,
    /// Their name today, or the last one that they had.
    pub holder: Option<String>,
    /// The project that it is within.
    pub project_id: Option<Uuid>,
    /// The project's latest name.
    pub project: Option<String>,
    /// The group that it is a place in.
    pub group_id: Option<Uuid>,
    /// The group's latest name.
    pub group: Option<String>,
    /// The custom role that it is.
    pub role_id: Option<Uuid>,
    /// The custom role's latest name.
    pub role: Option<String>,
    /// The API key that it is.
    pub api_key_id: Option<Uuid>,
    /// The key's latest name.
    pub api_key: Option<String>,
    /// What was held when the review was opened, as the event says it.
    #[schema(value_type = Object)]
    pub held: Value,
    /// `keep` or `revoke`, once it is attested.
    pub decision: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Who attested it, as `kind:id`.
    pub attested_by: Option<String>,
    /// When.
    pub attested_at: Option<DateTime<Utc>>,
    /// What became of it: `kept`, `revoked`, `already_ended` or `cancelled`; none while the review is
    /// open.
    pub outcome: Option<String>,
}

/// Whether somebody has said something of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// Nobody has.
    Open,
    /// Somebody has.
    Attested,
}

/// Which lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinesQuery {
    /// The organization.
    pub organization_id: OrganizationId,
    /// The review.
    pub access_review_id: AccessReviewId,
    /// Those in this state only.
    pub state: Option<LineState>,
    /// Those with this decision only.
    pub decision: Option<ReviewDecision>,
    /// As they were at a time, and as the log knew them at a position. Names are the latest.
    #[serde(default, skip_serializing_if = "is_now")]
    pub temporal: Temporal,
}

const SELECT: &str = "select l.line_id, l.ordinal, l.kind, l.holder_kind, l.holder_id, \
     coalesce(m.login, hg.name, s.name) as holder, l.project_id, p.name as project, l.group_id, \
     g.name as group_name, l.role_id, r.name as role, l.api_key_id, k.name as api_key, l.held, \
     l.decision, l.reason, l.attested_by, l.attested_at, l.outcome \
     from (";

const NAMES: &str = ") l \
     left join lateral (select * from read.members x where l.holder_kind = 'member' and x.member_id = l.holder_id and x.known_to is null \
         order by x.valid_from desc limit 1) m on true \
     left join lateral (select * from read.groups x where l.holder_kind = 'group' and x.group_id = l.holder_id and x.known_to is null \
         order by x.valid_from desc limit 1) hg on true \
     left join lateral (select * from read.service_accounts x where l.holder_kind = 'service_account' and x.service_account_id = l.holder_id and x.known_to is null \
         order by x.valid_from desc limit 1) s on true \
     left join lateral (select * from read.projects x where x.project_id = l.project_id and x.known_to is null \
         order by x.valid_from desc limit 1) p on true \
     left join lateral (select * from read.groups x where x.group_id = l.group_id and x.known_to is null \
         order by x.valid_from desc limit 1) g on true \
     left join lateral (select * from read.roles x where x.role_id = l.role_id and x.known_to is null \
         order by x.valid_from desc limit 1) r on true \
     left join lateral (select * from read.api_keys x where x.api_key_id = l.api_key_id and x.known_to is null \
         order by x.valid_from desc limit 1) k on true ";

fn read(row: &PgRow) -> Result<AccessReviewLine, sqlx::Error> {
    Ok(AccessReviewLine {
        line_id: ReviewLineId(row.try_get("line_id")?),
        ordinal: row.try_get("ordinal")?,
        kind: row.try_get("kind")?,
        holder_kind: row.try_get("holder_kind")?,
        holder_id: row.try_get("holder_id")?,
        holder: row.try_get("holder")?,
        project_id: row.try_get("project_id")?,
        project: row.try_get("project")?,
        group_id: row.try_get("group_id")?,
        group: row.try_get("group_name")?,
        role_id: row.try_get("role_id")?,
        role: row.try_get("role")?,
        api_key_id: row.try_get("api_key_id")?,
        api_key: row.try_get("api_key")?,
        held: row.try_get("held")?,
        decision: row.try_get("decision")?,
        reason: row.try_get("reason")?,
        attested_by: row.try_get("attested_by")?,
        attested_at: row.try_get("attested_at")?,
        outcome: row.try_get("outcome")?,
    })
}

/// The lines of a review, in its order.
pub async fn access_review_lines(
    snapshot: &mut Snapshot,
    query: LinesQuery,
    limit: Limit,
    cursor: Option<&Cursor>,
) -> Result<Page<AccessReviewLine>, QueryError> {
    let after: Option<i32> = keyset::after(NOUN, &query, cursor)?;
    let (of, id) = (query.organization_id, query.access_review_id);
    access_review(snapshot, of, id, query.temporal).await?;
    let mut statement = QueryBuilder::<Postgres>::new(SELECT);
    push_lines(&mut statement, query.temporal);
    statement.push(NAMES);
    statement.push("where l.access_review_id = ").push_bind(query.access_review_id.0);
    match query.state {
        Some(LineState::Open) => statement.push(" and l.decision is null"),
        Some(LineState::Attested) => statement.push(" and l.decision is not null"),
        None => &mut statement,
    };
    if let Some(decision) = query.decision {
        statement.push(" and l.decision = ").push_bind(decision.as_str());
    }
    statement.push(" and l.ordinal > ").push_bind(after.unwrap_or(0));
    statement.push(" order by l.ordinal limit ").push_bind(keyset::one_more(limit));
    let rows = statement.build().fetch_all(snapshot.connection()).await?;
    let lines = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    keyset::page(NOUN, &query, lines, limit, |line| line.ordinal)
}

/// The lines of an access review, in its order.
#[utoipa::path(get,
    path = "/v1/organizations/{organization_id}/access-reviews/{access_review_id}/lines",
    operation_id = "list_access_review_lines", tag = "access reviews",
    params(AccessReviewPath, AccessReviewLineListQuery),
    responses((status = 200, body = Page<AccessReviewLine>), Refusals))]
pub(crate) async fn list_access_review_lines(
    State(state): State<QueryState>,
    Path(path): Path<AccessReviewPath>,
    viewer: Viewer,
    Query(query): Query<AccessReviewLineListQuery>,
) -> Result<Reflecting<Page<AccessReviewLine>>, Problem> {
    may_see(&viewer)?;
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, query.position_min()).await?;
    let which = LinesQuery {
        organization_id: path.organization_id,
        access_review_id: path.access_review_id,
        state: query.state,
        decision: query.decision,
        temporal: query.temporal(),
    };
    let limit = query.limit.unwrap_or_default();
    let body = access_review_lines(&mut snapshot, which, limit, query.cursor.as_ref()).await?;
    Ok(Reflecting::page(snapshot.position(), body))
}
