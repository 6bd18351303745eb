//! How fast read models are rebuilt from zero: measured, on request, and never asserted.
//!
//! `cargo run -p embedded --bin with-servers -- cargo nextest run --release -p projectors rate \
//!     --run-ignored all --no-capture`

use projectors::{named, rebuild};

use crate::support::history::Story;
use crate::support::usage::Usage;
use crate::support::{House, access_register};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn rebuilding_the_access_register() {
    for events in [6_000, 26_000, 100_000] {
        let house = House::with(&Story::new(60).tell(events)).await;
        house.catch_up().await;
        for _ in 0..3 {
            let (feed, register) = (house.feed(), access_register());
            let rebuilt = rebuild(&house.read, &feed, &register, &mut |_| {}).await.unwrap();
            let members: i64 = sqlx::query_scalar("select count(*) from read.members")
                .fetch_one(&house.reader)
                .await
                .unwrap();
            let rate = f64::from(u32::try_from(rebuilt.entries).unwrap()) / rebuilt.seconds;
            println!(
                "{} events, {members} rows of members: {:.2} s, {rate:.0} events/s",
                rebuilt.entries, rebuilt.seconds
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn rebuilding_the_cost_per_feature() {
    let house = House::new().await;
    let mut usage = Usage::new(61);
    let mut records = 0_u32;
    for size in (0..200).map(|round| 100 * (1 + round % 20)) {
        let (organization_id, batch) = usage.batch(size);
        house.use_up(organization_id, &batch).await;
        records += u32::try_from(size).unwrap();
    }
    house.catch_up().await;
    for name in ["cost_per_feature", "balances"] {
        let (feed, projection) = (house.feed(), named(name).unwrap());
        let rebuilt = rebuild(&house.read, &feed, &projection, &mut |_| {}).await.unwrap();
        let rate = f64::from(records) / rebuilt.seconds;
        println!("{name}: {records} records, {:.2} s, {rate:.0} records/s", rebuilt.seconds);
    }
    let rows: i64 = sqlx::query_scalar("select count(*) from read.usage_hourly")
        .fetch_one(&house.reader)
        .await
        .unwrap();
    println!("{rows} rows of usage_hourly");
}
