//! A page of the log, whichever way it came.

use chrono::{DateTime, Utc};
use event_log::UsageRun;
use event_schemas::{OrganizationId, RecordedEvent, UsageBatch};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Place;
use super::corrections::{self, CorrectionSource, CorrectionsPage};
use super::usage::{self, Span, UsageSource};
use crate::projection::ProjectionError;

/// The usage records of a page.
#[derive(Debug, Clone)]
pub enum UsagePage {
    /// Whole batches, which the log's table in the same database holds.
    Runs(Vec<UsageRun>),
    /// The records themselves.
    Records(Vec<UsageBatch>),
}

/// A batch of usage records of which some stand on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageBatchOfPage {
    /// The batch.
    pub batch_id: Uuid,
    /// Whose records they are.
    pub organization_id: OrganizationId,
    /// The position of its first record, on this page or on one before.
    pub first_position: i64,
    /// When the log learned of it, whole: a batch commits at once.
    pub recorded_at: DateTime<Utc>,
}

/// What a page has of a batch of usage records: the sender, and how many of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePart {
    /// The batch.
    pub batch_id: Uuid,
    /// Whose records they are.
    pub organization_id: OrganizationId,
    /// The position of the batch's first record, on this page or on one before.
    pub first_position: i64,
    /// How many of its records stand on this page.
    pub records: i64,
    /// When the log learned of it, whole.
    pub recorded_at: DateTime<Utc>,
    /// Who sent it, and the rest of the metadata; none where the message did not say.
    pub metadata: Option<serde_json::Value>,
}

/// All that stands in the log after one position and up to another.
#[derive(Debug, Clone)]
pub struct FeedPage {
    /// The events, in order of position.
    pub events: Vec<RecordedEvent>,
    /// The usage records, in order of position.
    pub usage: UsagePage,
    /// What its events correct.
    pub corrections: CorrectionsPage,
    /// The position that the page follows.
    pub after: i64,
    /// The position up to which it reaches; `after`, where it is empty.
    pub upto: i64,
    /// Whether there may have been more behind it when it was read.
    pub more: bool,
    /// When the log learned of its last entry.
    pub recorded_at: Option<DateTime<Utc>>,
    /// Where in JetStream its last entry stood.
    pub stream_sequence: Option<i64>,
}

impl FeedPage {
    /// The same as if it ended with its event of that number, from 0.
    pub(crate) fn up_to_event(&self, number: usize) -> Self {
        let mut page = self.clone();
        page.events.truncate(number + 1);
        let upto = page.events.last().map_or(self.after, |event| event.position);
        match &mut page.usage {
            UsagePage::Runs(runs) => runs.retain(|run| run.first_position < upto),
            UsagePage::Records(batches) => batches.retain(|batch| batch.first_position < upto),
        }
        match &mut page.corrections {
            CorrectionsPage::InTheLog => {}
            CorrectionsPage::Records(corrections) => {
                corrections.retain(|(position, _)| *position <= upto);
            }
        }
        Self { upto, ..page }
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> Place {
        Place { position: self.upto, stream_sequence: self.stream_sequence }
    }

    /// Whether any usage record stands on it.
    pub fn has_usage(&self) -> bool {
        match &self.usage {
            UsagePage::Runs(runs) => !runs.is_empty(),
            UsagePage::Records(batches) => !batches.is_empty(),
        }
    }

    /// The batches of the page's usage records, each once, by id.
    pub fn usage_batches(&self) -> Vec<UsageBatchOfPage> {
        let mut batches: Vec<UsageBatchOfPage> = match &self.usage {
            UsagePage::Runs(runs) => runs
                .iter()
                .map(|run| UsageBatchOfPage {
                    batch_id: run.batch_id,
                    organization_id: run.organization_id,
                    first_position: run.first_position,
                    recorded_at: run.recorded_at,
                })
                .collect(),
            UsagePage::Records(batches) => batches
                .iter()
                .filter_map(|part| {
                    let first = part.records.first()?;
                    Some(UsageBatchOfPage {
                        batch_id: first.batch_id,
                        organization_id: first.organization_id,
                        first_position: part.first_position - i64::from(first.ordinal),
                        recorded_at: part.recorded_at,
                    })
                })
                .collect(),
        };
        batches.sort_unstable_by_key(|batch| batch.batch_id);
        batches.dedup_by_key(|batch| batch.batch_id);
        batches
    }

    /// The page's parts of batches of usage records, in order; of one batch there may be several.
    pub fn usage_parts(&self) -> Vec<UsagePart> {
        match &self.usage {
            UsagePage::Runs(runs) => runs
                .iter()
                .map(|run| UsagePart {
                    batch_id: run.batch_id,
                    organization_id: run.organization_id,
                    first_position: run.first_position,
                    records: run.count,
                    recorded_at: run.recorded_at,
                    metadata: Some(run.metadata.clone()),
                })
                .collect(),
            UsagePage::Records(batches) => batches
                .iter()
                .filter_map(|part| {
                    let first = part.records.first()?;
                    let last = part.first_position + count(&part.records) - 1;
                    Some(UsagePart {
                        batch_id: first.batch_id,
                        organization_id: first.organization_id,
                        first_position: part.first_position - i64::from(first.ordinal),
                        records: last - self.after.max(part.first_position - 1),
                        recorded_at: part.recorded_at,
                        metadata: part.metadata.clone(),
                    })
                })
                .filter(|part| part.records > 0)
                .collect(),
        }
    }

    /// The page's usage records as something to select from, within the page's transaction; none
    /// where it has none, and refused where some were archived. Records that came with the page are put
    /// into a temporary table.
    pub async fn usage_source(
        &self,
        tx: &mut PgConnection,
    ) -> Result<Option<UsageSource>, ProjectionError> {
        let (table, spans) = match &self.usage {
            UsagePage::Runs(runs) => {
                let span = |run: &UsageRun| Span {
                    batch_id: run.batch_id,
                    recorded_at: run.recorded_at,
                    first_day: run.first_day,
                    last_day: run.last_day,
                };
                if !runs.is_empty() {
                    usage::prepare(tx, runs).await?;
                }
                ("log.usage_records", runs.iter().map(span).collect::<Vec<_>>())
            }
            UsagePage::Records(batches) => {
                let spans: Vec<Span> = batches.iter().flat_map(usage::spans).collect();
                if !spans.is_empty() {
                    usage::stage(tx, batches, self.after).await?;
                }
                (usage::STAGED, spans)
            }
        };
        Ok(UsageSource::of(table, &spans))
    }

    /// What the page corrects as something to select from, within the page's transaction; none where it
    /// corrects nothing.
    pub async fn correction_source(
        &self,
        tx: &mut PgConnection,
    ) -> Result<Option<CorrectionSource>, ProjectionError> {
        corrections::source(tx, &self.events, &self.corrections).await
    }
}

fn count(records: &[event_schemas::RecordedUsage]) -> i64 {
    i64::try_from(records.len()).unwrap_or(i64::MAX)
}
