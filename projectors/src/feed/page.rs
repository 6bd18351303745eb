//! A page of the log, whichever way it came.

use chrono::{DateTime, NaiveDate, Utc};
use event_log::UsageRun;
use event_schemas::{RecordedEvent, UsageBatch};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Place;
use super::usage::{self, UsageSource};

/// The usage records of a page.
#[derive(Debug, Clone)]
pub enum UsagePage {
    /// Whole batches, which the log's table in the same database holds.
    Runs(Vec<UsageRun>),
    /// The records themselves.
    Records(Vec<UsageBatch>),
}

/// All that stands in the log after one position and up to another.
#[derive(Debug, Clone)]
pub struct FeedPage {
    /// The events, in order of position.
    pub events: Vec<RecordedEvent>,
    /// The usage records, in order of position.
    pub usage: UsagePage,
    /// The position that the page follows.
    pub after: i64,
    /// The position up to which it reaches; `after`, where it is empty.
    pub upto: i64,
    /// When the log learned of its last entry.
    pub recorded_at: Option<DateTime<Utc>>,
    /// Where in JetStream its last entry stood.
    pub stream_sequence: Option<i64>,
}

impl FeedPage {
    /// Where it ends.
    pub(crate) fn end(&self) -> Place {
        Place { position: self.upto, stream_sequence: self.stream_sequence }
    }

    /// The page's usage records as something to select from, within the page's transaction; none
    /// where it has none. Records that came with the page are put into a temporary table.
    pub async fn usage_source(
        &self,
        tx: &mut PgConnection,
    ) -> Result<Option<UsageSource>, sqlx::Error> {
        let (table, spans) = match &self.usage {
            UsagePage::Runs(runs) => {
                let span = |run: &UsageRun| (run.batch_id, run.first_day, run.last_day);
                if !runs.is_empty() {
                    sqlx::query(usage::SETTINGS).execute(&mut *tx).await?;
                }
                ("log.usage_records", runs.iter().map(span).collect::<Vec<_>>())
            }
            UsagePage::Records(batches) => {
                let spans: Vec<(Uuid, NaiveDate, NaiveDate)> =
                    batches.iter().flat_map(|batch| &batch.records).map(usage::span).collect();
                if !spans.is_empty() {
                    usage::stage(tx, batches, self.after).await?;
                }
                (usage::STAGED, spans)
            }
        };
        Ok(UsageSource::of(table, &spans))
    }
}
