//! What sealing costs while usage comes in at full speed, and how far behind it is.

use std::sync::Arc;
use std::time::Duration;

use command_api::usage::UsageRecorder;
use embedded::testing::{TestDatabase, test_database};
use event_log::HeadWatch;
use event_log::database::{self, Role};
use projectors::seals::{self, SealConfig};
use proofs::SigningKey;

use super::load::Load;
use super::rollup::{Committed, Rollup};
use super::{BATCHES, SENDERS, records, send};
use crate::figure::{Figures, median};
use crate::world::World;

/// How often it is looked how far sealing is: the lag is that exact.
const LOOK: Duration = Duration::from_millis(20);

/// Records with and without a sealer beside, in turns; the rollup runs in both. What is recorded first is
/// recorded faster, because the index is still small: each run with a sealer is held against the mean of
/// the runs before and after it.
pub(crate) async fn measure(
    figures: &mut Figures,
    seconds: f64,
    rounds: usize,
) -> anyhow::Result<()> {
    let database = test_database().await;
    let world = World::on(&database).await?;
    let recorder = UsageRecorder::new(world.executor.clone());
    let load = Load::on(&world).await?;
    let rollup = Rollup::follow(&database, &world).await?;
    let mut sides = Sides { database, world, recorder, load, rollup };
    let records = records(seconds);
    // The first runs make the partitions, warm the caches, and do not count.
    sides.without(records / 10).await?;
    sides.rollup.analyze().await?;
    sides.with(records / 10).await?;
    let (mut without, mut with, mut worst) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..rounds {
        without.push(sides.without(records).await?);
        let (rate, lag) = sides.with(records).await?;
        with.push(rate);
        worst = worst.max(lag);
    }
    without.push(sides.without(records).await?);
    let beside = without.windows(2).map(|pair| pair[0].midpoint(pair[1])).collect();
    figures.alone("seal_lag", worst, "s", "< 2");
    figures.compared("seal_cost", median(with), "/s", median(beside), "ratio ≥ 0.9");
    Ok(())
}

/// What both sides record into.
struct Sides {
    database: TestDatabase,
    world: World,
    recorder: UsageRecorder,
    load: Load,
    rollup: Rollup,
}

impl Sides {
    /// Records a second without a sealer.
    async fn without(&mut self, records: usize) -> anyhow::Result<f64> {
        let batches = self.load.batches(SENDERS, records, &BATCHES);
        let followers = [Arc::clone(&self.rollup.committed)];
        let (rate, _) = send(&self.recorder, &followers, batches).await?;
        self.rollup.caught_up(&self.world, &self.load.expected).await?;
        Ok(rate)
    }

    /// Records a second with one, and the worst lag of sealing in seconds.
    async fn with(&mut self, records: usize) -> anyhow::Result<(f64, f64)> {
        let log = database::pool(&self.database.connect_options(), Role::Projector, 4).await?;
        // What came in without it is sealed before the clock runs.
        let keys = [SigningKey::of("benchmark", [1; 32])?];
        seals::catch_up(&log, &keys).await?;
        let head = HeadWatch::start(log.clone(), Some(self.world.executor.log().own_head()));
        let config = SealConfig { log: log.clone(), head, keys: Arc::from(keys) };
        let sealing = tokio::spawn(seals::run(config, std::future::pending()));
        let sealed = Arc::new(Committed::default());
        let looking = tokio::spawn(look(log.clone(), Arc::clone(&sealed)));
        let batches = self.load.batches(SENDERS, records, &BATCHES);
        let followers = [Arc::clone(&self.rollup.committed), Arc::clone(&sealed)];
        let (rate, _) = send(&self.recorder, &followers, batches).await?;
        let head = self.world.executor.log().head().await?;
        while seals::seal_status(&log).await?.position < head {
            tokio::time::sleep(LOOK).await;
        }
        sealed.reached(head);
        self.rollup.caught_up(&self.world, &self.load.expected).await?;
        looking.abort();
        sealing.abort();
        Ok((rate, sealed.take_worst().as_secs_f64()))
    }
}

async fn look(log: sqlx::PgPool, sealed: Arc<Committed>) {
    loop {
        if let Ok(status) = seals::seal_status(&log).await {
            sealed.reached(status.position);
        }
        tokio::time::sleep(LOOK).await;
    }
}
