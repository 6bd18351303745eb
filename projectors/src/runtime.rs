//! Running projections: live, or once up to a position.

use std::future::Future;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::apply::{self, Applied};
use crate::builds::State;
use crate::error::RunError;
use crate::feed::{Feed, Pages, Place};
use crate::projection::{ProjectionError, Registered};
use crate::rebuild::{ensure_serving, tidy};
use crate::status::status;

/// How long to wait after an error: at first, twice as long each time, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long to wait before trying again what only a newer program can do.
const PAUSE_STOPPED: Duration = Duration::from_secs(30);

/// How long a projection rests after a page with usage: so many times as long as the page took, and at
/// most. To add a page to the totals costs about the same for few records as for many, so that at full
/// speed few large pages leave more of the machine to who records usage.
const REST: (u32, Duration) = (2, Duration::from_millis(300));

/// How often it is measured how far projections are behind.
const MEASURE: Duration = Duration::from_secs(5);

/// What to run, on what.
#[derive(Clone)]
pub struct Config {
    /// The read models' database, acting as the projector's role. Each projection takes up to two
    /// connections.
    pub read: PgPool,
    /// Where the log is read.
    pub feed: Feed,
    /// The projections.
    pub projections: Vec<Registered>,
}

/// The live projections of this process. Others may run the same ones: every page is applied once.
pub struct Projectors;

impl Projectors {
    /// Runs the projections until `shutdown` is there. They may be ended at any moment, this way or
    /// another: what is not committed is applied again.
    pub async fn run(config: Config, shutdown: impl Future<Output = ()>) {
        let mut running = JoinSet::new();
        for projection in &config.projections {
            running.spawn(live(config.read.clone(), config.feed.clone(), projection.clone()));
        }
        running.spawn(measure(config.read, config.feed));
        tokio::select! {
            () = shutdown => {}
            // They never end; should one panic, the others go on.
            () = async { while running.join_next().await.is_some() {} } => {}
        }
        running.shutdown().await;
    }
}

/// Brings every projection up to a position that the log has, building those that are not there.
pub async fn catch_up(
    read: &PgPool,
    feed: &Feed,
    projections: &[Registered],
    upto: i64,
) -> Result<(), RunError> {
    try_join_all(projections.iter().map(|one| catch_up_one(read, feed, one, upto))).await?;
    Ok(())
}

async fn catch_up_one(
    read: &PgPool,
    feed: &Feed,
    projection: &Registered,
    upto: i64,
) -> Result<(), RunError> {
    loop {
        let from = ensure_serving(read, feed, projection).await?.place;
        match apply::until(read, feed, projection, State::Serving, from, upto, &mut |_| {}).await {
            // Another process rebuilt it meanwhile: go on with that one.
            Err(RunError::Replaced { .. }) => {}
            done => return done.map(drop),
        }
    }
}

/// Follows the log for ever.
async fn live(read: PgPool, feed: Feed, projection: Registered) {
    let mut failures = Failures { projection: projection.name, pause: PAUSE.0, told: None };
    if let Err(error) = tidy(&read, &projection).await {
        tracing::debug!(projection = projection.name, %error, "old builds were left where they are");
    }
    loop {
        let error = match follow(&read, &feed, &projection, &mut failures).await {
            Ok(()) => continue,
            Err(error) => error,
        };
        failures.wait_after(&error).await;
    }
}

/// Follows the log with the build that is in service, until it no longer is.
async fn follow(
    read: &PgPool,
    feed: &Feed,
    projection: &Registered,
    failures: &mut Failures,
) -> Result<(), RunError> {
    let mut place = ensure_serving(read, feed, projection).await?.place;
    loop {
        let mut pages = Pages::after(feed, place);
        loop {
            let page = pages.next().await?;
            let started = Instant::now();
            match apply::page(read, projection, State::Serving, &page).await? {
                Applied::Here(end) => {
                    place = end;
                    failures.none();
                    set_position(projection.name, place);
                    if page.has_usage() && !page.more {
                        tokio::time::sleep((started.elapsed() * REST.0).min(REST.1)).await;
                    }
                }
                Applied::Elsewhere(end) => {
                    place = end;
                    break;
                }
                Applied::Gone => return Ok(()),
            }
        }
    }
}

/// What went wrong with a projection, told once.
struct Failures {
    projection: &'static str,
    pause: Duration,
    told: Option<String>,
}

impl Failures {
    fn none(&mut self) {
        if self.told.take().is_some() {
            tracing::info!(projection = self.projection, "the projection goes on");
            self.set_stopped(false);
        }
        self.pause = PAUSE.0;
    }

    async fn wait_after(&mut self, error: &RunError) {
        metrics::counter!("orgledger_projection_errors_total", "projection" => self.projection)
            .increment(1);
        let message = error.to_string();
        // The same error again says nothing new.
        if self.told.as_ref() != Some(&message) {
            tracing::error!(projection = self.projection, error = message, "a projection stopped");
            self.told = Some(message);
            self.set_stopped(true);
        }
        let pause = match error {
            RunError::Projection(
                ProjectionError::Unreadable { .. }
                | ProjectionError::Refused { .. }
                | ProjectionError::Archived { .. },
            )
            | RunError::Newer { .. }
            | RunError::Disagrees { .. }
            | RunError::Unknown { .. } => PAUSE_STOPPED,
            RunError::Projection(ProjectionError::Sqlx(_))
            | RunError::Feed(_)
            | RunError::Replaced { .. } => self.pause,
        };
        tokio::time::sleep(pause).await;
        self.pause = (self.pause * 2).min(PAUSE.1);
    }

    fn set_stopped(&self, stopped: bool) {
        metrics::gauge!("orgledger_projection_stopped", "projection" => self.projection)
            .set(if stopped { 1.0 } else { 0.0 });
    }
}

/// Tells how far every projection is, and how far behind the log: also of those that have stopped.
async fn measure(read: PgPool, feed: Feed) {
    let mut reader = feed.reader();
    loop {
        tokio::time::sleep(MEASURE).await;
        let (Ok(head), Ok(projections)) = (reader.head().await, status(&read).await) else {
            continue;
        };
        for projection in projections {
            let lag = head.saturating_sub(projection.position).max(0);
            metrics::gauge!(
                "orgledger_projection_lag_positions", "projection" => projection.projection
            )
            .set(as_metric(lag));
        }
    }
}

fn set_position(projection: &'static str, place: Place) {
    metrics::gauge!("orgledger_projection_position", "projection" => projection)
        .set(as_metric(place.position));
}

/// Metrics are floats; a position is exact in one up to 2⁵³.
#[allow(clippy::cast_precision_loss)]
fn as_metric(position: i64) -> f64 {
    position as f64
}
