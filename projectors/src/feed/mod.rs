//! Where projections read the log: from Postgres by position, or from JetStream alone. Both feeds
//! give the same tables.

mod corrections;
mod jetstream;
mod page;
mod postgres;
mod usage;

pub use corrections::{CorrectionSource, CorrectionsPage};
pub use jetstream::JetStreamFeed;
pub use page::{FeedPage, UsageBatchOfPage, UsagePage, UsagePart};
pub use postgres::PostgresFeed;
pub use usage::UsageSource;

use event_log::{Vault, VaultError};
use tokio::task::JoinSet;

/// How many events a page holds at most: as many as make the statements it takes cheap for each,
/// and few enough to be folded in memory.
pub const PAGE_EVENTS_MAX: usize = 5_000;

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The log's database failed, or has a hole.
    #[error(transparent)]
    Log(#[from] event_log::ReadError),
    /// JetStream failed, or lacks positions. None is skipped: reading goes on when they are there.
    #[error(transparent)]
    JetStream(#[from] event_log::relay::ReaderError),
    /// What is a person's cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What is asked for is not there yet, and nobody tells when it is.
    #[error("the log ends at position {head}")]
    Ends {
        /// The log's last position.
        head: i64,
    },
    /// Reading has ended after an error that was told before.
    #[error("reading the log has ended")]
    Ended,
}

impl From<sqlx::Error> for FeedError {
    fn from(error: sqlx::Error) -> Self {
        Self::Log(error.into())
    }
}

/// How far a build has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Everything up to here.
    pub(crate) position: i64,
    /// Where that ended in JetStream: a hint.
    pub(crate) stream_sequence: Option<i64>,
}

/// Where projections read the log. Cheap to clone.
#[derive(Clone)]
pub enum Feed {
    /// From the log's tables, in the database that the read models are in too.
    Postgres(PostgresFeed),
    /// From JetStream: the read models' database may be anywhere.
    JetStream(JetStreamFeed),
}

impl Feed {
    /// A way through the log of one's own.
    pub(crate) fn reader(&self) -> FeedReader {
        match self {
            Self::Postgres(feed) => FeedReader::Postgres(feed.clone()),
            Self::JetStream(feed) => FeedReader::JetStream(Box::new(feed.reader())),
        }
    }

    fn vault(&self) -> &Vault {
        match self {
            Self::Postgres(feed) => feed.vault(),
            Self::JetStream(feed) => feed.vault(),
        }
    }
}

/// One way through the log.
pub(crate) enum FeedReader {
    Postgres(PostgresFeed),
    JetStream(Box<jetstream::Reader>),
}

impl FeedReader {
    /// What follows a place: waits until something does.
    async fn next(&mut self, after: Place) -> Result<FeedPage, FeedError> {
        match self {
            Self::Postgres(feed) => feed.next(after.position).await,
            Self::JetStream(reader) => reader.next(after).await,
        }
    }

    /// The last position that the feed has now.
    pub(crate) async fn head(&mut self) -> Result<i64, FeedError> {
        match self {
            Self::Postgres(feed) => feed.head().await,
            Self::JetStream(reader) => reader.head().await,
        }
    }
}

/// The pages that follow a place. Where more is there, the next one is read while one is applied;
/// else it is read when it is asked for, so that it has all that came meanwhile.
pub(crate) struct Pages {
    reader: Option<FeedReader>,
    ahead: JoinSet<(FeedReader, Result<FeedPage, FeedError>)>,
    vault: Vault,
    place: Place,
}

impl Pages {
    pub(crate) fn after(feed: &Feed, place: Place) -> Self {
        let (reader, vault) = (Some(feed.reader()), feed.vault().clone());
        Self { reader, ahead: JoinSet::new(), vault, place }
    }

    /// The next page: waits until something stands on it. After an error nothing more comes.
    pub(crate) async fn next(&mut self) -> Result<FeedPage, FeedError> {
        let read = match (self.ahead.join_next().await, self.reader.take()) {
            (Some(read), _) => read.ok(),
            (None, Some(reader)) => Some(opened(reader, self.vault.clone(), self.place).await),
            (None, None) => None,
        };
        let (reader, page) = read.ok_or(FeedError::Ended)?;
        let page = page?;
        self.place = page.end();
        if page.more {
            self.ahead.spawn(opened(reader, self.vault.clone(), self.place));
        } else {
            self.reader = Some(reader);
        }
        Ok(page)
    }
}

/// What follows a place, with the texts of persons as projections see them: in the clear, or erased.
async fn opened(
    mut reader: FeedReader,
    vault: Vault,
    after: Place,
) -> (FeedReader, Result<FeedPage, FeedError>) {
    let page = async {
        let mut page = reader.next(after).await?;
        vault.unseal(&mut page.events).await?;
        Ok(page)
    };
    let page = page.await;
    (reader, page)
}
