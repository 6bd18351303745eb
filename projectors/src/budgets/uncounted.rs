//! What a page has that is counted: usage and corrections, in the log's order.

use std::collections::VecDeque;

use sqlx::PgConnection;

use crate::feed::{CorrectionSource, FeedPage, UsageBatchOfPage, UsageSource};
use crate::projection::ProjectionError;

/// What of a page is not counted yet.
pub(super) struct Uncounted {
    /// Where its usage records are; none where it has none.
    pub(super) source: Option<UsageSource>,
    batches: VecDeque<UsageBatchOfPage>,
    corrections: Option<CorrectionSource>,
}

/// What stands between two events of budgets.
pub(super) struct Stretch {
    pub(super) batches: Vec<UsageBatchOfPage>,
    /// Those of the events that stand there.
    pub(super) corrections: Option<CorrectionSource>,
}

impl Uncounted {
    pub(super) async fn of(
        tx: &mut PgConnection,
        page: &FeedPage,
    ) -> Result<Self, ProjectionError> {
        let mut batches = page.usage_batches();
        batches.sort_unstable_by_key(|batch| batch.first_position);
        Ok(Self {
            source: page.usage_source(tx).await?,
            batches: VecDeque::from(batches),
            corrections: page.correction_source(tx).await?,
        })
    }

    /// Takes out what stands before a position. An event stands in the middle of no batch.
    pub(super) fn before(&mut self, position: i64) -> Stretch {
        let count = self.batches.partition_point(|batch| batch.first_position < position);
        let batches = self.batches.drain(..count).collect();
        let corrections = self.corrections.as_mut().and_then(|all| {
            let count = all.positions.partition_point(|of_event| *of_event < position);
            (count > 0).then(|| CorrectionSource {
                relation: all.relation.clone(),
                positions: all.positions.drain(..count).collect(),
                recorded_at: all.recorded_at.drain(..count).collect(),
                organizations: all.organizations.clone(),
            })
        });
        Stretch { batches, corrections }
    }

    /// Takes out all that is left.
    pub(super) fn rest(&mut self) -> Stretch {
        self.before(i64::MAX)
    }
}
