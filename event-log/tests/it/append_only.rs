//! The log can be added to and not changed: by roles for the application, by triggers for anyone.

use event_log::database::Role;
use event_log::usage::UsageWriter;
use sqlx::{Executor as _, PgConnection};

use crate::support::{
    TestLog, append, claim, claims, correcting, name_stream, organization, usage, usage_write,
};
use event_log::Append;

const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Every way to change what is there.
const CHANGES: [&str; 25] = [
    "update log.events set payload = '{}'",
    "delete from log.events",
    "truncate log.events",
    "update log.idempotency_keys set outcome = '{}'",
    "delete from log.idempotency_keys",
    "truncate log.idempotency_keys",
    "update log.usage_batches set count = 1",
    "delete from log.usage_batches",
    "truncate log.usage_batches",
    "update log.usage_records set output_tokens = 0",
    "delete from log.usage_records",
    "truncate log.usage_records",
    "update log.usage_records_2026_03 set output_tokens = 0",
    "delete from log.usage_records_2026_03",
    "truncate log.usage_records_2026_03",
    "update log.usage_corrections set cost_pico = 0",
    "delete from log.usage_corrections",
    "truncate log.usage_corrections",
    "delete from log.head",
    "truncate log.head",
    "update log.identity set log_id = gen_random_uuid()",
    "delete from log.identity",
    "truncate log.identity",
    "truncate log.events, log.idempotency_keys",
    "insert into log.events select * from log.events on conflict (position) do update set payload = '{}'",
];

async fn filled() -> TestLog {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, Append { claims: vec![claim("k", 1)], ..claims("a", 0, 1) }).await;
    let records = vec![usage("r", "2026-03-01T12:00:00Z")];
    let write = usage_write(organization(1), records);
    UsageWriter::new(&process).write(&write).await.expect("it is fresh");
    append(&process, correcting(&process, organization(1), 7).await).await;
    log
}

async fn refused(connection: &mut PgConnection, change: &str) -> String {
    let error = (&mut *connection).execute(change).await.expect_err(change);
    let error = error.into_database_error().expect("the server says no");
    assert_eq!(error.code().as_deref(), Some(INSUFFICIENT_PRIVILEGE), "{change}: {error}");
    error.message().to_owned()
}

#[tokio::test]
async fn not_even_the_owner_changes_the_log() {
    let log = filled().await;
    let before = log.entries().await;
    let mut owner = log.owner().await;
    for change in CHANGES {
        let message = refused(&mut owner, change).await;
        assert!(message.starts_with("the log is append-only: "), "{change}: {message}");
    }
    assert_eq!(log.entries().await, before);
}

#[tokio::test]
async fn no_role_of_the_application_has_the_right_to() {
    let log = filled().await;
    for role in [Role::Writer, Role::Relay, Role::Projector, Role::Reader] {
        let mut connection = log.connect(role).await;
        for change in CHANGES {
            let message = refused(&mut connection, change).await;
            assert!(message.starts_with("permission denied"), "{role:?} {change}: {message}");
        }
    }
}

#[tokio::test]
async fn readers_of_the_log_may_not_write_it_and_a_tenants_reader_sees_its_usage_alone() {
    let log = filled().await;
    for role in [Role::Relay, Role::Projector, Role::Reader] {
        let mut connection = log.connect(role).await;
        refused(&mut connection, "update log.head set position = 7").await;
        refused(&mut connection, "insert into log.events select * from log.events").await;
        refused(&mut connection, "select log.ensure_usage_partition('2030-01-01')").await;
        // The wall is the parent's: a partition has none.
        refused(&mut connection, "select * from log.usage_records_2026_03").await;
    }
    let mut reader = log.connect(Role::Reader).await;
    refused(&mut reader, "select * from log.events").await;
    // Not who sent it, nor what else is known of that.
    refused(&mut reader, "select metadata from log.usage_batches").await;
    refused(&mut reader, "select actor from log.usage_batches").await;
    for (of, seen) in [(None, 0), (Some(organization(1)), 1), (Some(organization(2)), 0)] {
        let set = "select set_config('orgledger.organization_id', $1, false)";
        let of = of.map_or_else(String::new, |organization| organization.to_string());
        sqlx::query(set).bind(&of).execute(&mut reader).await.expect("a setting");
        for table in ["usage_records", "usage_batches", "usage_corrections"] {
            let count = format!("select count(organization_id) from log.{table}");
            let count: i64 = sqlx::query_scalar(&count).fetch_one(&mut reader).await.expect(table);
            assert_eq!(count, seen, "{table} of '{of}'");
        }
    }
}

#[tokio::test]
async fn the_log_is_still_in_order_after_all_those_tries() {
    let log = filled().await;
    let mut owner = log.owner().await;
    refused(&mut owner, "delete from log.events").await;
    let process = log.open().await;
    let appended = append(&process, claims("a", 1, 1)).await;
    assert_eq!(appended.first_position, 4);
    assert_eq!(name_stream("a").aggregate_type, "name");
}
