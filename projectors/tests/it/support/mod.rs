//! A log, read models beside it, and histories to fill them with.

pub(crate) mod budgets;
pub(crate) mod catalogue;
pub(crate) mod credits;
pub(crate) mod history;
pub(crate) mod naive;
pub(crate) mod probe;
pub(crate) mod random;
pub(crate) mod repricing;
pub(crate) mod usage;

use std::sync::Arc;

use embedded::testing::{TestDatabase, test_database};
use event_log::database::{self, Holds, Role};
use event_log::{Append, EventLog, HeadWatch, MasterKeys, Vault};
use projectors::{
    Feed, Fingerprint, PostgresFeed, Registered, all, catch_up, fingerprint, named, status,
};
use sqlx::PgPool;

use history::Happening;

/// A database with a log and read models, and connections as each role.
pub(crate) struct House {
    pub(crate) log: EventLog,
    /// As the projector.
    pub(crate) read: PgPool,
    /// As a reader of read models, of all organizations.
    pub(crate) reader: PgPool,
    /// As the database's owner, who may do anything.
    pub(crate) owner: PgPool,
    // Dropped last.
    pub(crate) database: TestDatabase,
}

impl House {
    pub(crate) async fn new() -> Self {
        let database = test_database().await;
        let options = database.connect_options();
        database::migrate(&options, Holds::LogAndReadModels).await.unwrap();
        Self {
            log: EventLog::open(&options, master_keys()).await.unwrap(),
            read: database::pool(&options, Role::Projector, 12).await.unwrap(),
            reader: database::pool(&options, Role::Operator, 4).await.unwrap(),
            owner: database::pool(&options, Role::Owner, 2).await.unwrap(),
            database,
        }
    }

    /// A house with these things happened in it.
    pub(crate) async fn with(happenings: &[Happening]) -> Self {
        let house = Self::new().await;
        house.happen(happenings).await;
        house
    }

    /// Appends, a few hundred to a commit.
    pub(crate) async fn happen(&self, happenings: &[Happening]) {
        for chunk in happenings.chunks(500) {
            let events = chunk.iter().map(Happening::to_event).collect();
            self.log.append(Append { events, ..Append::default() }).await.unwrap();
        }
    }

    pub(crate) fn vault(&self) -> Vault {
        self.log.vault().clone()
    }

    pub(crate) fn feed(&self) -> Feed {
        Feed::Postgres(PostgresFeed::of(self.read.clone(), self.vault()))
    }

    pub(crate) fn feed_in_pages_of(&self, events: usize) -> Feed {
        Feed::Postgres(
            PostgresFeed::of(self.read.clone(), self.vault()).with_page_events_max(events),
        )
    }

    /// A feed that is told of new events, for live projectors.
    pub(crate) fn live_feed(&self) -> Feed {
        let head = HeadWatch::start(self.read.clone(), Some(self.log.own_head()));
        Feed::Postgres(PostgresFeed::following(self.read.clone(), self.vault(), head))
    }

    pub(crate) async fn head(&self) -> i64 {
        self.log.head().await.unwrap()
    }

    /// Brings every projection to the head.
    pub(crate) async fn catch_up(&self) {
        catch_up(&self.read, &self.feed(), &all(), self.head().await).await.unwrap();
    }

    pub(crate) async fn fingerprints(&self) -> Vec<Fingerprint> {
        fingerprints(&self.read).await
    }

    /// Waits until a projection is at a position. It asks again as soon as it was answered.
    pub(crate) async fn wait_for(&self, projection: &str, position: i64) {
        while self.position(projection).await < position {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until all projections are at the head.
    pub(crate) async fn wait_for_head(&self) {
        let head = self.head().await;
        for projection in all() {
            self.wait_for(projection.name, head).await;
        }
    }

    /// Where a projection is; -1 where it is not in service.
    pub(crate) async fn position(&self, projection: &str) -> i64 {
        let status = status(&self.reader).await.unwrap();
        let found = status.iter().find(|s| s.projection == projection);
        found.map_or(-1, |s| s.position)
    }
}

pub(crate) async fn fingerprints(read: &PgPool) -> Vec<Fingerprint> {
    let mut fingerprints = Vec::new();
    for projection in all() {
        fingerprints.push(fingerprint(read, projection.name).await.unwrap());
    }
    fingerprints
}

pub(crate) fn access_register() -> Registered {
    named("access_register").unwrap()
}

/// The metadata of something that an actor did.
pub(crate) fn metadata(actor: &event_schemas::Actor) -> Arc<str> {
    let metadata = event_schemas::EventMetadata {
        actor: actor.clone(),
        correlation_id: "test".to_owned(),
        causation_id: None,
        traceparent: None,
        source_address: None,
        credential: None,
    };
    serde_json::to_string(&metadata).unwrap().into()
}

/// What keys of persons are wrapped with.
pub(crate) fn master_keys() -> MasterKeys {
    MasterKeys::parse(&"07".repeat(32)).unwrap()
}
