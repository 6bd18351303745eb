//! The relay while servers die and streams are wiped.

use std::time::Duration;

use embedded::testing::TestServers;
use event_log::EventLog;
use event_log::database::{Holds, migrate};
use event_log::relay::{JetStreamConfig, JetStreamReader};

use crate::relaying::{
    append_some, assert_complete, context, own_stream, published, read_upto, relayed, start,
};
use crate::support::{TestLog, in_time};

#[tokio::test]
async fn a_stream_that_is_deleted_is_filled_again() {
    let (log, process, config, relay) = relayed().await;
    context(&config).await.delete_stream(&config.stream).await.unwrap();
    published(&config, 10).await;
    append_some(&process, "second").await;
    published(&config, 20).await;
    assert_complete(&config, 20).await;
    relay.stop().await;
    let mut reader = JetStreamReader::open(&config, 0, None).await.unwrap();
    assert_eq!(read_upto(&mut reader, 3, 20).await, log.entries().await);
}

#[tokio::test]
async fn a_stream_that_is_purged_is_filled_again() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append_some(&process, "first").await;
    let config = own_stream();
    let settings = async_nats::jetstream::stream::Config {
        name: config.stream.clone(),
        subjects: vec![format!("{}.>", config.subject_prefix)],
        // The server remembers ids of messages that it has no longer, for as long as this.
        duplicate_window: Duration::from_millis(200),
        ..Default::default()
    };
    let stream = context(&config).await.create_stream(settings).await.unwrap();
    let relay = start(&log.options(), &config).await;
    published(&config, 10).await;
    stream.purge().await.unwrap();
    published(&config, 10).await;
    assert_complete(&config, 10).await;
    // Purged while no relay looks.
    relay.stop().await;
    stream.purge().await.unwrap();
    let relay = start(&log.options(), &config).await;
    append_some(&process, "second").await;
    published(&config, 20).await;
    assert_complete(&config, 20).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_that_die_and_come_back_lose_nothing() {
    let mut servers = TestServers::start().await.expect("they start");
    let options = servers.postgres().connect_options();
    migrate(&options, Holds::LogAndReadModels).await.unwrap();
    let process = EventLog::open(&options, crate::support::master_keys()).await.unwrap();
    let config = JetStreamConfig::new(servers.nats().url());
    append_some(&process, "first").await;
    let relay = start(&options, &config).await;
    published(&config, 10).await;
    let mut reader = JetStreamReader::open(&config, 0, None).await.unwrap();
    let mut read = read_upto(&mut reader, 100, 10).await;

    servers.kill_nats().await.unwrap();
    append_some(&process, "second").await;
    servers.start_nats().await.unwrap();
    published(&config, 20).await;
    read.extend(read_on(&mut reader, 20).await);

    servers.kill_postgres().await.unwrap();
    servers.start_postgres().await.unwrap();
    append_some(&process, "third").await;
    published(&config, 30).await;
    read.extend(read_on(&mut reader, 30).await);
    relay.stop().await;

    assert_complete(&config, 30).await;
    let mut connection =
        event_log::database::connect(&options, event_log::database::Role::Relay).await.unwrap();
    assert_eq!(read, crate::support::entries(&mut connection, 100).await);
}

/// Reads on as a projector does, for which a server that is away is no reason to end.
async fn read_on(reader: &mut JetStreamReader, position: i64) -> Vec<crate::support::Entry> {
    let mut entries = Vec::new();
    in_time("the rest", async {
        loop {
            match reader.next_page(100).await {
                Ok(page) => {
                    entries.extend(crate::relaying::entries_of(&page));
                    if page.upto >= position {
                        return;
                    }
                }
                Err(event_log::relay::ReaderError::Nats(_)) => tokio::task::yield_now().await,
                Err(other) => panic!("{other}"),
            }
        }
    })
    .await;
    entries
}

#[tokio::test]
async fn a_relay_that_starts_before_its_nats_server_waits_for_it() {
    let mut servers = TestServers::start().await.expect("they start");
    let options = servers.postgres().connect_options();
    migrate(&options, Holds::LogAndReadModels).await.unwrap();
    append_some(&EventLog::open(&options, crate::support::master_keys()).await.unwrap(), "first")
        .await;
    let config = JetStreamConfig::new(servers.nats().url());
    servers.kill_nats().await.unwrap();
    let relay = start(&options, &config).await;
    servers.start_nats().await.unwrap();
    published(&config, 10).await;
    relay.stop().await;
}
