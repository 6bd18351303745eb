//! Fed by JetStream alone, in a database without a log: the same tables.

use std::future::{Future, pending};

use embedded::testing::{TestDatabase, test_database, test_nats_url, unique_name};
use event_log::HeadWatch;
use event_log::database::{self, Holds, Role};
use event_log::relay::{JetStreamConfig, Relay, RelayConfig};
use event_schemas::{Amount, CreditAccountEvent, Currency};
use projectors::{Config, Feed, JetStreamFeed, Projectors, all, catch_up, rebuild, status};
use sqlx::PgPool;
use tokio::task::JoinSet;

use crate::support::credits::Dealings;
use crate::support::history::Story;
use crate::support::usage::Usage;
use crate::support::{House, fingerprints};

fn stream() -> JetStreamConfig {
    let name = unique_name();
    JetStreamConfig {
        stream: name.to_uppercase(),
        subject_prefix: name,
        ..JetStreamConfig::new(test_nats_url())
    }
}

async fn read_models_elsewhere() -> (TestDatabase, PgPool) {
    let database = test_database().await;
    let options = database.connect_options();
    database::migrate(&options, Holds::ReadModels).await.unwrap();
    let read = database::pool(&options, Role::Projector, 12).await.unwrap();
    (database, read)
}

/// Runs the relay for as long as the test takes.
async fn relayed(house: &House, stream: JetStreamConfig, test: impl Future<Output = ()>) {
    let relay = Relay::new(RelayConfig {
        log: house.database.connect_options(),
        jetstream: stream,
        head: HeadWatch::start(house.read.clone(), Some(house.log.own_head())),
    });
    tokio::select! {
        ended = relay.run(pending()) => panic!("the relay ended: {ended:?}"),
        () = test => {}
    }
}

#[tokio::test]
async fn both_feeds_give_the_same_tables() {
    let house = House::new().await;
    let (mut story, mut usage) = (Story::new(50), Usage::new(51));
    for round in 0..8 {
        house.happen(&story.tell(25)).await;
        let (organization_id, records) = usage.batch(1 + round * 40);
        house.use_up(organization_id, &records).await;
        usage.reprice(&house).await;
    }
    house.catch_up().await;
    let expected = house.fingerprints().await;
    let head = house.head().await;

    let (_database, read) = read_models_elsewhere().await;
    let stream = stream();
    relayed(&house, stream.clone(), async {
        // The stream may not be there yet: a live projector tries again, a command says so.
        let feed = Feed::JetStream(JetStreamFeed::new(stream.clone(), house.vault()));
        while catch_up(&read, &feed, &all(), 1).await.is_err() {
            tokio::task::yield_now().await;
        }
        for entries in [7, 5_000] {
            let feed =
                JetStreamFeed::new(stream.clone(), house.vault()).with_page_events_max(entries);
            let feed = Feed::JetStream(feed);
            catch_up(&read, &feed, &all(), head).await.unwrap();
            assert_eq!(fingerprints(&read).await, expected, "in pages of {entries}");
            for projection in all() {
                rebuild(&read, &feed, &projection, &mut |_| {}).await.unwrap();
            }
            assert_eq!(fingerprints(&read).await, expected, "rebuilt in pages of {entries}");
        }
    })
    .await;
}

#[tokio::test]
async fn live_projections_follow_the_stream() {
    let house = House::new().await;
    let (_database, read) = read_models_elsewhere().await;
    let stream = stream();
    let feed = Feed::JetStream(JetStreamFeed::new(stream.clone(), house.vault()));
    let (mut story, mut usage) = (Story::new(52), Usage::new(53));
    relayed(&house, stream, async {
        let mut processes = JoinSet::new();
        let config = Config { read: read.clone(), feed, projections: all() };
        processes.spawn(Projectors::run(config, pending()));
        for _ in 0..5 {
            house.happen(&story.tell(10)).await;
            let (organization_id, records) = usage.batch(30);
            house.use_up(organization_id, &records).await;
            usage.reprice(&house).await;
            usage.reprice(&house).await;
            let head = house.head().await;
            loop {
                let status = status(&read).await.unwrap();
                if status.len() == all().len() && status.iter().all(|s| s.position == head) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
    house.catch_up().await;
    assert_eq!(fingerprints(&read).await, house.fingerprints().await);
}

#[tokio::test]
async fn a_batch_in_several_messages_counts_once() {
    let house = House::with(&Story::new(54).tell(1)).await;
    // As many as a rebuild applies in its last transaction, in pages of one message.
    let (organization_id, records) = Usage::new(55).batch(990);
    // Credits that last for half of it: they run out within a message.
    let purchased = CreditAccountEvent::Purchased {
        organization_id,
        lot_id: uuid::Uuid::from_u128(1).into(),
        amount: Amount::from_pico(400 * i128::from(i64::MAX)),
        currency: Currency::USD,
        expires_at: None,
        priority: 100,
        reference: None,
    };
    Dealings::enter(&house, organization_id, Currency::USD, &purchased).await;
    let head = house.use_up(organization_id, &records).await;
    house.catch_up().await;
    let expected = house.fingerprints().await;

    let (_database, read) = read_models_elsewhere().await;
    let stream = stream();
    relayed(&house, stream.clone(), async {
        let feed =
            Feed::JetStream(JetStreamFeed::new(stream, house.vault()).with_page_events_max(1));
        while catch_up(&read, &feed, &all(), head).await.is_err() {
            tokio::task::yield_now().await;
        }
        for projection in all() {
            rebuild(&read, &feed, &projection, &mut |_| {}).await.unwrap();
        }
        assert_eq!(fingerprints(&read).await, expected);
    })
    .await;
}
