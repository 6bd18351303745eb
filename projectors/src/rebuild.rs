//! Building beside what is in service, and switching.

use std::time::Instant;

use sqlx::{Connection, PgConnection, PgPool};

use crate::apply;
use crate::builds::{self, Build, State};
use crate::error::RunError;
use crate::feed::{Feed, Pages, Place};
use crate::projection::{ProjectionError, Registered};
use crate::views::{self, Patience, Way};

/// How far behind the build in service another may be when the last transaction begins. That one
/// stops the live projector, so it should have little left to apply.
const SWITCH_BEHIND_MAX: i64 = 1_000;

/// How often a build runs after the one in service before it switches all the same. More would help
/// only where the log grows faster than it is applied.
const CHASES_MAX: usize = 10;

/// How far a rebuild has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The projection.
    pub projection: &'static str,
    /// Everything up to here is in the new tables.
    pub position: i64,
    /// Where it will switch, as far as known now.
    pub target: i64,
}

/// What a rebuild came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rebuilt {
    /// The projection.
    pub projection: &'static str,
    /// The build that is in service now.
    pub build: i64,
    /// How many entries of the log were applied to it.
    pub entries: i64,
    /// The position at which it went into service.
    pub position: i64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What to do with a build that somebody began and did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// Go on with it.
    Resume,
    /// Begin anew.
    Discard,
}

