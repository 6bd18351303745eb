//! The log's own tables as a feed.

use event_log::read::read_page_upto;
use event_log::{HeadWatch, Vault};
use sqlx::PgPool;

use super::{CorrectionsPage, FeedError, FeedPage, PAGE_EVENTS_MAX, UsagePage};

/// Reads the log's tables by position.
#[derive(Clone)]
pub struct PostgresFeed {
    log: PgPool,
    vault: Vault,
    head: Option<HeadWatch>,
    page_events_max: usize,
    upto: i64,
}

impl PostgresFeed {
    /// A feed that is told when the log grows, to follow it with.
    pub fn following(log: PgPool, vault: Vault, head: HeadWatch) -> Self {
        Self { log, vault, head: Some(head), page_events_max: PAGE_EVENTS_MAX, upto: i64::MAX }
    }

    /// A feed of what is there, to catch up or rebuild from.
    pub fn of(log: PgPool, vault: Vault) -> Self {
        Self { log, vault, head: None, page_events_max: PAGE_EVENTS_MAX, upto: i64::MAX }
    }

    /// The same with pages of at most that many events. It changes nothing but speed.
    #[must_use]
    pub fn with_page_events_max(self, page_events_max: usize) -> Self {
        Self { page_events_max, ..self }
    }

    /// The same as if the log ended at a position or, where that lies within a batch of usage records,
    /// with the batch.
    #[must_use]
    pub fn with_end(self, upto: i64) -> Self {
        Self { upto, ..self }
    }

    pub(crate) fn log(&self) -> &PgPool {
        &self.log
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(super) async fn next(&mut self, after: i64) -> Result<FeedPage, FeedError> {
        loop {
            let page = self.read(after).await?;
            if page.upto > after {
                return Ok(page);
            }
            match &mut self.head {
                Some(head) => head.beyond(after).await,
                None => return Err(FeedError::Ends { head: self.head().await? }),
            }
        }
    }

    async fn read(&self, after: i64) -> Result<FeedPage, FeedError> {
        let mut connection = self.log.acquire().await?;
        let events_max = i64::try_from(self.page_events_max).unwrap_or(i64::MAX);
        let page = read_page_upto(&mut connection, after, events_max, self.upto).await?;
        Ok(FeedPage {
            recorded_at: page.recorded_at(),
            events: page.events,
            usage: UsagePage::Runs(page.usage),
            corrections: CorrectionsPage::InTheLog,
            after,
            upto: page.upto,
            more: page.more,
            stream_sequence: None,
        })
    }

    pub(super) async fn head(&self) -> Result<i64, FeedError> {
        let head = sqlx::query_scalar("select position from log.head").fetch_one(&self.log);
        let head: i64 = head.await?;
        Ok(head.min(self.upto))
    }
}
