//! What small tenants wait while a large one sends as fast as it can: the others of a window of real
//! tenants (`ORGLEDGER_REAL_DATA`; without it, of made-up ones with the same skew), each of which sends
//! its part ten times a second, with the large one beside them and without.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use command_api::usage::UsageRecorder;
use embedded::testing::test_database;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::load::{Batch, Load, Tenant};
use crate::figure::{Figures, percentile};
use crate::world::{World, context};

/// How often a small tenant sends.
const EVERY: Duration = Duration::from_millis(100);

/// How many records a second the small ones send, all together.
const SMALL_RECORDS_PER_SECOND: usize = 2_000;

/// How many senders the large one has, and how many records each sends at once.
const LARGE_SENDERS: usize = 8;
const LARGE_BATCH: usize = 5_000;

/// How many tenants there are where nothing real is at hand.
const MADE_UP_TENANTS: usize = 20;

/// Measures it.
pub(crate) async fn measure(figures: &mut Figures, seconds: f64) -> anyhow::Result<()> {
    let database = test_database().await;
    let world = World::on(&database).await?;
    let recorder = UsageRecorder::new(world.executor.clone());
    let shares = shares()?;
    let mut load = Load::of(&world, shares.len()).await?;
    let small = small_writes(&mut load, &shares, seconds);
    let mut alone = waits_ms(&recorder, small, seconds).await?;
    let small = small_writes(&mut load, &shares, seconds);
    let over = Arc::new(AtomicBool::new(false));
    let mut large = JoinSet::new();
    for _ in 0..LARGE_SENDERS {
        // Made before the clock runs.
        let batches: Vec<Batch> =
            (0..large_batches(seconds)).map(|_| load.batch(0, LARGE_BATCH)).collect();
        let (recorder, over) = (recorder.clone(), Arc::clone(&over));
        let tenant = load.tenants[0].clone();
        large.spawn(async move {
            for batch in batches {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                recorder.record(&context(None), tenant.organization_id, batch.records).await?;
            }
            anyhow::Ok(())
        });
    }
    let mut beside = waits_ms(&recorder, small, seconds).await?;
    let is_still_sending = !large.is_empty() && large.try_join_next().is_none();
    over.store(true, Ordering::Relaxed);
    while let Some(sender) = large.join_next().await {
        sender??;
    }
    anyhow::ensure!(is_still_sending, "the large tenant was through before the small ones");
    let (beside, alone) = (percentile(&mut beside, 0.99), percentile(&mut alone, 0.99));
    figures.compared("usage_small_tenants_p99", beside, "ms", alone, "");
    Ok(())
}

/// How many batches each sender of the large tenant needs, so that it is not through before the time
/// is: more than are ever written.
fn large_batches(seconds: f64) -> usize {
    const RECORDS_PER_SECOND_MAX: f64 = 400_000.0;
    #[allow(clippy::cast_precision_loss)] // Small numbers.
    let a_turn = (LARGE_SENDERS * LARGE_BATCH) as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A few.
    let batches = (seconds * RECORDS_PER_SECOND_MAX / a_turn).ceil() as usize;
    batches + 1
}

/// What each small tenant sends, one write for each time that it is due.
fn small_writes(load: &mut Load, shares: &[usize], seconds: f64) -> Vec<(Tenant, Vec<Batch>)> {
    let of_small: usize = shares[1..].iter().sum();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A few.
    let times = (seconds / EVERY.as_secs_f64()) as usize;
    let at_once =
        SMALL_RECORDS_PER_SECOND * usize::try_from(EVERY.as_millis()).unwrap_or(100) / 1_000;
    let writes = shares.iter().enumerate().skip(1).map(|(number, share)| {
        let records = (at_once * share / of_small.max(1)).max(1);
        let batches = (0..times).map(|_| load.batch(number, records)).collect();
        (load.tenants[number].clone(), batches)
    });
    writes.collect()
}

/// Lets each send when it is due, whether what it sent before was answered or not. How long each took
/// from when it was due, in milliseconds.
async fn waits_ms(
    recorder: &UsageRecorder,
    tenants: Vec<(Tenant, Vec<Batch>)>,
    seconds: f64,
) -> anyhow::Result<Vec<f64>> {
    let started = Instant::now();
    let mut senders = JoinSet::new();
    for (tenant, batches) in tenants {
        let recorder = recorder.clone();
        senders.spawn(async move {
            let mut due = interval(EVERY);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut sent = JoinSet::new();
            for batch in batches {
                let due = due.tick().await.into_std();
                let (recorder, organization_id) = (recorder.clone(), tenant.organization_id);
                sent.spawn(async move {
                    recorder.record(&context(None), organization_id, batch.records).await?;
                    anyhow::Ok(due.elapsed().as_secs_f64() * 1_000.0)
                });
            }
            let mut waits_ms = Vec::new();
            while let Some(done) = sent.join_next().await {
                waits_ms.push(done??);
            }
            anyhow::Ok(waits_ms)
        });
    }
    let mut waits_ms = Vec::new();
    while let Some(sender) = senders.join_next().await {
        waits_ms.extend(sender??);
    }
    anyhow::ensure!(started.elapsed().as_secs_f64() >= seconds / 2.0, "it was over too soon");
    Ok(waits_ms)
}

/// How much each tenant sends, the largest first.
fn shares() -> anyhow::Result<Vec<usize>> {
    let mut shares = match std::env::var_os("ORGLEDGER_REAL_DATA") {
        Some(data) => {
            busiest_window(&std::path::Path::new(&data).join("usage/servegen_windows.csv.gz"))?
        }
        None => {
            eprintln!("ORGLEDGER_REAL_DATA is not set: the tenants are made up");
            (1..=MADE_UP_TENANTS).map(|rank| 100_000 / (rank * rank)).collect()
        }
    };
    shares.sort_unstable_by(|a, b| b.cmp(a));
    anyhow::ensure!(shares.len() > 1, "it takes a small tenant");
    Ok(shares)
}

/// The requests of each tenant in the window that has the most of them.
fn busiest_window(file: &std::path::Path) -> anyhow::Result<Vec<usize>> {
    let mut text = String::new();
    let mut file = flate2::read::GzDecoder::new(std::fs::File::open(file)?);
    std::io::Read::read_to_string(&mut file, &mut text)?;
    let mut windows = std::collections::BTreeMap::<&str, Vec<usize>>::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [_, _, _, window, requests, ..] = fields[..] else { anyhow::bail!("'{line}'") };
        windows.entry(window).or_default().push(requests.parse()?);
    }
    let busiest = windows.into_values().max_by_key(|window| window.iter().sum::<usize>());
    busiest.ok_or_else(|| anyhow::anyhow!("there is no window"))
}
