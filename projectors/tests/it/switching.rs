//! Readers never see a read model missing, half or older than before.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use projectors::{Config, Projectors, all, rebuild};
use sqlx::{Acquire, Connection, Executor, PgPool};
use tokio::task::JoinSet;

use crate::support::history::Story;
use crate::support::{House, access_register};

/// Reads again and again: several views in one statement, one after the other in a transaction, in
/// both orders. Gives how often.
async fn hammer(reader: PgPool, over: Arc<AtomicBool>, forth: bool) -> usize {
    let mut last = (0, 0, 0);
    let mut times = 0;
    while !over.load(Ordering::SeqCst) {
        let seen: (i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from read.members), (select count(*) from read.api_keys),
                 (select position from read.builds
                  where projection = 'access_register' and state = 'serving')",
        )
        .fetch_one(&reader)
        .await
        .unwrap();
        assert!(seen.0 >= last.0 && seen.1 >= last.1 && seen.2 >= last.2, "{last:?} {seen:?}");
        last = seen;

        let mut connection = reader.acquire().await.unwrap();
        let mut tx = connection.begin().await.unwrap();
        let mut views = ["api_keys", "invites", "members", "organizations", "projects"];
        if !forth {
            views.reverse();
        }
        for view in views {
            let count: i64 = sqlx::query_scalar(&format!("select count(*) from read.{view}"))
                .fetch_one(&mut *tx)
                .await
                .unwrap();
            assert!(count > 0);
        }
        tx.commit().await.unwrap();
        let seen = in_one_snapshot(&reader).await;
        assert!(seen.0 >= last.0 && seen.1 >= last.1 && seen.2 >= last.2, "{last:?} {seen:?}");
        last = seen;
        times += 1;
    }
    times
}

/// The same numbers, one after the other in a snapshot that outlives its statements.
async fn in_one_snapshot(reader: &PgPool) -> (i64, i64, i64) {
    let mut connection = reader.acquire().await.unwrap();
    let begin = "begin isolation level repeatable read read only";
    let mut tx = connection.begin_with(begin).await.unwrap();
    tx.execute("lock table read.api_keys in access share mode").await.unwrap();
    let position = sqlx::query_scalar(
        "select position from read.builds
         where projection = 'access_register' and state = 'serving'",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    // Long enough for a rebuild to get ahead of us, if it could.
    for _ in 0..5 {
        sqlx::query("select count(*) from read.invites").execute(&mut *tx).await.unwrap();
    }
    let mut counts = [0; 2];
    for (count, view) in counts.iter_mut().zip(["members", "api_keys"]) {
        let sql = format!("select count(*), coalesce(max(known_from), 0) <= $1 from read.{view}");
        let (rows, of_its_time): (i64, bool) =
            sqlx::query_as(&sql).bind(position).fetch_one(&mut *tx).await.unwrap();
        assert!(of_its_time);
        *count = rows;
    }
    tx.commit().await.unwrap();
    (counts[0], counts[1], position)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rebuild_under_load_is_not_noticed() {
    let mut story = Story::new(40);
    let house = Arc::new(House::with(&story.tell(3_000)).await);
    house.catch_up().await;

    let mut background = JoinSet::new();
    let config = Config { read: house.read.clone(), feed: house.live_feed(), projections: all() };
    background.spawn(Projectors::run(config, pending()));
    let over = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for forth in [true, false] {
        readers.spawn(hammer(house.reader.clone(), Arc::clone(&over), forth));
    }
    let mut writers = JoinSet::new();
    {
        let (house, over) = (Arc::clone(&house), Arc::clone(&over));
        writers.spawn(async move {
            while !over.load(Ordering::SeqCst) {
                house.happen(&story.tell(20)).await;
                house.wait_for("access_register", house.head().await).await;
            }
        });
    }

    for _ in 0..5 {
        rebuild(&house.read, &house.feed(), &access_register(), &mut |_| {}).await.unwrap();
    }
    over.store(true, Ordering::SeqCst);
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    while let Some(times) = readers.join_next().await {
        assert!(times.unwrap() > 5);
    }
    house.wait_for_head().await;
    let live = house.fingerprints().await;
    rebuild(&house.read, &house.feed(), &access_register(), &mut |_| {}).await.unwrap();
    assert_eq!(house.fingerprints().await, live);
}

#[tokio::test]
async fn a_reader_that_takes_its_time_holds_up_the_switch_and_nobody_else() {
    let house = Arc::new(House::with(&Story::new(41).tell(200)).await);
    house.catch_up().await;
    let count = "select count(*) from read.members";

    let mut slow = house.reader.begin().await.unwrap();
    let before: i64 = sqlx::query_scalar(count).fetch_one(&mut *slow).await.unwrap();
    let rebuilding = {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            rebuild(&house.read, &house.feed(), &access_register(), &mut |_| {}).await
        })
    };
    for _ in 0..500 {
        let seen: i64 = sqlx::query_scalar(count).fetch_one(&house.reader).await.unwrap();
        assert_eq!(seen, before);
    }
    // The slow reader is still at it, and still sees what it saw.
    let after: i64 = sqlx::query_scalar(count).fetch_one(&mut *slow).await.unwrap();
    assert_eq!(after, before);
    slow.commit().await.unwrap();
    rebuilding.await.unwrap().unwrap();
    let after: i64 = sqlx::query_scalar(count).fetch_one(&house.reader).await.unwrap();
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_snapshot_from_before_the_switch_stays_whole() {
    let house = Arc::new(House::with(&Story::new(42).tell(300)).await);
    house.catch_up().await;
    let count = "select count(*) from read.members";
    let before: i64 = sqlx::query_scalar(count).fetch_one(&house.reader).await.unwrap();

    // The first views show either build already when this one holds up the rest.
    let mut slow = house.reader.begin().await.unwrap();
    slow.execute("lock table read.projects in access share mode").await.unwrap();
    let rebuilding = {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            rebuild(&house.read, &house.feed(), &access_register(), &mut |_| {}).await
        })
    };
    let shows_either = "select pg_get_viewdef('read.members') like '%UNION ALL%'";
    while !sqlx::query_scalar::<_, bool>(shows_either).fetch_one(&house.owner).await.unwrap() {
        tokio::task::yield_now().await;
    }

    let begin = "begin isolation level repeatable read read only";
    let mut snapshot = house.reader.begin_with(begin).await.unwrap();
    snapshot.execute("lock table read.api_keys in access share mode").await.unwrap();
    sqlx::query("select position from read.builds").execute(&mut *snapshot).await.unwrap();
    slow.commit().await.unwrap();
    let switched = "select build > 3 from read.builds
                    where projection = 'access_register' and state = 'serving'";
    while !sqlx::query_scalar::<_, bool>(switched).fetch_one(&house.reader).await.unwrap() {
        tokio::task::yield_now().await;
    }
    // What the rebuild could do to the other views, it has done when it begins to wait for us.
    let waiting = "select exists (select 1 from pg_stat_activity
                                   where wait_event_type = 'Lock' and datname = current_database())";
    while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(&house.owner).await.unwrap() {
        tokio::task::yield_now().await;
    }
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut *snapshot).await.unwrap();
    assert_eq!(seen, before);
    snapshot.commit().await.unwrap();
    rebuilding.await.unwrap().unwrap();
}
