//! Folding history again from the first event, in a scratch space: temporary tables of a session of its
//! own, which Postgres removes with the session, however that ends. The role that does it can write
//! nowhere else.
//!
//! What is folded is what the live read models are made by: the same projections, from the same feed.

mod compare;
mod scratch;

use std::sync::Arc;

use event_log::Vault;
use event_log::database::{self, DatabaseError, Role};
use futures::future::try_join_all;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::error::RunError;
use crate::feed::{Feed, FeedPage, Pages, Place, PostgresFeed};
use crate::projection::Registered;

pub use compare::{Comparison, Live, TableComparison};
pub use scratch::Scratch;

/// Connections that read the log: one reads the next page while one counts.
const LOG_CONNECTIONS: u32 = 2;

/// Why history was not replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No connection, or none with the role.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The log could not be read or applied.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl From<sqlx::Error> for ReplayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Run(error.into())
    }
}

/// Read models in a scratch space, as they were at a position.
pub struct Replay {
    feed: PostgresFeed,
    scratches: Vec<Scratch>,
}

impl Replay {
    /// Empty read models, from before the first event.
    pub async fn begin(
        log: &PgConnectOptions,
        vault: Vault,
        projections: &[Registered],
    ) -> Result<Self, ReplayError> {
        let pool = database::pool(log, Role::Replayer, LOG_CONNECTIONS).await?;
        let mut scratches = Vec::with_capacity(projections.len());
        for projection in projections {
            scratches.push(Scratch::create(log, projection).await?);
        }
        Ok(Self { feed: PostgresFeed::of(pool, vault), scratches })
    }

    /// With pages of at most that many events. It changes nothing but speed.
    #[must_use]
    pub fn with_page_events_max(self, events: usize) -> Self {
        Self { feed: self.feed.with_page_events_max(events), ..self }
    }

    /// Folds on up to a position. Where that lies within a batch of usage records, the whole batch is
    /// folded. `folded` is given each page, and where it ended.
    pub async fn advance(
        &mut self,
        upto: i64,
        folded: &mut (dyn FnMut(&FeedPage) + Send),
    ) -> Result<(), ReplayError> {
        let feed = Feed::Postgres(self.feed.clone().with_end(upto));
        while let Some(position) = self.behind(upto) {
            let mut pages = Pages::after(&feed, Place { position, stream_sequence: None });
            let next = self.next_place(position, upto);
            let mut at = position;
            while at < next {
                let page = Arc::new(pages.next().await.map_err(RunError::from)?);
                at = page.upto;
                let here =
                    self.scratches.iter_mut().filter(|scratch| scratch.position() == page.after);
                try_join_all(here.map(|scratch| scratch.apply(&page))).await?;
                folded(&page);
            }
        }
        Ok(())
    }

    /// Folds each read model up to a position of its own, in one reading of the log.
    pub async fn advance_each(
        &mut self,
        targets: &[(&str, i64)],
        folded: &mut (dyn FnMut(&FeedPage) + Send),
    ) -> Result<(), ReplayError> {
        let mut ends: Vec<i64> = targets.iter().map(|(_, position)| *position).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut waiting = Vec::new();
        for end in ends {
            let (going, done): (Vec<Scratch>, Vec<Scratch>) =
                std::mem::take(&mut self.scratches).into_iter().partition(|scratch| {
                    let of_it = targets.iter().find(|(name, _)| *name == scratch.name());
                    of_it.is_some_and(|(_, target)| *target >= end)
                });
            waiting.extend(done);
            self.scratches = going;
            self.advance(end, folded).await?;
        }
        self.scratches.extend(waiting);
        self.scratches.sort_by_key(Scratch::name);
        Ok(())
    }

    /// The read models.
    pub fn scratches(&mut self) -> &mut [Scratch] {
        &mut self.scratches
    }

    /// The head of the log.
    pub async fn head(&self) -> Result<i64, ReplayError> {
        Ok(Feed::Postgres(self.feed.clone()).reader().head().await.map_err(RunError::from)?)
    }

    /// The last position that the log had at a time.
    pub async fn position_at(
        &self,
        time: chrono::DateTime<chrono::Utc>,
    ) -> Result<i64, ReplayError> {
        Ok(position_at(self.feed.log(), time).await?)
    }

    /// Where the read model is that has the most to fold; none where all are there.
    fn behind(&self, upto: i64) -> Option<i64> {
        let least = self.scratches.iter().map(Scratch::position).min();
        least.filter(|position| *position < upto)
    }

    /// Up to where pages are for those alone that stand at a position.
    fn next_place(&self, position: i64, upto: i64) -> i64 {
        let others = self.scratches.iter().map(Scratch::position);
        others.filter(|other| *other > position && *other < upto).min().unwrap_or(upto)
    }
}

/// `recorded_at` never goes back as positions grow, so the last position by a time is where it ends.
async fn position_at(
    log: &PgPool,
    time: chrono::DateTime<chrono::Utc>,
) -> Result<i64, sqlx::Error> {
    let position: Option<i64> = sqlx::query_scalar(
        "select greatest(
             (select position from log.events where recorded_at <= $1
              order by position desc limit 1),
             (select first_position + count - 1 from log.usage_batches where recorded_at <= $1
              order by first_position desc limit 1))",
    )
    .bind(time)
    .fetch_one(log)
    .await?;
    Ok(position.unwrap_or(0))
}
