//! What sealing costs while usage comes in at full speed, and how far behind it is.

use std::sync::Arc;
use std::time::Duration;

use command_api::usage::UsageRecorder;
use embedded::testing::test_database;
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

/// Records with and without a sealer beside, in turns; the rollup runs in both.
pub(crate) async fn measure(
    figures: &mut Figures,
    seconds: f64,
    rounds: usize,
) -> anyhow::Result<()> {
    let database = test_database().await;
    let world = World::on(&database).await?;
    let recorder = UsageRecorder::new(world.executor.clone());
    let mut load = Load::on(&world).await?;
    let rollup = Rollup::follow(&database, &world).await?;
    let records = records(seconds);
    let (mut without, mut with, mut worst) = (Vec::new(), Vec::new(), 0.0_f64);
    for round in 0..=rounds {
        let counts = if round == 0 { records / 10 } else { records };
        let batches = load.batches(SENDERS, counts, &BATCHES);
        let (rate, _) = send(&recorder, &[Arc::clone(&rollup.committed)], batches).await?;
        rollup.caught_up(&world, &load.expected).await?;
        if round == 0 {
            rollup.analyze().await?;
        } else {
            without.push(rate);
        }
        let log = database::pool(&database.connect_options(), Role::Projector, 4).await?;
        // What came in without it is sealed before the clock runs.
        let keys = [SigningKey::of("benchmark", [1; 32])?];
        seals::catch_up(&log, &keys).await?;
        let head = HeadWatch::start(log.clone(), Some(world.executor.log().own_head()));
        let config = SealConfig { log: log.clone(), head, keys: Arc::from(keys) };
        let sealing = tokio::spawn(seals::run(config, std::future::pending()));
        let sealed = Arc::new(Committed::default());
        let looking = tokio::spawn(look(log.clone(), Arc::clone(&sealed)));
        let batches = load.batches(SENDERS, counts, &BATCHES);
        let both = [Arc::clone(&rollup.committed), Arc::clone(&sealed)];
        let (rate, _) = send(&recorder, &both, batches).await?;
        let head = world.executor.log().head().await?;
        while seals::seal_status(&log).await?.position < head {
            tokio::time::sleep(LOOK).await;
        }
        sealed.reached(head);
        rollup.caught_up(&world, &load.expected).await?;
        looking.abort();
        sealing.abort();
        if round > 0 {
            with.push(rate);
            worst = worst.max(sealed.take_worst().as_secs_f64());
        }
    }
    figures.alone("seal_lag", worst, "s", "< 2");
    figures.compared("seal_cost", median(with), "/s", median(without), "ratio ≥ 0.9");
    Ok(())
}

async fn look(log: sqlx::PgPool, sealed: Arc<Committed>) {
    loop {
        if let Ok(status) = seals::seal_status(&log).await {
            sealed.reached(status.position);
        }
        tokio::time::sleep(LOOK).await;
    }
}
