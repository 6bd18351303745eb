//! What was used and what it cost: by the day and by the hour, and by the quarter of an hour and all
//! that usage is attributed to.

mod statements;

use sqlx::{Executor as _, PgConnection};

use crate::events::Stream;
use crate::feed::{FeedPage, UsageSource};
use crate::projection::{Projection, ProjectionError};

/// Usage, rolled up.
#[derive(Debug, Clone, Copy)]
pub struct CostPerFeature;

impl Projection for CostPerFeature {
    const NAME: &'static str = "cost_per_feature";
    const VERSION: i32 = 3;
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
                | Stream::Refusal
                | Stream::CreditAccount
                | Stream::Budget
                | Stream::PriceList
                | Stream::Name
                | Stream::Person => {}
            }
        }
        if let Some(source) = page.usage_source(tx).await? {
            add_usage(tx, &source).await?;
        }
        Ok(())
    }
}

async fn add_usage(tx: &mut PgConnection, source: &UsageSource) -> Result<(), sqlx::Error> {
    // How many groups there will be cannot be foreseen, and Postgres, told that there may be as many
    // as records, would sort them on disk: three times the work.
    tx.execute("set local enable_sort to off; set local jit to off").await?;
    let rolled_up = statements::rollups(source.table);
    let with_units: i64 = sqlx::query_scalar(&rolled_up)
        .bind(&source.batch_ids)
        .bind(&source.recorded_at)
        .bind(source.first_day)
        .bind(source.last_day)
        .fetch_one(&mut *tx)
        .await?;
    if with_units > 0 {
        sqlx::query(&statements::units(source.table))
            .bind(&source.batch_ids)
            .bind(&source.recorded_at)
            .bind(source.first_day)
            .bind(source.last_day)
            .execute(&mut *tx)
            .await?;
    }
    tx.execute("set local enable_sort to default; set local jit to default").await?;
    Ok(())
}
