//! How long a report takes: a month of one organization by feature and day, while others record at
//! half of what the machine can do.

use std::time::{Duration, Instant};

use command_api::usage::UsageRecorder;
use embedded::testing::{TestDatabase, test_database};
use event_log::database::{self, Role};
use event_schemas::OrganizationId;
use projectors::{Feed, PostgresFeed};
use query_api::costs::{Bound, CostsQuery, Dimension, READS, costs};
use query_api::{OrganizationRef, Rows, Snapshot};
use sqlx::PgPool;

use super::load::{Batch, Load, Tenant};
use super::rollup::Rollup;
use super::{BATCHES, SENDERS};
use crate::figure::{Figures, percentile};
use crate::world::{World, context};

/// The month, and how long it is.
const MONTH: (&str, &str) = ("2026-01-01", "2026-02-01");
const MONTH_SECONDS: i64 = 31 * 86_400;

/// Records of a batch of the month.
const BATCH_RECORDS: i64 = 100_000;

/// Between two reports: a person looks at one before asking for another.
const PAUSE: Duration = Duration::from_millis(20);

/// How many reports at least: the hundredth part of them is a few.
const REPORTS_MIN: usize = 300;

/// Measures it. The month is made by the server itself, in the log's own tables, and rolled up as
/// everything is.
pub(crate) async fn measure(
    figures: &mut Figures,
    seconds: f64,
    records: i64,
) -> anyhow::Result<()> {
    let database = test_database().await;
    let world = World::on(&database).await?;
    let mut load = Load::on(&world).await?;
    let batches = (records / BATCH_RECORDS).max(1);
    let owner = database.pool().await;
    for batch in 0..batches {
        make(&owner, world.organization_id, batch, batches).await?;
    }
    catch_up(&database, &world).await?;
    sqlx::raw_sql("vacuum analyze").execute(&owner).await?;

    let recorder = UsageRecorder::new(world.executor.clone());
    let rollup = Rollup::follow(&database, &world).await?;
    let pool = database::pool(&database.connect_options(), Role::Reader, 4).await?;
    let senders = load.batches(SENDERS, super::records(seconds * 4.0), &BATCHES);
    let sending = tokio::spawn(at_half_speed(recorder, rollup, senders));
    let mut query = CostsQuery::of(
        OrganizationRef::Id(world.organization_id),
        vec![Dimension::Feature, Dimension::Day],
    );
    query.from = MONTH.0.parse::<Bound>().ok();
    query.to = MONTH.1.parse::<Bound>().ok();
    let (mut days, elsewhere) =
        ask(&pool, &world, &query, batches * BATCH_RECORDS, &sending).await?;
    anyhow::ensure!(elsewhere > 0, "all reports were made before anything was recorded");
    let recorded = sending.await??;
    figures.alone("cost_report_p99", percentile(&mut days, 0.99), "ms", "< 50");
    figures.alone("cost_report_p50", percentile(&mut days, 0.5), "ms", "");
    figures.alone("cost_report_ingest", recorded, "/s", "half of usage_ingest");
    for (name, zone, by) in [
        ("cost_report_berlin_p50", "Europe/Berlin", vec![Dimension::Feature, Dimension::Day]),
        ("cost_report_model_berlin_p50", "Europe/Berlin", vec![Dimension::Model, Dimension::Day]),
        ("cost_report_kolkata_p50", "Asia/Kolkata", vec![Dimension::Feature, Dimension::Day]),
        ("cost_report_key_p50", "UTC", vec![Dimension::ApiKey, Dimension::Day]),
    ] {
        let query = CostsQuery { time_zone: zone.to_owned(), by, ..query.clone() };
        let mut times = Vec::new();
        for _ in 0..5 {
            times.push(once(&pool, &world, &query).await?.0);
        }
        figures.alone(name, percentile(&mut times, 0.5), "ms", "");
    }
    Ok(())
}

/// Reports one after another, until the senders are done and there are enough. Answers how long each
/// took, in milliseconds, and how many were made meanwhile.
async fn ask(
    pool: &PgPool,
    world: &World,
    query: &CostsQuery,
    requests: i64,
    sending: &tokio::task::JoinHandle<anyhow::Result<f64>>,
) -> anyhow::Result<(Vec<f64>, usize)> {
    let mut times = Vec::new();
    while !sending.is_finished() {
        let (took, found) = once(pool, world, query).await?;
        anyhow::ensure!(found == requests, "{found} requests are reported, {requests} were made");
        times.push(took);
        tokio::time::sleep(PAUSE).await;
    }
    let meanwhile = times.len();
    anyhow::ensure!(
        meanwhile >= REPORTS_MIN.min(50),
        "only {meanwhile} reports were made meanwhile"
    );
    Ok((times, meanwhile))
}

