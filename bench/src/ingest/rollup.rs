//! The rollup that runs meanwhile: how far behind it is, and whether it adds up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use embedded::testing::TestDatabase;
use event_log::HeadWatch;
use event_log::database::{self, Role};
use projectors::{Config, Feed, PostgresFeed, Projectors, Registered};
use sqlx::{PgPool, Row as _};

use super::load::Totals;
use crate::world::World;

const PROJECTION: &str = "cost_per_feature";

/// How often it is looked how far the rollup is: the lag is that exact.
const LOOK: Duration = Duration::from_millis(20);

/// The commits that the rollup has not reached, each with when it was answered.
#[derive(Default)]
pub(super) struct Committed {
    waiting: Mutex<VecDeque<(i64, Instant)>>,
    worst: Mutex<Duration>,
}

impl Committed {
    pub(super) fn add(&self, position: i64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back((position, Instant::now()));
    }

    pub(super) fn reached(&self, checkpoint: i64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut worst = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(position, answered)| {
            let is_there = *position <= checkpoint;
            if is_there {
                *worst = (*worst).max(answered.elapsed());
            }
            !is_there
        });
    }

    /// The worst since this was asked the last time.
    pub(super) fn take_worst(&self) -> Duration {
        std::mem::take(&mut *self.worst.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The running rollup.
pub(super) struct Rollup {
    pub(super) committed: Arc<Committed>,
    read: PgPool,
    /// Sees all organizations' rows.
    owner: PgPool,
    feed: Feed,
    projection: Registered,
    running: Vec<tokio::task::JoinHandle<()>>,
}

impl Rollup {
    pub(super) async fn follow(database: &TestDatabase, world: &World) -> anyhow::Result<Self> {
        let options = database.connect_options();
        let read = database::pool(&options, Role::Projector, 8).await?;
        let log = database::pool(&options, Role::Projector, 4).await?;
        let head = HeadWatch::start(log.clone(), Some(world.executor.log().own_head()));
        let vault = world.executor.log().vault().clone();
        let feed = Feed::Postgres(PostgresFeed::following(log, vault, head));
        let projection = projectors::named(PROJECTION)?;
        let projections = vec![projection.clone()];
        let head = world.executor.log().head().await?;
        projectors::catch_up(&read, &feed, &projections, head).await?;
        let config = Config { read: read.clone(), feed: feed.clone(), projections };
        let committed = Arc::new(Committed::default());
        let running = vec![
            tokio::spawn(Projectors::run(config, std::future::pending())),
            tokio::spawn(look(read.clone(), Arc::clone(&committed))),
        ];
        Ok(Self { committed, read, owner: database.pool().await, feed, projection, running })
    }

    /// Waits until it is at the head, and holds it against the totals. Answers the worst lag since
    /// the last time, in seconds.
    pub(super) async fn caught_up(&self, world: &World, expected: &Totals) -> anyhow::Result<f64> {
        let head = world.executor.log().head().await?;
        while checkpoint(&self.read).await? < head {
            tokio::time::sleep(LOOK).await;
        }
        self.committed.reached(head);
        let found = totals(&self.owner).await?;
        anyhow::ensure!(found == *expected, "the rollup has {found:?}, recorded was {expected:?}");
        Ok(self.committed.take_worst().as_secs_f64())
    }

    /// Gives the planner statistics of the partitions that have just been made.
    pub(super) async fn analyze(&self) -> anyhow::Result<()> {
        sqlx::query("analyze log.usage_records").execute(&self.owner).await?;
        Ok(())
    }

    /// Builds it from zero. Answers records a second.
    pub(super) async fn rebuild(&self, world: &World, expected: &Totals) -> anyhow::Result<f64> {
        let rebuilt =
            projectors::rebuild(&self.read, &self.feed, &self.projection, &mut |_| {}).await?;
        self.caught_up(world, expected).await?;
        #[allow(clippy::cast_precision_loss)] // Far below 2^53.
        Ok(expected.requests as f64 / rebuilt.seconds)
    }
}

impl Drop for Rollup {
    fn drop(&mut self) {
        self.running.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn look(read: PgPool, committed: Arc<Committed>) {
    loop {
        if let Ok(checkpoint) = checkpoint(&read).await {
            committed.reached(checkpoint);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn checkpoint(read: &PgPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select position from read.builds where projection = $1 and state = 'serving'",
    )
    .bind(PROJECTION)
    .fetch_one(read)
    .await
}

async fn totals(owner: &PgPool) -> anyhow::Result<Totals> {
    let row = sqlx::query(
        "select coalesce(sum(requests), 0)::bigint, coalesce(sum(input_tokens), 0)::bigint,
             coalesce(sum(cached_input_tokens), 0)::bigint,
             coalesce(sum(output_tokens), 0)::bigint,
             trunc(coalesce(sum(cost), 0) * 1000000000000)::text
         from read.usage_hourly",
    )
    .fetch_one(owner)
    .await?;
    Ok(Totals {
        requests: row.get(0),
        input_tokens: row.get(1),
        cached_input_tokens: row.get(2),
        output_tokens: row.get(3),
        cost_pico: row.get::<String, _>(4).parse()?,
    })
}
