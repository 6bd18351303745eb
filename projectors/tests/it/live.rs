//! Following the log: every entry exactly once, whoever applies it and however often it fails.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use event_log::{Append, NewEvent, StreamKey, new_event_id};
use event_schemas::Actor;
use projectors::{
    Config, ProjectionError, Projectors, Registered, RunError, all, catch_up, rebuild,
};
use tokio::task::{AbortHandle, JoinSet};

use crate::support::history::{Story, minute};
use crate::support::probe::{Probe, ProbeTwo};
use crate::support::random::Random;
use crate::support::usage::Usage;
use crate::support::{House, metadata};

/// Runs projectors as one process would, until the set is dropped.
fn run(processes: &mut JoinSet<()>, house: &House, projections: Vec<Registered>) -> AbortHandle {
    let config = Config { read: house.read.clone(), feed: house.live_feed(), projections };
    processes.spawn(Projectors::run(config, pending()))
}

/// Rebuilds everything in one go and finds the tables as they were.
async fn as_if_rebuilt(house: &House) {
    let live = house.fingerprints().await;
    for projection in all() {
        rebuild(&house.read, &house.feed(), &projection, &mut |_| {}).await.unwrap();
    }
    assert_eq!(house.fingerprints().await, live);
}

#[tokio::test]
async fn live_projections_follow_both_lanes_of_the_log() {
    let house = House::new().await;
    let mut processes = JoinSet::new();
    run(&mut processes, &house, all());
    let (mut story, mut usage) = (Story::new(10), Usage::new(11));
    for round in 0..30 {
        house.happen(&story.tell(1 + round * 3)).await;
        let (organization_id, records) = usage.batch(1 + round);
        house.use_up(organization_id, &records).await;
        usage.reprice(&house).await;
        house.wait_for_head().await;
    }
    as_if_rebuilt(&house).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_processes_apply_every_page_once() {
    let house = House::new().await;
    let mut processes = JoinSet::new();
    for _ in 0..3 {
        run(&mut processes, &house, all());
    }
    let (mut story, mut usage) = (Story::new(12), Usage::new(13));
    for _ in 0..60 {
        house.happen(&story.tell(7)).await;
        let (organization_id, records) = usage.batch(20);
        house.use_up(organization_id, &records).await;
        usage.reprice(&house).await;
    }
    house.wait_for_head().await;
    as_if_rebuilt(&house).await;
    let requests: i64 = sqlx::query_scalar("select sum(requests)::bigint from read.usage_hourly")
        .fetch_one(&house.reader)
        .await
        .unwrap();
    assert_eq!(requests, 60 * 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_killed_in_the_middle_goes_on_where_it_was() {
    let house = Arc::new(House::with(&Story::new(14).tell(1_500)).await);
    let mut usage = Usage::new(15);
    for _ in 0..20 {
        let (organization_id, records) = usage.batch(30);
        house.use_up(organization_id, &records).await;
        usage.reprice(&house).await;
    }
    let head = house.head().await;
    let mut random = Random::new(16);
    let mut killed = 0;
    loop {
        let running = {
            let house = Arc::clone(&house);
            let feed = house.feed_in_pages_of(40);
            tokio::spawn(async move { catch_up(&house.read, &feed, &all(), head).await })
        };
        for _ in 0..random.below(20 + 10 * killed) {
            // A question to the database takes about as long as a step of what is to be killed.
            house.head().await;
        }
        running.abort();
        match running.await {
            Ok(Ok(())) => break,
            // Connections that died with those before may still be in this one's way.
            Ok(Err(RunError::Projection(ProjectionError::Sqlx(sqlx::Error::Io(_))))) => {}
            Ok(Err(error)) => panic!("{error}"),
            Err(_) => killed += 1,
        }
    }
    assert!(killed > 5, "{killed}");
    as_if_rebuilt(&house).await;
}

#[tokio::test]
async fn a_page_that_fails_is_tried_again_and_never_skipped() {
    let house = House::new().await;
    let probe = Probe::default();
    let mut processes = JoinSet::new();
    run(&mut processes, &house, vec![Registered::new(probe.clone())]);
    house.wait_for("probe", 0).await;

    probe.failing.store(true, Ordering::SeqCst);
    let mut story = Story::new(17);
    house.happen(&story.tell(10)).await;
    for _ in 0..3 {
        probe.tried.notified().await;
    }
    house.happen(&story.tell(10)).await;
    probe.tried.notified().await;
    assert_eq!(house.position("probe").await, 0);
    assert_eq!(probed(&house).await, Vec::<i64>::new());

    probe.failing.store(false, Ordering::SeqCst);
    house.wait_for("probe", 20).await;
    assert_eq!(probed(&house).await, (1..=20).collect::<Vec<_>>());
}

async fn probed(house: &House) -> Vec<i64> {
    sqlx::query_scalar("select position from read.probed order by position")
        .fetch_all(&house.reader)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_event_that_cannot_be_read_stops_its_projection_and_no_other() {
    let house = House::with(&Story::new(18).tell(50)).await;
    house.catch_up().await;
    let event = NewEvent {
        event_id: new_event_id(),
        organization_id: Some(new_event_id().into()),
        stream: StreamKey::new("organization", "0"),
        event_type: "member.promoted".to_owned(),
        event_version: "7".to_owned(),
        payload: r#"{"type": "member.promoted"}"#.to_owned(),
        metadata: metadata(&Actor::system("test")),
        occurred_at: minute(0),
    };
    house.log.append(Append { events: vec![event], ..Append::default() }).await.unwrap();
    house.happen(&Story::new(19).tell(10)).await;

    let error = catch_up(&house.read, &house.feed(), &all(), house.head().await).await.unwrap_err();
    let RunError::Projection(ProjectionError::Unreadable { position: 51, .. }) = error else {
        panic!("{error}")
    };
    assert_eq!(house.position("access_register").await, 50);
    // Those that do not read the stream's events go on.
    let others = [all().remove(1), all().remove(2)];
    catch_up(&house.read, &house.feed(), &others, house.head().await).await.unwrap();
    assert_eq!(house.position("balances").await, 61);
    assert_eq!(house.position("cost_per_feature").await, 61);
}

#[tokio::test]
async fn an_older_program_leaves_a_newer_ones_tables_alone() {
    let house = House::with(&Story::new(20).tell(10)).await;
    let newer = [Registered::new(ProbeTwo)];
    catch_up(&house.read, &house.feed(), &newer, 10).await.unwrap();
    let older = [Registered::new(Probe::default())];
    let error = catch_up(&house.read, &house.feed(), &older, 10).await.unwrap_err();
    assert!(matches!(error, RunError::Newer { serving: 2, known: 1, .. }), "{error}");
}
