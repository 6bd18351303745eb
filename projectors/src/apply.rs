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
    let place = match builds::apply(&mut tx, projection, &build, page).await {
        Ok(place) => place,
        Err(ProjectionError::Sqlx(error)) if contradicts(&error) => {
            tx.rollback().await?;
            let mut search = Search::in_page(page);
            while let Some(part) = search.next() {
                search.tell(is_refused(read, projection, state, &part).await?);
            }
            return Err(search.located(error));
        }
        Err(error) => return Err(error),
    };
    tx.commit().await?;
    metrics::histogram!("orgledger_projection_apply_seconds", "projection" => projection.name)
        .record(started.elapsed().as_secs_f64());
    Ok(Applied::Here(place))
}

/// Whether a database refuses what is written for what it is: more than one row for a key, a value that
/// is none, a rule that is broken.
pub(crate) fn contradicts(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["21", "22", "23"].iter().any(|class| code.starts_with(class)))
}

/// The search for the event that brings a page's error about: the first one up to which it is refused.
pub(crate) struct Search<'a> {
    page: &'a FeedPage,
    applied: usize,
    refused: usize,
}

impl<'a> Search<'a> {
    pub(crate) fn in_page(page: &'a FeedPage) -> Self {
        Self { page, applied: 0, refused: page.events.len() }
    }

    fn middle(&self) -> usize {
        self.applied.midpoint(self.refused)
    }

    /// What is to be tried next; none where the search has ended.
    pub(crate) fn next(&self) -> Option<FeedPage> {
        (self.refused > self.applied).then(|| self.page.up_to_event(self.middle()))
    }

    /// Whether that was refused.
    pub(crate) fn tell(&mut self, is_refused: bool) {
        if is_refused {
            self.refused = self.middle();
        } else {
            self.applied = self.middle() + 1;
        }
    }

    /// The error with its event, where one brings it about.
    pub(crate) fn located(self, error: sqlx::Error) -> ProjectionError {
        ProjectionError::refused(self.page.events.get(self.refused), error)
    }
}

async fn is_refused(
    read: &PgPool,
    projection: &Registered,
    state: State,
    page: &FeedPage,
) -> Result<bool, ProjectionError> {
    let mut tx = read.begin().await?;
    let Some(build) = builds::lock(&mut tx, projection.name, state).await? else {
        return Ok(false);
    };
    if build.place.position != page.after {
        return Ok(false);
    }
    let refused = match builds::apply(&mut tx, projection, &build, page).await {
        Ok(_) => false,
        Err(ProjectionError::Sqlx(error)) if contradicts(&error) => true,
        Err(error) => return Err(error),
    };
    tx.rollback().await?;
    Ok(refused)
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