/// Builds a projection's tables anew from the log, beside those in service, and switches. Readers
/// see the old tables or the new ones, complete, and never an older position than before.
pub async fn rebuild(
    read: &PgPool,
    feed: &Feed,
    projection: &Registered,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Rebuilt, RunError> {
    let started = Instant::now();
    let _lock = lock_builder(read, projection.name).await?;
    // A newer program's tables are not for this one to replace.
    serving(read, projection).await?;
    let mut rebuilt = Box::pin(build(read, feed, projection, Leftover::Discard, progress)).await?;
    rebuilt.seconds = started.elapsed().as_secs_f64();
    Ok(rebuilt)
}

/// Makes sure that a build of this program's version is in service.
pub(crate) async fn ensure_serving(
    read: &PgPool,
    feed: &Feed,
    projection: &Registered,
) -> Result<Build, RunError> {
    if let Some(serving) = serving(read, projection).await? {
        return Ok(serving);
    }
    let _lock = lock_builder(read, projection.name).await?;
    // Whoever had the lock before may have done it.
    if let Some(serving) = serving(read, projection).await? {
        return Ok(serving);
    }
    tracing::info!(
        projection = projection.name,
        version = projection.version,
        "building a read model from the log"
    );
    Box::pin(build(read, feed, projection, Leftover::Resume, &mut |_| {})).await?;
    let serving = serving(read, projection).await?;
    serving.ok_or(RunError::Replaced { projection: projection.name })
}

/// Clears up after a process that ended in the middle of a rebuild, unless one is going on.
pub(crate) async fn tidy(read: &PgPool, projection: &Registered) -> Result<(), sqlx::Error> {
    let mut connection = read.acquire().await?.detach();
    let alone: bool = sqlx::query_scalar(
        "select pg_try_advisory_lock(hashtextextended('orgledger build ' || $1, 0))",
    )
    .bind(projection.name)
    .fetch_one(&mut connection)
    .await?;
    if alone { sweep(read, projection).await } else { Ok(()) }
}

/// The build in service, where it is not an older version's.
pub(crate) async fn serving(
    read: &PgPool,
    projection: &Registered,
) -> Result<Option<Build>, RunError> {
    let mut connection = read.acquire().await?;
    let serving = builds::find(&mut connection, projection.name, State::Serving).await?;
    match serving {
        Some(build) if build.version > projection.version => Err(RunError::Newer {
            projection: projection.name,
            serving: build.version,
            known: projection.version,
        }),
        serving => Ok(serving.filter(|build| build.version == projection.version)),
    }
}

/// Waits to be the one builder of a projection, and is it for as long as the connection lives:
/// however that ends, the lock goes with it. What is at stake is work, not truth: should the lock be
/// lost, a second builder gives the first one's build up, and the first one finds out.
pub(crate) async fn lock_builder(
    read: &PgPool,
    projection: &str,
) -> Result<PgConnection, sqlx::Error> {
    let mut connection = read.acquire().await?.detach();
    sqlx::query("select pg_advisory_lock(hashtextextended('orgledger build ' || $1, 0))")
        .bind(projection)
        .execute(&mut connection)
        .await?;
    Ok(connection)
}

async fn build(
    read: &PgPool,
    feed: &Feed,
    projection: &Registered,
    leftover: Leftover,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Rebuilt, RunError> {
    let build = begin(read, projection, leftover).await?;
    sweep(read, projection).await?;
    let mut place = chase(read, feed, projection, build.place, progress).await?;
    let mut connection = read.acquire().await?;
    let way = views::way_to(&mut connection, projection, &build).await?;
    let serving = builds::find(&mut connection, projection.name, State::Serving).await?;
    drop(connection);
    if let (Way::Either, Some(serving)) = (way, &serving) {
        views::show_either(read, projection, [serving, &build]).await?;
    }
    let mut patience = Patience::new();
    loop {
        place = chase(read, feed, projection, place, progress).await?;
        match switch(read, feed, projection, &build, way).await {
            Ok(switched) => {
                place = switched;
                break;
            }
            Err(RunError::Projection(ProjectionError::Sqlx(error)))
                if views::is_out_of_time(&error) =>
            {
                tracing::debug!(projection = projection.name, "readers are at the views; waiting");
                patience.pause().await;
            }
            Err(error) => return Err(error),
        }
    }
    sweep(read, projection).await?;
    progress(Progress {
        projection: projection.name,
        position: place.position,
        target: place.position,
    });
    Ok(Rebuilt {
        projection: projection.name,
        build: build.id,
        entries: place.position - build.place.position,
        position: place.position,
        seconds: 0.0,
    })
}

/// Makes the build to fill, or finds the one that was left half full.
pub(crate) async fn begin(
    read: &PgPool,
    projection: &Registered,
    leftover: Leftover,
) -> Result<Build, sqlx::Error> {
    loop {
        match try_to_begin(read, projection, leftover).await {
            // What a builder that was killed had sent to Postgres came to its end after its lock had: now
            // its build can be seen.
            Err(error) if is_there_already(&error) => {}
            begun => return begun,
        }
    }
}

fn is_there_already(error: &sqlx::Error) -> bool {
    let constraint = error.as_database_error().and_then(sqlx::error::DatabaseError::constraint);
    constraint == Some("one_building")
}

async fn try_to_begin(
    read: &PgPool,
    projection: &Registered,
    leftover: Leftover,
) -> Result<Build, sqlx::Error> {
    let mut tx = read.begin().await?;
    if let Some(left) = builds::lock(&mut tx, projection.name, State::Building).await? {
        if leftover == Leftover::Resume && left.version == projection.version {
            return Ok(left);
        }
        builds::retire(&mut tx, &left).await?;
    }
    let build = builds::create(&mut tx, projection).await?;
    tx.commit().await?;
    Ok(build)
}

/// Fills the build until it is close to the one in service; where there is none, up to the head.
async fn chase(
    read: &PgPool,
    feed: &Feed,
    projection: &Registered,
    from: Place,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Place, RunError> {
    let mut place = from;
    for _ in 0..CHASES_MAX {
        let mut connection = read.acquire().await?;
        let serving = builds::find(&mut connection, projection.name, State::Serving).await?;
        drop(connection);
        let target = match serving {
            Some(serving) => serving.place.position,
            None => feed.reader().head().await?,
        };
        if serving.is_some() && target - place.position <= SWITCH_BEHIND_MAX {
            break;
        }
        let mut applied = |place: Place| {
            progress(Progress { projection: projection.name, position: place.position, target });
        };
        place = apply::until(read, feed, projection, State::Building, place, target, &mut applied)
            .await?;
        if serving.is_none() {
            break;
        }
    }
    Ok(place)
}

/// The last transaction: stops the live projector by locking the row of the build in service,
/// applies what that one is ahead, and puts the new one in its place, where that agrees with itself.
/// Readers go on meanwhile.
async fn switch(
    read: &PgPool,
    feed: &Feed,
    projection: &Registered,
    build: &Build,
    way: Way,
) -> Result<Place, RunError> {
    let replaced = || RunError::Replaced { projection: projection.name };
    let mut tx = read.begin().await?;
    let serving = builds::lock(&mut tx, projection.name, State::Serving).await?;
    let building = builds::lock(&mut tx, projection.name, State::Building).await?;
    let building = building.filter(|b| b.id == build.id).ok_or_else(replaced)?;
    let mut place = building.place;
    let target = serving.map_or(0, |serving| serving.place.position);
    if place.position < target {
        let mut pages = Pages::after(feed, place);
        while place.position < target {
            let page = pages.next().await?;
            place = builds::apply(&mut tx, projection, &building, &page).await?;
        }
    }
    if let Some(what) = builds::disagreement(&mut tx, projection, &building).await? {
        return Err(RunError::Disagrees { projection: projection.name, what });
    }
    if let Some(serving) = serving {
        builds::retire(&mut tx, &serving).await?;
    }
    builds::serve(&mut tx, build).await?;
    builds::act_as_builder(&mut tx).await?;
    views::switch(&mut tx, projection, build, way).await?;
    tx.commit().await?;
    Ok(place)
}

/// Makes the views show nothing but the build in service, and drops the tables of those that were
/// in it. Where readers that began before the switch are still at them, the next sweep does it.
pub(crate) async fn sweep(read: &PgPool, projection: &Registered) -> Result<(), sqlx::Error> {
    views::settle(read, projection).await?;
    let mut connection = read.acquire().await?;
    for schema in builds::retired_schemas(&mut connection, projection.name).await? {
        let mut tx = connection.begin().await?;
        builds::act_as_builder(&mut tx).await?;
        match views::drop_schema(&mut tx, &schema).await {
            Ok(()) => tx.commit().await?,
            Err(error) if views::is_out_of_time(&error) || views::is_depended_on(&error) => {
                tx.rollback().await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
