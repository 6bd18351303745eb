//! Bringing a database to this program's version.

use embedded::testing::test_database;
use event_log::database::{Holds, check_migrated, migrate};
use futures::future::try_join_all;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_migrate_at_once() {
    let database = test_database().await;
    let options = database.connect_options();
    for _ in 0..4 {
        try_join_all((0..12).map(|_| migrate(&options, Holds::LogAndReadModels))).await.unwrap();
    }
    check_migrated(&options, Holds::LogAndReadModels).await.unwrap();
}
