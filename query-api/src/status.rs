//! How far each read model has come.

use api_conventions::{Json, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::error::QueryError;
use crate::parameters::{NoQuery, Refusals};
use crate::state::QueryState;

/// How far each read model has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Status {
    /// Every build that is in service or filling.
    pub projections: Vec<ProjectionStatus>,
}

/// How far a build of a read model has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProjectionStatus {
    /// The read model.
    pub projection: String,
    /// Its version.
    pub version: i32,
    /// `serving`, or `building` beside the one in service.
    pub state: String,
    /// Every event up to here is in it.
    pub position: i64,
    /// When the log learned of the event at that position.
    pub recorded_at: Option<DateTime<Utc>>,
}

/// How far each read model has come.
pub async fn status(pool: &PgPool) -> Result<Status, QueryError> {
    type Row = (String, i32, String, i64, Option<DateTime<Utc>>);
    let rows: Vec<Row> = sqlx::query_as(
        "select projection, version, state, position, recorded_at from read.builds
         where state <> 'retired' order by projection, state desc",
    )
    .fetch_all(pool)
    .await?;
    let projections = rows
        .into_iter()
        .map(|(projection, version, state, position, recorded_at)| ProjectionStatus {
            projection,
            version,
            state,
            position,
            recorded_at,
        })
        .collect();
    Ok(Status { projections })
}

/// How far each read model has come.
#[utoipa::path(get, path = "/v1/status", operation_id = "get_status", tag = "operation",
    responses((status = 200, body = Status), Refusals))]
pub(crate) async fn get_status(
    State(state): State<QueryState>,
    Query(NoQuery {}): Query<NoQuery>,
) -> Result<Json<Status>, Problem> {
    Ok(Json(status(state.pool()).await?))
}
