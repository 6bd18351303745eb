//! Access reviews and their lines: what was looked at, what was said of it by whom, and what became
//! of it.

mod changes;
mod rows;

use sqlx::PgConnection;

use crate::feed::FeedPage;
use crate::projection::{Projection, ProjectionError};
use changes::Changes;

/// Access reviews.
#[derive(Debug, Clone, Copy)]
pub struct AccessReviews;

impl Projection for AccessReviews {
    const NAME: &'static str = "access_reviews";
    const VERSION: i32 = 2;
    const VIEWS: &'static [&'static str] =
        &["access_review_attestations", "access_review_lines", "access_reviews"];

    fn tables() -> &'static str {
        include_str!("tables.sql")
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        let changes = Changes::of(&page.events)?;
        // In the order in which they can follow one another within a review.
        changes.insert_reviews(tx).await?;
        changes.insert_lines(tx).await?;
        changes.attest_lines(tx).await?;
        changes.keep_attestations(tx).await?;
        changes.close_reviews(tx).await?;
        changes.move_sequences(tx).await?;
        Ok(())
    }
}
