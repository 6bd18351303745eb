//! How long after its answer a command's effect can be read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api_conventions::{Authenticator, OperatorCredential};
use command_api::projects::{CreateProject, CreateProjectRequest};
use embedded::testing::test_database;
use event_log::HeadWatch;
use event_log::database::{self, Role};
use projectors::{Config, Feed, PostgresFeed, Projectors};
use query_api::{Projection, QueryState, Rows, WAIT_MAX_DEFAULT};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::figure::{Figures, percentile};
use crate::world::{World, context};

/// Commands a second.
const RATE: u32 = 500;

/// Sends commands at a fixed rate, and reads each one's effect as soon as it is answered.
pub(crate) async fn measure(figures: &mut Figures, seconds: f64) -> anyhow::Result<()> {
    let database = test_database().await;
    let world = World::on(&database).await?;
    let options = database.connect_options();
    let read = database::pool(&options, Role::Projector, 12).await?;
    let log = database::pool(&options, Role::Projector, 8).await?;
    let head = HeadWatch::start(log.clone(), Some(world.executor.log().own_head()));
    let feed =
        Feed::Postgres(PostgresFeed::following(log, world.executor.log().vault().clone(), head));
    // The first builds are there before anybody reads.
    let head = world.executor.log().head().await?;
    projectors::catch_up(&read, &feed, &projectors::all(), head).await?;
    let config = Config { read, feed, projections: projectors::all() };
    let live = tokio::spawn(Projectors::run(config, std::future::pending()));

    let pool = database::pool(&options, Role::Reader, 16).await?;
    let credential = OperatorCredential::new("benchmark", "a-credential-that-nobody-uses-here")?;
    let queries = QueryState::new(pool, Arc::new(Authenticator::new(credential)), WAIT_MAX_DEFAULT);

    let waits_ms = Arc::new(Mutex::new(Vec::new()));
    let mut ticks = interval(Duration::from_secs(1) / RATE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let until = Instant::now() + Duration::from_secs_f64(seconds.max(5.0));
    let mut commands = JoinSet::new();
    let mut number = 0;
    while Instant::now() < until {
        ticks.tick().await;
        number += 1;
        let (world, queries, waits_ms) = (world.clone(), queries.clone(), Arc::clone(&waits_ms));
        commands.spawn(async move {
            let request =
                CreateProjectRequest { name: format!("project-{number}"), environment: None };
            let create = CreateProject { organization_id: world.organization_id, request };
            let answer =
                world.executor.execute(&context(Some(format!("create-{number}"))), &create).await?;
            let answered = Instant::now();
            let rows = Rows::Of(world.organization_id);
            queries.snapshot(rows, &[Projection::AccessRegister], answer.position).await?;
            let waited = answered.elapsed().as_secs_f64() * 1_000.0;
            waits_ms.lock().unwrap_or_else(PoisonError::into_inner).push(waited);
            anyhow::Ok(())
        });
    }
    while let Some(done) = commands.join_next().await {
        done??;
    }
    live.abort();
    let mut waits_ms =
        std::mem::take(&mut *waits_ms.lock().unwrap_or_else(PoisonError::into_inner));
    let p50 = percentile(&mut waits_ms, 0.5);
    let p99 = percentile(&mut waits_ms, 0.99);
    figures.alone("commit_to_visible_p50", p50, "ms", "");
    figures.alone("commit_to_visible_p99", p99, "ms", "< 50");
    Ok(())
}
