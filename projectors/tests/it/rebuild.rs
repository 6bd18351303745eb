//! Rebuilt from zero is the same as kept live, byte for byte.

use std::sync::Arc;

use futures::future::try_join_all;
use projectors::{Registered, all, catch_up, rebuild, status};
use tokio::sync::Notify;

use crate::support::history::Story;
use crate::support::probe::{Probe, ProbeRenamed, ProbeTwo};
use crate::support::usage::Usage;
use crate::support::{House, access_register};

/// A house in which much happened, followed a little at a time.
async fn lived_in() -> House {
    let house = House::new().await;
    let (mut story, mut usage) = (Story::new(30), Usage::new(31));
    for round in 0..12 {
        house.happen(&story.tell(10 + round * 10)).await;
        let (organization_id, records) = usage.batch(10 + round);
        house.use_up(organization_id, &records).await;
        usage.reprice(&house).await;
        house.catch_up().await;
    }
    house
}

async fn build_schemas(house: &House) -> Vec<String> {
    sqlx::query_scalar(
        "select nspname::text from pg_namespace where nspname like 'read\\_%' order by nspname",
    )
    .fetch_all(&house.owner)
    .await
    .unwrap()
}

#[tokio::test]
async fn tables_are_the_same_wherever_pages_begin_and_end() {
    let house = lived_in().await;
    let live = house.fingerprints().await;
    assert!(live.iter().flat_map(|f| &f.tables).all(|table| table.rows > 0), "{live:?}");
    for events in [1, 7, 5_000] {
        for projection in all() {
            let feed = house.feed_in_pages_of(events);
            let rebuilt = rebuild(&house.read, &feed, &projection, &mut |_| {}).await.unwrap();
            assert_eq!(rebuilt.position, house.head().await);
            assert_eq!(rebuilt.entries, rebuilt.position);
        }
        assert_eq!(house.fingerprints().await, live, "in pages of {events}");
    }
}

#[tokio::test]
async fn a_rebuild_mends_what_somebody_broke_and_leaves_nothing_behind() {
    let house = lived_in().await;
    let before = house.fingerprints().await;
    let builds = build_schemas(&house).await;
    let table = format!("{}.members", builds[0]);
    sqlx::query(&format!("update {table} set role = 'owner'")).execute(&house.owner).await.unwrap();
    assert_ne!(house.fingerprints().await, before);
    let mut told = 0;
    let (feed, register) = (house.feed_in_pages_of(100), access_register());
    let rebuilt = rebuild(&house.read, &feed, &register, &mut |_| told += 1).await.unwrap();
    assert!(told > 0);
    assert!(rebuilt.seconds > 0.0);
    assert_eq!(house.fingerprints().await, before);
    let after = build_schemas(&house).await;
    assert_eq!(after.len(), builds.len());
    assert!(!after.contains(&builds[0]));
}

#[tokio::test]
async fn a_rebuild_that_died_is_cleared_away_by_the_next() {
    let house = Arc::new(House::with(&Story::new(32).tell(3_000)).await);
    house.catch_up().await;
    let before = house.fingerprints().await;
    for _ in 0..3 {
        let in_the_middle = Arc::new(Notify::new());
        let running = {
            let (house, in_the_middle) = (Arc::clone(&house), Arc::clone(&in_the_middle));
            tokio::spawn(async move {
                let feed = house.feed_in_pages_of(100);
                let mut tell = |_| in_the_middle.notify_one();
                rebuild(&house.read, &feed, &access_register(), &mut tell).await
            })
        };
        in_the_middle.notified().await;
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        assert_eq!(house.fingerprints().await, before, "the old tables serve");
    }
    assert_eq!(build_schemas(&house).await.len(), all().len() + 1);
    rebuild(&house.read, &house.feed(), &access_register(), &mut |_| {}).await.unwrap();
    assert_eq!(house.fingerprints().await, before);
    assert_eq!(build_schemas(&house).await.len(), all().len());
    let left: i64 = sqlx::query_scalar("select count(*) from read.builds where state = 'building'")
        .fetch_one(&house.reader)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn what_a_killed_rebuild_had_sent_may_come_to_its_end_after_its_lock_did() {
    let house = Arc::new(House::with(&Story::new(34).tell(100)).await);
    house.catch_up().await;
    let before = house.fingerprints().await;
    // As far as a session came whose process is gone.
    let mut late = house.owner.begin().await.unwrap();
    sqlx::query(
        "insert into read.builds (projection, version, state)
         select projection, version, 'building' from read.builds
         where projection = 'access_register' and state = 'serving'",
    )
    .execute(&mut *late)
    .await
    .unwrap();
    let next = {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            rebuild(&house.read, &house.feed(), &access_register(), &mut |_| {}).await
        })
    };
    let waits = "select exists (select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock')";
    while !sqlx::query_scalar::<_, bool>(waits).fetch_one(&house.owner).await.unwrap() {
        tokio::task::yield_now().await;
    }
    late.commit().await.unwrap();
    next.await.unwrap().unwrap();
    assert_eq!(house.fingerprints().await, before);
}

