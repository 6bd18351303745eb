//! Usage: how many records a second become durable while the rollup follows, beside a raw binary
//! `COPY` of the very same rows into a bare table; what a command takes meanwhile; the same over
//! HTTP; and how fast the rollup is built from zero.
//!
//! "Through the library" is `UsageRecorder::record`: each record is checked, attributed, priced,
//! looked up among those that are there, written and committed. Totals are summed up beside the log
//! while the records are made, and held against the rollup at the end of every run.

mod commands;
mod copied;
mod http;
mod load;
pub(crate) mod reports;
mod rollup;
pub(crate) mod seals;
pub(crate) mod skew;

use std::sync::Arc;
use std::time::Instant;

use command_api::usage::{RecordFate, UsageRecorder};
use embedded::testing::test_database;
use futures::future::try_join_all;

use crate::figure::{Figures, median, percentile};
use crate::world::{World, context};
use load::{Load, Tenant};
use rollup::{Committed, Rollup};

/// Senders, each of which waits for its answer before it sends again: two for each of the two
/// writers, so that one batch is checked and priced while another is written.
const SENDERS: usize = 4;

/// How many records a batch has, in turns.
const BATCHES: [usize; 3] = [1_000, 5_000, 10_000];

/// Records of a run, for each second that a side of a comparison is asked to run.
const RECORDS_PER_SECOND: f64 = 160_000.0;

/// Measures all of it.
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

    let (mut rates, mut raw, mut lags) = (Vec::new(), Vec::new(), Vec::new());
    // The first round makes the partitions, warms the caches, and does not count.
    for round in 0..=rounds {
        let counts = if round == 0 { records / 10 } else { records };
        let before = world.executor.log().head().await?;
        let batches = load.batches(SENDERS, counts, &BATCHES);
        let committed = [Arc::clone(&rollup.committed)];
        let (rate, written) = send(&recorder, &committed, batches).await?;
        let lag = rollup.caught_up(&world, &load.expected).await?;
        if round == 0 {
            // As autovacuum does in a partition's first minute.
            rollup.analyze().await?;
            continue;
        }
        anyhow::ensure!(written == counts, "{written} records of {counts} were recorded");
        let copied = copied::measure(&database, before).await?;
        rates.push(rate);
        raw.push(copied);
        lags.push(lag);
    }
    let ingest = median(rates);
    figures.compared("usage_ingest", ingest, "/s", median(raw), "ratio ≥ 0.4");
    figures.alone("usage_rollup_lag", lags.iter().copied().fold(0.0, f64::max), "s", "< 2");
    if figures.wants("usage_ingest_http") {
        let over_http = http::measure(&world, &rollup, &mut load, records / 2, rounds).await?;
        figures.compared("usage_ingest_http", over_http, "/s", ingest, "ratio ≥ 0.5");
    }
    if figures.wants("command_p50_under_ingest") {
        let mut idle = commands::every_5_ms(&world, seconds, None).await?;
        let batches = load.batches(SENDERS, records, &BATCHES);
        let committed = [Arc::clone(&rollup.committed)];
        let sending = send(&recorder, &committed, batches);
        let (mut under, _) = commands::beside(&world, sending).await?;
        rollup.caught_up(&world, &load.expected).await?;
        let (p50, idle) = (percentile(&mut under, 0.5), percentile(&mut idle, 0.5));
        figures.compared("command_p50_under_ingest", p50, "ms", idle, "ratio ≤ 4");
        figures.alone("command_p99_under_ingest", percentile(&mut under, 0.99), "ms", "");
    }
    if figures.wants("usage_rebuild") {
        let mut rates = Vec::new();
        for _ in 0..rounds {
            rates.push(rollup.rebuild(&world, &load.expected).await?);
        }
        figures.alone("usage_rebuild", median(rates), "records/s", "≥ 250,000");
    }
    Ok(())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A count that fits memory.
fn records(seconds: f64) -> usize {
    ((RECORDS_PER_SECOND * seconds) as usize).next_multiple_of(SENDERS * 16_000)
}

/// Each sender sends its batches one after another; followers hear of each answer. Answers records a second, until the last one's
/// answer, and how many were recorded.
async fn send(
    recorder: &UsageRecorder,
    followers: &[Arc<Committed>],
    senders: Vec<(Tenant, Vec<load::Batch>)>,
) -> anyhow::Result<(f64, usize)> {
    let started = Instant::now();
    let tasks = senders.into_iter().map(|(tenant, batches)| {
        let (recorder, followers) = (recorder.clone(), followers.to_vec());
        tokio::spawn(async move {
            let mut recorded = 0;
            for batch in batches {
                let answer =
                    recorder.record(&context(None), tenant.organization_id, batch.records).await?;
                let fresh = |fate: &&RecordFate| matches!(fate, RecordFate::Recorded { .. });
                recorded += answer.records.iter().filter(fresh).count();
                for follower in &followers {
                    follower.add(answer.position);
                }
            }
            anyhow::Ok(recorded)
        })
    });
    let mut recorded = 0;
    for sender in try_join_all(tasks).await? {
        recorded += sender?;
    }
    #[allow(clippy::cast_precision_loss)] // Far below 2^53.
    Ok((recorded as f64 / started.elapsed().as_secs_f64(), recorded))
}
