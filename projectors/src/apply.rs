//! Applying pages to a build: rows and checkpoint in one transaction, each page exactly once.

use std::time::Instant;

use sqlx::PgPool;

use crate::builds::{self, State};
use crate::error::RunError;
use crate::feed::{Feed, FeedPage, Pages, Place};
use crate::projection::{ProjectionError, Registered};

/// What became of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It is in the tables, and the checkpoint at its end.
    Here(Place),
    /// The build does not stand where the page begins: somebody else has applied it.
    Elsewhere(Place),
    /// There is no such build, or it is not of this program's version.
    Gone,
}

/// Applies a page to the projection's build in that state, where it stands where the page begins.
pub(crate) async fn page(
    read: &PgPool,
    projection: &Registered,
    state: State,
    page: &FeedPage,
) -> Result<Applied, ProjectionError> {
    let started = Instant::now();
    let mut tx = read.begin().await?;
    let Some(build) = builds::lock(&mut tx, projection.name, state).await? else {
        return Ok(Applied::Gone);
    };
    if build.version != projection.version {
        return Ok(Applied::Gone);
    }
    if build.place.position != page.after {
        return Ok(Applied::Elsewhere(build.place));
    }
    let place = builds::apply(&mut tx, projection, &build, page).await?;
    tx.commit().await?;
    metrics::histogram!("orgledger_projection_apply_seconds", "projection" => projection.name)
        .record(started.elapsed().as_secs_f64());
    Ok(Applied::Here(place))
}

/// Applies what follows a place until a position is reached, and gives where that is. `applied` is
/// told after each page.
pub(crate) async fn until(
    read: &PgPool,
    feed: &Feed,
    projection: &Registered,
    state: State,
    from: Place,
    target: i64,
    applied: &mut (dyn FnMut(Place) + Send),
) -> Result<Place, RunError> {
    let mut place = from;
    while place.position < target {
        let mut pages = Pages::after(feed, place);
        while place.position < target {
            let next = pages.next().await?;
            match page(read, projection, state, &next).await? {
                Applied::Here(end) => {
                    place = end;
                    applied(place);
                }
                Applied::Elsewhere(end) => {
                    place = end;
                    break;
                }
                Applied::Gone => return Err(RunError::Replaced { projection: projection.name }),
            }
        }
    }
    Ok(place)
}