#[tokio::test]
async fn a_first_build_that_died_is_gone_on_with() {
    let house = House::with(&Story::new(33).tell(200)).await;
    // What a process that died half way through leaves.
    let probe = Probe::default();
    let projections = [Registered::new(probe.clone())];
    catch_up(&house.read, &house.feed_in_pages_of(50), &projections, 100).await.unwrap();
    sqlx::query("drop view read.probed").execute(&house.owner).await.unwrap();
    sqlx::query("delete from read.builds").execute(&house.owner).await.unwrap();
    sqlx::query(
        "insert into read.builds (build, projection, version, state, position)
         overriding system value values (1, 'probe', 1, 'building', 120)",
    )
    .execute(&house.owner)
    .await
    .unwrap();
    sqlx::query("delete from read_probe_1.probed where position > 120")
        .execute(&house.owner)
        .await
        .unwrap();

    catch_up(&house.read, &house.feed(), &projections, 200).await.unwrap();
    let status = status(&house.reader).await.unwrap();
    assert_eq!((status[0].build, status[0].position), (1, 200));
    let rows: i64 = sqlx::query_scalar("select count(*) from read.probed")
        .fetch_one(&house.reader)
        .await
        .unwrap();
    assert_eq!(rows, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_starts_at_once_build_one() {
    let house = House::with(&Story::new(34).tell(500)).await;
    let head = house.head().await;
    let (feed, all) = (house.feed(), all());
    let starts = (0..4).map(|_| catch_up(&house.read, &feed, &all, head));
    try_join_all(starts).await.unwrap();
    let builds: Vec<(String, String)> =
        sqlx::query_as("select projection, state from read.builds order by projection")
            .fetch_all(&house.reader)
            .await
            .unwrap();
    let serving = |name: &str| (name.to_owned(), "serving".to_owned());
    let expected = [
        "access_register",
        "access_reviews",
        "audit_log",
        "balances",
        "budgets",
        "cost_per_feature",
        "last_use",
        "oversight",
        "prices",
    ]
    .map(serving);
    assert_eq!(builds, expected);
}

#[tokio::test]
async fn a_newer_version_is_built_beside_and_takes_over() {
    let house = House::with(&Story::new(35).tell(30)).await;
    let one = [Registered::new(Probe::default())];
    catch_up(&house.read, &house.feed(), &one, 30).await.unwrap();
    let two = [Registered::new(ProbeTwo)];
    catch_up(&house.read, &house.feed(), &two, 30).await.unwrap();
    let twice: i64 = sqlx::query_scalar("select sum(twice)::bigint from read.probed")
        .fetch_one(&house.reader)
        .await
        .unwrap();
    assert_eq!(twice, 2 * (1..=30).sum::<i64>());
    let status = status(&house.reader).await.unwrap();
    assert_eq!((status[0].version, status[0].position), (2, 30));
}

#[tokio::test]
async fn a_view_that_somebody_built_on_does_not_hold_up_a_version_without_it() {
    let house = House::with(&Story::new(36).tell(30)).await;
    let count = async |view: &str| -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(&format!("select count(*) from {view}")).fetch_one(&house.owner).await
    };
    catch_up(&house.read, &house.feed(), &[Registered::new(Probe::default())], 30).await.unwrap();
    sqlx::query("create view public.ours as select position from read.probed")
        .execute(&house.owner)
        .await
        .unwrap();
    let renamed = [Registered::new(ProbeRenamed)];
    catch_up(&house.read, &house.feed(), &renamed, 30).await.unwrap();
    assert_eq!(count("read.probed_anew").await.unwrap(), 30);
    assert_eq!(count("public.ours").await.unwrap(), 30, "as it was");
    rebuild(&house.read, &house.feed(), &renamed[0], &mut |_| {}).await.unwrap();
    // Once nothing is built on it any more, it goes.
    sqlx::query("drop view public.ours").execute(&house.owner).await.unwrap();
    rebuild(&house.read, &house.feed(), &renamed[0], &mut |_| {}).await.unwrap();
    assert!(count("read.probed").await.is_err());
    assert_eq!(count("read.probed_anew").await.unwrap(), 30);
    assert_eq!(build_schemas(&house).await.len(), 1);
}
