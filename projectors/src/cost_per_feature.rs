//! What was used and what it cost: by the day and by the hour, and by the quarter of an hour and all
//! that usage is attributed to.

mod statements;

use sqlx::postgres::PgRow;
use sqlx::types::chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Executor as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::events::Stream;
use crate::feed::{CorrectionSource, FeedPage, UsageSource};
use crate::projection::{Projection, ProjectionError};
use statements::Rows;

/// Usage, rolled up.
#[derive(Debug, Clone, Copy)]
pub struct CostPerFeature;

impl Projection for CostPerFeature {
    const NAME: &'static str = "cost_per_feature";
    const VERSION: i32 = 4;
    const VIEWS: &'static [&'static str] = &[
        "usage_by_feature",
        "usage_by_feature_daily",
        "usage_daily",
        "usage_hourly",
        "usage_quarter_hourly",
        "usage_units",
    ];

    fn tables() -> &'static str {
        include_str!("cost_per_feature/tables.sql")
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        for event in &page.events {
            match Stream::of(event)? {
                Stream::Organization
                | Stream::Project
                | Stream::ServiceAccount
                | Stream::ApiKey
                | Stream::AccessReview
                | Stream::Approval
                | Stream::UsageMonth
                | Stream::Refusal
                | Stream::CreditAccount
                | Stream::Budget
                | Stream::Webhook
                | Stream::PriceList
                | Stream::Name
                | Stream::Person
                | Stream::SigningKey
                // Its corrections come beside it, of the whole page at once.
                | Stream::Usage => {}
            }
        }
        if let Some(source) = page.usage_source(tx).await? {
            add(tx, &Added::recorded(&source)).await?;
        }
        if let Some(source) = page.correction_source(tx).await? {
            add(tx, &Added::corrected(&source)).await?;
        }
        Ok(())
    }
}

/// What is added to the rollups.
struct Added<'a> {
    rows: Rows<'a>,
    /// The batches or the events that it came with, and when each was recorded.
    ids: Ids<'a>,
    recorded_at: &'a [DateTime<Utc>],
}

enum Ids<'a> {
    /// Batches, whose records lie between these days.
    Batches(&'a [Uuid], NaiveDate, NaiveDate),
    Positions(&'a [i64]),
}

impl<'a> Added<'a> {
    fn recorded(source: &'a UsageSource) -> Self {
        let ids = Ids::Batches(&source.batch_ids, source.first_day, source.last_day);
        Self { rows: Rows::Recorded(source.table), ids, recorded_at: &source.recorded_at }
    }

    fn corrected(source: &'a CorrectionSource) -> Self {
        let ids = Ids::Positions(&source.positions);
        Self { rows: Rows::Corrected(&source.relation), ids, recorded_at: &source.recorded_at }
    }

    async fn run(&self, tx: &mut PgConnection, statement: &str) -> Result<PgRow, sqlx::Error> {
        let query = sqlx::query(statement);
        let query = match self.ids {
            Ids::Batches(ids, first_day, last_day) => {
                query.bind(ids).bind(self.recorded_at).bind(first_day).bind(last_day)
            }
            Ids::Positions(positions) => query.bind(positions).bind(self.recorded_at),
        };
        query.fetch_one(tx).await
    }
}

async fn add(tx: &mut PgConnection, added: &Added<'_>) -> Result<(), sqlx::Error> {
    // How many groups there will be cannot be foreseen, and Postgres, told that there may be as many
    // as records, would sort them on disk: three times the work.
    tx.execute("set local enable_sort to off").await?;
    let with_units: i64 = added.run(tx, &statements::rollups(added.rows)).await?.try_get(0)?;
    if with_units > 0 {
        added.run(tx, &statements::units(added.rows)).await?;
    }
    tx.execute("set local enable_sort to default").await?;
    Ok(())
}
