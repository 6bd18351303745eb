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
use tokio::sync::mpsc;
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

/// The pages that follow a place, the next one being read while one is applied.
pub(crate) struct Pages {
    ahead: mpsc::Receiver<Result<FeedPage, FeedError>>,
    _reading: JoinSet<()>,
}

impl Pages {
    pub(crate) fn after(feed: &Feed, place: Place) -> Self {
        let (sender, ahead) = mpsc::channel(1);
        let mut reading = JoinSet::new();
        reading.spawn(read_ahead(feed.reader(), feed.vault().clone(), place, sender));
        Self { ahead, _reading: reading }
    }

    /// The next page: waits until something stands on it. After an error nothing more comes.
    pub(crate) async fn next(&mut self) -> Result<FeedPage, FeedError> {
        match self.ahead.recv().await {
            Some(page) => page,
            None => Err(FeedError::Ended),
        }
    }
}

async fn read_ahead(
    mut reader: FeedReader,
    vault: Vault,
    mut place: Place,
    sender: mpsc::Sender<Result<FeedPage, FeedError>>,
) {
    loop {
        let page = opened(&mut reader, &vault, place).await;
        if let Ok(page) = &page {
            place = page.end();
        }
        let over = page.is_err();
        if sender.send(page).await.is_err() || over {
            break;
        }
    }
}

/// What follows a place, with the texts of persons as projections see them: in the clear, or erased.
async fn opened(
    reader: &mut FeedReader,
    vault: &Vault,
    after: Place,
) -> Result<FeedPage, FeedError> {
    let mut page = reader.next(after).await?;
    vault.unseal(&mut page.events).await?;
    Ok(page)
}
