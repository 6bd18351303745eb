//! JetStream as a feed.

use event_log::Vault;
use event_log::relay::{JetStreamConfig, JetStreamReader, StreamPage};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

use super::{CorrectionsPage, FeedError, FeedPage, PAGE_EVENTS_MAX, Place, UsagePage};

/// Reads the log from JetStream alone.
#[derive(Clone)]
pub struct JetStreamFeed {
    config: JetStreamConfig,
    vault: Vault,
    page_events_max: usize,
}

impl JetStreamFeed {
    /// The log as this stream carries it; what is a person's in it is opened with the vault's keys.
    pub fn new(config: JetStreamConfig, vault: Vault) -> Self {
        Self { config, vault, page_events_max: PAGE_EVENTS_MAX }
    }

    /// The same with pages of at most that many entries. It changes nothing but speed.
    #[must_use]
    pub fn with_page_events_max(self, page_events_max: usize) -> Self {
        Self { page_events_max, ..self }
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(super) fn reader(&self) -> Reader {
        Reader { feed: self.clone(), subscription: None }
    }
}

/// One way through the stream. A subscription cannot move between threads while it waits, so it has
/// one of its own, which ends when it is no longer asked.
pub(crate) struct Reader {
    feed: JetStreamFeed,
    subscription: Option<mpsc::Sender<Request>>,
}

/// What is asked of a subscription, and where the answer goes.
enum Request {
    Next(Place, oneshot::Sender<Result<FeedPage, FeedError>>),
    Head(oneshot::Sender<Result<i64, FeedError>>),
}

impl Reader {
    pub(super) async fn next(&mut self, after: Place) -> Result<FeedPage, FeedError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Next(after, reply)).await;
        answer.await.unwrap_or(Err(FeedError::Ended))
    }

    pub(super) async fn head(&mut self) -> Result<i64, FeedError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Head(reply)).await;
        answer.await.unwrap_or(Err(FeedError::Ended))
    }

    async fn ask(&mut self, request: Request) {
        let subscription = self.subscription.get_or_insert_with(|| {
            let (sender, requests) = mpsc::channel(1);
            let subscription = Subscription { feed: self.feed.clone(), open: None };
            std::thread::spawn(move || subscription.run(requests));
            sender
        });
        // Where it has ended, so has the other end of the answer.
        let _ = subscription.send(request).await;
    }
}

struct Subscription {
    feed: JetStreamFeed,
    open: Option<Open>,
}

/// A subscription, and the position that it has come to.
struct Open {
    reader: JetStreamReader,
    position: i64,
}

impl Subscription {
    fn run(self, requests: mpsc::Receiver<Request>) {
        match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.answer(requests)),
            // Whoever asks finds nobody there, and tries again.
            Err(error) => tracing::error!(%error, "no subscription to JetStream"),
        }
    }

    async fn answer(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(request) = requests.recv().await {
            match request {
                Request::Next(after, mut reply) => {
                    let page = tokio::select! {
                        page = self.next(after) => page,
                        () = reply.closed() => continue,
                    };
                    let _ = reply.send(page);
                }
                Request::Head(mut reply) => {
                    let head = tokio::select! {
                        head = self.head() => head,
                        () = reply.closed() => continue,
                    };
                    let _ = reply.send(head);
                }
            }
        }
    }

    async fn next(&mut self, after: Place) -> Result<FeedPage, FeedError> {
        let events_max = self.feed.page_events_max;
        let open = self.open_at(after).await?;
        let page = open.reader.next_page(events_max).await?;
        open.position = page.upto;
        Ok(from_stream(page))
    }

    async fn head(&mut self) -> Result<i64, FeedError> {
        let beginning = Place { position: 0, stream_sequence: None };
        let place = self.open.as_ref().map(|open| Place { position: open.position, ..beginning });
        let open = self.open_at(place.unwrap_or(beginning)).await?;
        Ok(open.reader.head().await?)
    }

    /// The subscription where it stands there, else a new one.
    async fn open_at(&mut self, after: Place) -> Result<&mut Open, FeedError> {
        let there = self.open.take().filter(|open| open.position == after.position);
        if let Some(open) = there {
            return Ok(self.open.insert(open));
        }
        let hint = after.stream_sequence.and_then(|sequence| u64::try_from(sequence).ok());
        let reader = JetStreamReader::open(&self.feed.config, after.position, hint).await?;
        Ok(self.open.insert(Open { reader, position: after.position }))
    }
}

fn from_stream(page: StreamPage) -> FeedPage {
    FeedPage {
        events: page.events,
        usage: UsagePage::Records(page.usage),
        corrections: CorrectionsPage::Records(page.corrections),
        after: page.after,
        upto: page.upto,
        // The stream's messages are read ahead in any case.
        more: true,
        recorded_at: Some(page.recorded_at),
        stream_sequence: i64::try_from(page.stream_sequence).ok(),
    }
}
