//! Whether a read model is what the log says: built anew beside it, compared, and thrown away.

use event_schemas::Month;
use sqlx::{Connection as _, PgConnection, PgPool};

use crate::apply;
use crate::builds::{self, Build, State};
use crate::error::RunError;
use crate::feed::{Feed, Pages};
use crate::projection::{ProjectionError, Registered};
use crate::rebuild::{Leftover, begin, lock_builder, serving, sweep};
use crate::status::Difference;
use crate::views;

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// There is none of this version in service.
    NotServing,
    /// It is what the log says, up to this position.
    Same {
        /// The position.
        position: i64,
    },
    /// It cannot be built anew: records that it rests on have been archived.
    Archived {
        /// The first of the months that it needs.
        month: Month,
    },
    /// It is not.
    Other(Difference),
}

/// Builds a read model anew and compares it with the one in service, which stays as it is. While the
/// last of the log is applied and the tables are compared, the live one waits.
pub async fn compare(
    read: &PgPool,
    feed: &Feed,
    projection: &Registered,
) -> Result<Compared, RunError> {
    let _lock = lock_builder(read, projection.name).await?;
    if serving(read, projection).await?.is_none() {
        return Ok(Compared::NotServing);
    }
    // What readers see first: the rest is what the views should show.
    if let Some(difference) = changed_view(read, projection).await? {
        return Ok(Compared::Other(difference));
    }
    let build = begin(read, projection, Leftover::Discard).await?;
    let compared = against(read, feed, projection, &build).await;
    let mut connection = read.acquire().await?;
    let mut tx = connection.begin().await?;
    builds::retire(&mut tx, &build).await?;
    tx.commit().await?;
    drop(connection);
    sweep(read, projection).await?;
    match compared {
        Err(RunError::Projection(ProjectionError::Archived { month })) => {
            Ok(Compared::Archived { month })
        }
        compared => compared,
    }
}

/// The first view of a read model that is not the one that this program makes. Nothing is changed.
pub async fn changed_view(
    read: &PgPool,
    projection: &Registered,
) -> Result<Option<Difference>, sqlx::Error> {
    let mut tx = read.begin().await?;
    let Some(serving) = builds::find(&mut tx, projection.name, State::Serving).await? else {
        return Ok(None);
    };
    if serving.version != projection.version {
        return Ok(None);
    }
    let changed = views::changed(&mut tx, projection, &serving).await?;
    tx.rollback().await?;
    Ok(changed.map(|(name, is)| Difference {
        table: format!("the view read.{name}"),
        row: format!("the definition is not the one that this program makes, but: {is}"),
    }))
}

async fn against(
    read: &PgPool,
    feed: &Feed,
    projection: &Registered,
    build: &Build,
) -> Result<Compared, RunError> {
    let replaced = || RunError::Replaced { projection: projection.name };
    // Most of it before the live one has to wait.
    let target = serving(read, projection).await?.ok_or_else(replaced)?.place.position;
    let building = State::Building;
    let near = ending(feed, target);
    apply::until(read, &near, projection, building, build.place, target, &mut |_| {}).await?;
    let mut tx = read.begin().await?;
    let live = builds::lock(&mut tx, projection.name, State::Serving).await?;
    let live = live.ok_or_else(replaced)?;
    let fresh = builds::lock(&mut tx, projection.name, State::Building).await?;
    let fresh = fresh.filter(|fresh| fresh.id == build.id).ok_or_else(replaced)?;
    let mut place = fresh.place;
    let mut pages = Pages::after(&ending(feed, live.place.position), place);
    while place.position < live.place.position {
        let page = pages.next().await?;
        place = builds::apply(&mut tx, projection, &fresh, &page).await?;
    }
    if place.position != live.place.position {
        // Pages of JetStream end where they will.
        tx.rollback().await?;
        return up_to(read, feed, projection, build).await;
    }
    let found = differ(&mut tx, projection, &live, &fresh).await?;
    tx.rollback().await?;
    Ok(found.map_or(Compared::Same { position: place.position }, Compared::Other))
}

/// The feed as if the log ended at a position, where that can be said.
fn ending(feed: &Feed, position: i64) -> Feed {
    match feed {
        Feed::Postgres(feed) => Feed::Postgres(feed.clone().with_end(position)),
        Feed::JetStream(feed) => Feed::JetStream(feed.clone()),
    }
}

/// Brings both to the log's head first: nobody may run the live one.
async fn up_to(
    read: &PgPool,
    feed: &Feed,
    projection: &Registered,
    build: &Build,
) -> Result<Compared, RunError> {
    let head = feed.reader().head().await?;
    let place = serving(read, projection).await?.map_or(build.place, |live| live.place);
    apply::until(read, feed, projection, State::Serving, place, head, &mut |_| {}).await?;
    let mut connection = read.acquire().await?;
    let fresh = builds::find(&mut connection, projection.name, State::Building).await?;
    drop(connection);
    let fresh = fresh.ok_or(RunError::Replaced { projection: projection.name })?;
    Box::pin(against(read, feed, projection, &fresh)).await
}

async fn differ(
    tx: &mut PgConnection,
    projection: &Registered,
    live: &Build,
    fresh: &Build,
) -> Result<Option<Difference>, sqlx::Error> {
    let schemas = (live.schema(projection.name), fresh.schema(projection.name));
    crate::status::first_difference(tx, &schemas.0, &schemas.1).await
}