/// Milliseconds, and the requests of all rows.
async fn once(pool: &PgPool, world: &World, query: &CostsQuery) -> anyhow::Result<(f64, i64)> {
    let asked = Instant::now();
    let mut snapshot = Snapshot::open(pool, Rows::Of(world.organization_id), READS, 0).await?;
    let report = costs(&mut snapshot, query).await?;
    drop(snapshot);
    let took = asked.elapsed().as_secs_f64() * 1_000.0;
    Ok((took, report.rows.iter().map(|row| row.sums.requests).sum()))
}

/// Each sender pauses for as long as its batch took. Answers records a second.
async fn at_half_speed(
    recorder: UsageRecorder,
    rollup: Rollup,
    senders: Vec<(Tenant, Vec<Batch>)>,
) -> anyhow::Result<f64> {
    let started = Instant::now();
    let tasks = senders.into_iter().map(|(tenant, batches)| {
        let recorder = recorder.clone();
        tokio::spawn(async move {
            let mut recorded = 0;
            for batch in batches {
                let began = Instant::now();
                recorded += batch.records.len();
                recorder.record(&context(None), tenant.organization_id, batch.records).await?;
                tokio::time::sleep(began.elapsed()).await;
            }
            anyhow::Ok(recorded)
        })
    });
    let mut recorded = 0;
    for sender in futures::future::try_join_all(tasks).await? {
        recorded += sender?;
    }
    drop(rollup);
    #[allow(clippy::cast_precision_loss)] // Far below 2^53.
    Ok(recorded as f64 / started.elapsed().as_secs_f64())
}

/// Brings the read models that a report needs up to the log.
async fn catch_up(database: &TestDatabase, world: &World) -> anyhow::Result<()> {
    let options = database.connect_options();
    let read = database::pool(&options, Role::Projector, 8).await?;
    let log = database::pool(&options, Role::Projector, 4).await?;
    let feed = Feed::Postgres(PostgresFeed::of(log, world.executor.log().vault().clone()));
    let wanted = [projectors::named("access_register")?, projectors::named("cost_per_feature")?];
    let head = world.executor.log().head().await?;
    projectors::catch_up(&read, &feed, &wanted, head).await?;
    Ok(())
}

/// One batch of the month, in the order of time: 4 projects of 2 keys, 20 features, 6 models.
async fn make(
    owner: &PgPool,
    organization_id: OrganizationId,
    batch: i64,
    batches: i64,
) -> anyhow::Result<()> {
    let mut tx = owner.begin().await?;
    sqlx::query("select log.ensure_usage_partition($1::date)")
        .bind(MONTH.0.parse::<chrono::NaiveDate>()?)
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "insert into log.usage_records (batch_id, ordinal, organization_id, project_id, api_key_id,
             feature, provider, model, request_id, occurred_at, occurred_day, request_key,
             content_key, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
             reasoning_tokens, price_version, cost_pico, currency, tags)
         select md5('batch ' || $1)::uuid, n, $2, (array['00000000-0000-0000-0000-000000000001',
                 '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003',
                 '00000000-0000-0000-0000-000000000004'])[1 + key % 4]::uuid,
             ('00000000-0000-0000-0000-00000000001' || key)::uuid,
             'feature-' || floor(random() * 20), 'openai', 'model-' || floor(random() * 6),
             'request ' || $1 || ' ' || n, at, (at at time zone 'UTC')::date, gen_random_uuid(),
             gen_random_uuid(), 1000 + n % 500, 100, 0, 200 + n % 77, 0, 1, 1000000 + n, 'USD', '{}'
         from (select n, floor(random() * 8)::integer as key,
                   $5::date::timestamp at time zone 'UTC'
                       + ($1 * $3 + n) * ($4::double precision * interval '1 second') as at
               from generate_series(0, $3 - 1) as n) as made",
    )
    .bind(batch)
    .bind(organization_id.0)
    .bind(BATCH_RECORDS)
    .bind(seconds_apart(batches))
    .bind(MONTH.0.parse::<chrono::NaiveDate>()?)
    .execute(&mut *tx)
    .await?;
    // Nothing here is sealed: any root will do.
    sqlx::query(
        "with head as (
             update log.head set position = position + $3,
                 recorded_at = greatest(recorded_at, clock_timestamp())
             returning position, recorded_at)
         insert into log.usage_batches (first_position, batch_id, organization_id, count, first_day,
             last_day, actor, metadata, recorded_at, records_root)
         select position - $3 + 1, batch_id, $2, $3, first_day, last_day, 'operator:bench', '{}',
             recorded_at, sha256('none')
         from head, (select batch_id, min(occurred_day) as first_day, max(occurred_day) as last_day
                     from log.usage_records where batch_id = md5('batch ' || $1)::uuid
                     group by 1) as made",
    )
    .bind(batch)
    .bind(organization_id.0)
    .bind(BATCH_RECORDS)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// So that the month is full.
#[allow(clippy::cast_precision_loss)] // Far below 2^53.
fn seconds_apart(batches: i64) -> f64 {
    MONTH_SECONDS as f64 / (batches * BATCH_RECORDS) as f64
}
