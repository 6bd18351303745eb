//! Which events of an organization a webhook wants, in order, a piece of the log at a time.

use std::collections::VecDeque;

use domain::webhook::WebhookDetails;
use event_schemas::OrganizationId;
use sqlx::PgPool;

use super::store;

/// How many positions are looked at in one statement: they are the whole log's.
const POSITIONS_MAX: i64 = 20_000;

/// A way through the log.
#[derive(Debug)]
pub(super) struct Scan {
    /// Every event up to here was looked at.
    at: i64,
    /// Those among them that are wanted and not dealt with.
    waiting: VecDeque<i64>,
}

impl Scan {
    /// From a position on.
    pub(super) fn after(position: i64) -> Self {
        Self { at: position, waiting: VecDeque::new() }
    }

    /// Up to where all was looked at.
    pub(super) fn at(&self) -> i64 {
        self.at
    }

    /// Passes over what nothing of is wanted.
    pub(super) fn skip_to(&mut self, position: i64) {
        self.at = self.at.max(position);
    }

    /// The next that is wanted, up to a position.
    pub(super) async fn next(
        &mut self,
        log: &PgPool,
        organization_id: OrganizationId,
        webhook: &WebhookDetails,
        upto: i64,
    ) -> Result<Option<i64>, sqlx::Error> {
        while self.waiting.is_empty() && self.at < upto {
            let end = upto.min(self.at.saturating_add(POSITIONS_MAX));
            let (found, looked_upto) = store::types(log, organization_id, self.at, end).await?;
            let wanted = found.into_iter().filter(|(_, event_type)| webhook.wants(event_type));
            self.waiting.extend(wanted.map(|(position, _)| position));
            self.at = looked_upto;
        }
        Ok(self.waiting.front().copied())
    }

    /// The one that was next is dealt with.
    pub(super) fn done(&mut self) {
        self.waiting.pop_front();
    }
}
