//! Folded again from the first event, every read model is what the live one is, wherever that is done,
//! and nothing of it stays.

use std::sync::Arc;

use event_log::database::{self, Role};
use projectors::replay::{Comparison, Live, Replay, TableComparison};
use projectors::{Feed, PostgresFeed, all, catch_up};
use sqlx::Executor as _;
use tokio::sync::Notify;

use crate::support::House;
use crate::support::history::Story;
use crate::support::random::Random;
use crate::support::usage::Usage;

/// How many positions are tried.
const POSITIONS: usize = 100;

/// Minutes between two things in a year of 1,500 of them.
const PACE: i64 = 365 * 24 * 60 / 1_500;

/// A year of busy organizations: 1,500 events, and usage between them.
async fn a_year(seed: u64) -> House {
    let house = House::new().await;
    let (mut story, mut usage) = (Story::new(seed).with_pace(PACE), Usage::new(seed + 1));
    for round in 0..30 {
        house.happen(&story.tell(50)).await;
        let (organization_id, records) = usage.batch(5 + round);
        house.use_up(organization_id, &records).await;
        usage.reprice(&house).await;
    }
    house
}

async fn replay_to(house: &House, position: i64) -> Replay {
    let options = house.database.connect_options();
    let mut replay = Replay::begin(&options, house.vault(), &all()).await.unwrap();
    replay.advance(position, &mut |_| {}).await.unwrap();
    replay
}

async fn compared(house: &House, replay: &mut Replay) -> Vec<TableComparison> {
    let mut live = Live::open(&house.read).await.unwrap();
    let mut compared = Vec::new();
    for scratch in replay.scratches() {
        compared.extend(live.compare(scratch).await.unwrap());
    }
    compared
}

/// Tables of sessions: what a replay has left.
async fn temporary_tables(house: &House) -> i64 {
    let count = "select count(*) from pg_class where relpersistence = 't' and relkind = 'r'";
    sqlx::query_scalar(count).fetch_one(&house.owner).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_any_position_the_live_read_models_are_what_history_says() {
    let house = a_year(70).await;
    let head = usize::try_from(house.head().await).unwrap();
    let mut random = Random::new(72);
    let mut positions: Vec<i64> =
        (0..POSITIONS).map(|_| i64::try_from(1 + random.below(head)).unwrap()).collect();
    positions.sort_unstable();
    for position in &positions {
        // The live ones come as far as that, a few events at a time.
        let feed = PostgresFeed::of(house.read.clone(), house.vault())
            .with_page_events_max(1 + random.below(40))
            .with_end(*position);
        catch_up(&house.read, &Feed::Postgres(feed), &all(), *position).await.unwrap();
        let mut replay = replay_to(&house, *position).await;
        let compared = compared(&house, &mut replay).await;
        assert!(compared.len() > 30, "{}", compared.len());
        for table in &compared {
            assert_eq!(table.live, Comparison::Same, "position {position}: {table:?}");
        }
    }
    // What remembers is at every earlier position what it was there, however far it has gone on.
    house.catch_up().await;
    let mut remembered = 0;
    for position in positions.iter().step_by(10) {
        let mut replay = replay_to(&house, *position).await;
        for table in compared(&house, &mut replay).await {
            match table.live {
                Comparison::Same => remembered += 1,
                Comparison::GoneOn => {}
                Comparison::Differs(_) => panic!("position {position}: {table:?}"),
            }
        }
    }
    assert!(remembered > 150, "{remembered} tables");
}

#[tokio::test]
async fn a_live_read_model_that_somebody_changed_is_found() {
    let house = a_year(80).await;
    house.catch_up().await;
    let build: i64 = sqlx::query_scalar(
        "select build from read.builds where projection = 'access_register' and state = 'serving'",
    )
    .fetch_one(&house.owner)
    .await
    .unwrap();
    let change = format!(
        "update read_access_register_{build}.members set role = 'owner'
         where ctid = (select min(ctid) from read_access_register_{build}.members
                       where role <> 'owner')"
    );
    house.owner.execute(change.as_str()).await.unwrap();
    let head = house.head().await;
    for position in [head, head - 1] {
        let mut replay = replay_to(&house, position).await;
        let compared = compared(&house, &mut replay).await;
        let differs: Vec<&str> = compared
            .iter()
            .filter(|table| matches!(table.live, Comparison::Differs(_)))
            .map(|table| table.replayed.table.as_str())
            .collect();
        assert_eq!(differs, ["members"], "position {position}");
    }
}

#[tokio::test]
async fn a_replay_leaves_nothing_behind_however_it_ends() {
    let house = Arc::new(a_year(90).await);
    house.catch_up().await;
    let live = house.fingerprints().await;
    let before = temporary_tables(&house).await;
    let in_the_middle = Arc::new(Notify::new());
    let running = {
        let (house, in_the_middle) = (Arc::clone(&house), Arc::clone(&in_the_middle));
        tokio::spawn(async move {
            let options = house.database.connect_options();
            let replay = Replay::begin(&options, house.vault(), &all()).await.unwrap();
            let mut replay = replay.with_page_events_max(5);
            replay.advance(i64::MAX - 1, &mut |_| in_the_middle.notify_one()).await
        })
    };
    in_the_middle.notified().await;
    assert!(temporary_tables(&house).await > before);
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    // Postgres drops them as it notices that the sessions are gone.
    while temporary_tables(&house).await > before {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.fingerprints().await, live);
}

#[tokio::test]
async fn who_replays_can_write_nowhere_else() {
    let house = a_year(100).await;
    house.catch_up().await;
    let options = house.database.connect_options();
    let mut replayer = database::connect(&options, Role::Replayer).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables
         where schemaname in ('log', 'read', 'vault', 'reports') or schemaname like 'read\\_%'",
    )
    .fetch_all(&house.owner)
    .await
    .unwrap();
    assert!(tables.len() > 40, "{tables:?}");
    for table in tables {
        for write in ["delete from", "truncate", "drop table"] {
            let refused = replayer.execute(format!("{write} {table}").as_str()).await;
            let refused = refused.expect_err(&table);
            let code = refused.as_database_error().and_then(|error| error.code().map(String::from));
            assert_eq!(code.as_deref(), Some("42501"), "{write} {table}: {refused}");
        }
    }
    let refused = replayer.execute("create table public.kept (one integer)").await;
    assert!(refused.is_err(), "no table stays");
    replayer.execute("create temporary table gone (one integer)").await.unwrap();
}
