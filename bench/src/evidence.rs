//! How many events a second of a file of evidence are verified, offline and from memory.

use std::time::Instant;

use embedded::testing::test_database;
use event_log::database::{self, Role};
use projectors::seals::{self, Wanted};
use proofs::SigningKey;
use proofs::bundle::verify;

use crate::figure::{Figures, median};
use crate::rebuild::history;
use crate::world::World;

/// How often it is verified; the median counts.
const ROUNDS: usize = 5;

/// Exports a history and verifies it.
pub(crate) async fn measure(figures: &mut Figures) -> anyhow::Result<()> {
    let database = test_database().await;
    let world = World::on(&database).await?;
    history(&world).await?;
    let log = database::pool(&database.connect_options(), Role::Projector, 4).await?;
    let keys = [SigningKey::of("benchmark", [1; 32])?];
    seals::catch_up(&log, &keys).await?;
    let trusted = [keys[0].verifying_key()];
    let mut bundle = Vec::new();
    let wanted = Wanted { keys: &trusted, ..Wanted::of(world.organization_id.0) };
    seals::export(&log, wanted, &mut bundle).await?;
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let found = verify(&bundle[..], &trusted)?;
        #[allow(clippy::cast_precision_loss)] // Far below 2^53.
        rates.push(found.events as f64 / begun.elapsed().as_secs_f64());
    }
    figures.alone("verify_bundle", median(rates), "events/s", "≥ 300,000");
    Ok(())
}
