//! What a command takes while usage is recorded.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use command_api::projects::{CreateProject, CreateProjectRequest};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::world::{World, context};

/// How often a command is sent.
const EVERY: Duration = Duration::from_millis(5);

/// Sends commands, whether the ones before are answered or not, for a time or until told to end.
/// Answers how long each took from when it was due, in milliseconds.
pub(super) async fn every_5_ms(
    world: &World,
    seconds: f64,
    end: Option<Arc<AtomicBool>>,
) -> anyhow::Result<Vec<f64>> {
    let started = Instant::now();
    let ended = || match &end {
        Some(end) => end.load(Ordering::Relaxed),
        None => started.elapsed().as_secs_f64() >= seconds,
    };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut commands = JoinSet::new();
    while !ended() {
        let due = ticks.tick().await.into_std();
        let world = world.clone();
        let name = format!("{:?} {}", end.is_some(), commands.len());
        commands.spawn(async move {
            let request = CreateProjectRequest { name, environment: None };
            let create = CreateProject { organization_id: world.organization_id, request };
            world.executor.execute(&context(None), &create).await?;
            anyhow::Ok(due.elapsed().as_secs_f64() * 1_000.0)
        });
    }
    let mut latencies_ms = Vec::with_capacity(commands.len());
    while let Some(done) = commands.join_next().await {
        latencies_ms.push(done??);
    }
    Ok(latencies_ms)
}

/// Sends commands beside something else, as long as that goes on.
pub(super) async fn beside<T>(
    world: &World,
    other: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<(Vec<f64>, T)> {
    let end = Arc::new(AtomicBool::new(false));
    let (world, told) = (world.clone(), Arc::clone(&end));
    let commands = tokio::spawn(async move { every_5_ms(&world, 0.0, Some(told)).await });
    let done = other.await;
    end.store(true, Ordering::Relaxed);
    Ok((commands.await??, done?))
}
