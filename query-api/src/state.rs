//! What the routes share.

use std::sync::Arc;
use std::time::Duration;

use api_conventions::etag::etag;
use api_conventions::links::NextPage;
use api_conventions::permissions::Permissions;
use api_conventions::{Authenticator, POSITION_HEADER, Page, Position};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sqlx::PgPool;
use tokio::time::Instant;

use crate::error::QueryError;
use crate::positions::Positions;
use crate::snapshot::{Projection, Rows, Snapshot};

/// How long a query waits for a position, where nothing else is set.
pub const WAIT_MAX_DEFAULT: Duration = Duration::from_secs(5);

/// How long to wait where one replica was seen to be there and another was read: rare, and over soon.
const OTHER_REPLICA_PAUSE: Duration = Duration::from_millis(20);

/// What the routes share.
#[derive(Clone)]
pub struct QueryState {
    pool: PgPool,
    seals: PgPool,
    positions: Positions,
    wait_max: Duration,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) permissions: Option<Arc<dyn Permissions>>,
}

impl QueryState {
    /// Reads through `pool`, which acts as `orgledger_reader`; waits for a position `wait_max` at
    /// most, which must be less than a request may take.
    pub fn new(pool: PgPool, authenticator: Arc<Authenticator>, wait_max: Duration) -> Self {
        let positions = Positions::new(pool.clone());
        let seals = pool.clone();
        Self { pool, seals, positions, wait_max, authenticator, permissions: None }
    }

    /// The same, for callers whose permissions are known there. Without it only who runs orgledger
    /// is to be let in.
    #[must_use]
    pub fn with_permissions(self, permissions: Arc<dyn Permissions>) -> Self {
        Self { permissions: Some(permissions), ..self }
    }

    /// The same, where what was sealed is in another database than the read models.
    #[must_use]
    pub fn with_seals(self, seals: PgPool) -> Self {
        Self { seals, ..self }
    }

    pub(crate) fn seals(&self) -> &PgPool {
        &self.seals
    }

    pub(crate) fn wait_max(&self) -> Duration {
        self.wait_max
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A picture of at least `position_min`, waited for.
    pub async fn snapshot(
        &self,
        rows: Rows,
        projections: &'static [Projection],
        position_min: i64,
    ) -> Result<Snapshot, QueryError> {
        let deadline = Instant::now() + self.wait_max;
        let mut has_waited = false;
        loop {
            let opened = Snapshot::open(&self.pool, rows, projections, position_min).await;
            let behind = match opened {
                Err(error @ QueryError::NotYetVisible { .. }) => error,
                opened => return opened,
            };
            if has_waited {
                tokio::time::sleep(OTHER_REPLICA_PAUSE).await;
            }
            has_waited = true;
            // Checked here too: where replicas differ, waiting may end before the deadline each time.
            if Instant::now() >= deadline {
                return Err(behind);
            }
            if !self.positions.wait(projections, position_min, deadline).await {
                return Err(behind);
            }
        }
    }
}

/// The highest position that a request names, or 0.
pub(crate) fn highest(positions: &[Option<Position>]) -> i64 {
    positions.iter().flatten().map(|Position(position)| *position).max().unwrap_or(0)
}

/// An answer, and the position that it reflects, which goes into a header.
pub(crate) struct Reflecting<T> {
    position: i64,
    body: T,
    next_page: Option<NextPage>,
    sequence: Option<i64>,
}

impl<T> Reflecting<T> {
    pub(crate) fn new(position: i64, body: T) -> Self {
        Self { position, body, next_page: None, sequence: None }
    }

    /// With the version of what it shows, where it has one.
    pub(crate) fn at(self, sequence: Option<i64>) -> Self {
        Self { sequence, ..self }
    }
}

impl<T> Reflecting<Page<T>> {
    /// A page, which gets links to the next one and the first.
    pub(crate) fn page(position: i64, body: Page<T>) -> Self {
        let next_page = Some(NextPage(body.next_cursor.clone()));
        Self { next_page, ..Self::new(position, body) }
    }
}

impl<T: Serialize> IntoResponse for Reflecting<T> {
    fn into_response(self) -> Response {
        let headers = [(POSITION_HEADER, self.position.to_string())];
        let mut response = (headers, axum::Json(self.body)).into_response();
        if let Some(sequence) = self.sequence {
            response.headers_mut().insert(header::ETAG, etag(sequence));
            // To be kept by the caller alone, and only used after asking whether it is still so.
            let kept = HeaderValue::from_static("private, no-cache");
            response.headers_mut().insert(header::CACHE_CONTROL, kept);
        }
        if let Some(next_page) = self.next_page {
            response.extensions_mut().insert(next_page);
        }
        response
    }
}
