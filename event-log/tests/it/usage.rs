//! The usage lane, one sender at a time: fates, identity, freshness.

use event_log::database::Role;
use event_log::usage::{Fate, NewUsage, UsageWriteError, UsageWriter, UsageWritten};
use event_log::{Append, EventLog, NewEvent};
use event_schemas::{Currency, PriceListEvent, PriceListId, Unit};
use sqlx::Executor as _;

use crate::support::{
    Entry, TestLog, append, assert_gapless, at, claims, count, differing, name_stream,
    organization, usage, usage_write,
};

const NOON: &str = "2026-03-01T12:00:00Z";

async fn write(process: &EventLog, records: Vec<NewUsage>) -> UsageWritten {
    let write = usage_write(organization(1), records);
    UsageWriter::new(process).write(&write).await.expect("nothing is in its way")
}

fn recorded(fate: Fate) -> i64 {
    match fate {
        Fate::Recorded { position } => position,
        Fate::Duplicate | Fate::Conflict | Fate::Archived { .. } => panic!("{fate:?}"),
    }
}

#[tokio::test]
async fn each_record_has_its_fate_in_the_senders_order() {
    let log = TestLog::new().await;
    let process = log.open().await;
    append(&process, claims("a", 0, 2)).await;
    let first = write(&process, vec![usage("r1", NOON), usage("r2", NOON)]).await;
    assert_eq!(first.position, 4);
    let second = write(
        &process,
        vec![
            usage("r9", NOON),
            usage("r1", NOON),
            usage("r5", NOON),
            differing(usage("r2", NOON)),
            usage("r9", NOON),
            differing(usage("r5", NOON)),
            usage("r7", NOON),
        ],
    )
    .await;
    assert_eq!(second.position, 7);
    let fates = second.fates;
    assert_eq!([fates[1], fates[3]], [Fate::Duplicate, Fate::Conflict], "there before");
    assert_eq!([fates[4], fates[5]], [Fate::Duplicate, Fate::Conflict], "twice in the batch");
    // Each at the position it was told, though a batch is sorted before it is written.
    let entries = log.entries().await;
    assert_gapless(&entries);
    for (fate, request_id) in [(fates[0], "r9"), (fates[2], "r5"), (fates[6], "r7")] {
        let position = recorded(fate);
        let told = entries.iter().find(|entry| entry.position() == position);
        assert!(
            matches!(told, Some(Entry::Usage(_, record)) if record.request_id == request_id),
            "{told:?}"
        );
    }
    // The original stays.
    let outputs: Vec<i64> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Usage(_, record) => Some(record.output_tokens),
            Entry::Event(_) => None,
        })
        .collect();
    assert_eq!(outputs, [30; 5]);
}

#[tokio::test]
async fn a_batch_without_anything_new_takes_no_position() {
    let log = TestLog::new().await;
    let process = log.open().await;
    write(&process, vec![usage("r1", NOON)]).await;
    append(&process, claims("a", 0, 1)).await;
    let again = write(&process, vec![usage("r1", NOON)]).await;
    assert_eq!(again, UsageWritten { fates: vec![Fate::Duplicate], position: 2 });
    let none = write(&process, Vec::new()).await;
    assert_eq!(none, UsageWritten { fates: Vec::new(), position: 2 });
    assert_eq!(count(&log.entries().await), 2);
}

#[tokio::test]
async fn what_identifies_a_request_is_organization_and_request_id() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let writer = UsageWriter::new(&process);
    for number in 1..=3 {
        let write = usage_write(organization(number), vec![usage("r", NOON)]);
        recorded(writer.write(&write).await.unwrap().fates[0]);
    }
    // Another price is the same content: the record was priced when it was first written.
    let price = event_log::usage::Price { version: 1, cost_pico: 5, currency: Currency::USD };
    let priced = NewUsage { price: Some(price), ..usage("r", NOON) };
    assert_eq!(write(&process, vec![priced]).await.fates, [Fate::Duplicate]);
    let tagged =
        NewUsage { tags: [("team".to_owned(), "b".to_owned())].into(), ..usage("r", NOON) };
    assert_eq!(write(&process, vec![tagged]).await.fates, [Fate::Conflict]);
}

/// Records from before units were known stay duplicates of themselves: the key of one without any
/// is computed from the fields of then.
#[test]
fn a_record_without_units_keeps_the_key_that_it_always_had() {
    let key = |change: fn(&mut NewUsage)| {
        let mut record = usage("r", NOON);
        change(&mut record);
        record.content_key().to_string()
    };
    let before = "1f25d3c8-ac91-6370-6d4b-1dc4e72a6cef";
    assert_eq!(key(|_| {}), before);
    assert_eq!(key(|record| record.duration_ms = Some(3)), before, "a time is no content");
    let others = [
        key(|record| record.units.set(Unit::Pages, 1)),
        key(|record| record.units.set(Unit::Pages, 2)),
        key(|record| record.units.set(Unit::Queries, 1)),
        key(|record| record.units.set(Unit::Requests, 0)),
        key(|record| record.service_tier = Some("batch".to_owned())),
        key(|record| record.error_type = Some("batch".to_owned())),
    ];
    let distinct: std::collections::BTreeSet<&str> =
        others.iter().map(String::as_str).chain([before]).collect();
    assert_eq!(distinct.len(), others.len() + 1);
}

#[tokio::test]
async fn a_request_is_the_same_within_a_day_and_another_after_it() {
    let log = TestLog::new().await;
    let process = log.open().await;
    for (request, first, again, is_same) in [
        ("midnight", "2026-02-28T23:59:00Z", "2026-03-01T00:01:00Z", true),
        ("midnight back", "2026-03-01T00:01:00Z", "2026-02-28T23:59:00Z", true),
        ("just within", "2026-03-01T12:00:00Z", "2026-03-02T11:59:59.999999Z", true),
        ("just beyond", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z", false),
        ("beyond back", "2026-03-02T12:00:00Z", "2026-03-01T12:00:00Z", false),
        ("two days", "2026-03-01T23:59:59Z", "2026-03-03T00:00:00Z", false),
        ("next year", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", true),
    ] {
        recorded(write(&process, vec![usage(request, first)]).await.fates[0]);
        let fate = write(&process, vec![usage(request, again)]).await.fates[0];
        assert_eq!(fate == Fate::Duplicate, is_same, "{request}");
        // And the same within one batch.
        let other = format!("{request} together");
        let both = write(&process, vec![usage(&other, first), usage(&other, again)]).await;
        recorded(both.fates[0]);
        assert_eq!(both.fates[1] == Fate::Duplicate, is_same, "{request} together");
    }
}

#[tokio::test]
async fn partitions_appear_as_months_do() {
    let log = TestLog::new().await;
    let process = log.open().await;
    // Who only reads can keep nobody from it.
    let mut reader = log.connect(Role::Reader).await;
    let lock = "select pg_advisory_lock(hashtext('orgledger usage partition'))";
    reader.execute(lock).await.unwrap();
    reader.execute("lock table log.making_usage_partitions").await.unwrap_err();
    let times = [
        "2024-02-29T23:59:59Z",
        "2026-03-01T00:00:00Z",
        "2026-03-31T23:59:59Z",
        "1999-12-31T00:00:00Z",
    ];
    let records = times.iter().enumerate().map(|(n, time)| usage(&n.to_string(), time)).collect();
    write(&process, records).await;
    let partitions: Vec<String> = sqlx::query_scalar(
        "select inhrelid::regclass::text from pg_inherits
         where inhparent = 'log.usage_records'::regclass order by 1",
    )
    .fetch_all(&mut log.owner().await)
    .await
    .unwrap();
    let months = ["1999_12", "2024_02", "2026_03"].map(|m| format!("log.usage_records_{m}"));
    assert_eq!(partitions, months);
    assert_gapless(&log.entries().await);
}

#[tokio::test]
async fn what_was_checked_against_something_stale_is_not_written() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let writer = UsageWriter::new(&process);
    append(&process, claims("roster", 0, 1)).await;
    let mut checked = usage_write(organization(1), vec![usage("r", NOON)]);
    checked.expected = vec![(name_stream("roster"), 1), (name_stream("absent"), 0)];
    append(&log.open().await, claims("roster", 1, 1)).await;
    let stale = writer.write(&checked).await;
    assert!(matches!(stale, Err(UsageWriteError::Stale)), "{stale:?}");
    assert_eq!(count(&log.entries().await), 2);
    checked.expected[0].1 = 2;
    recorded(writer.write(&checked).await.unwrap().fates[0]);
}

fn price_list() -> NewEvent {
    let event = PriceListEvent::Published {
        price_list_id: PriceListId::of("test", "openai"),
        version: 1,
        organization_id: None,
        provider: "openai".to_owned(),
        provider_matches: None,
        model_matches: None,
        fallback_providers: Vec::new(),
        mark_up_percent: None,
        currency: Currency::USD,
        effective_from: at("2026-01-01T00:00:00Z"),
        source: None,
        models: Vec::new(),
    };
    let occurred_at = at("2026-01-01T00:00:00Z");
    NewEvent::new(&event, "test/openai".into(), None, "{}".into(), occurred_at)
        .expect("it serialises")
}

#[tokio::test]
async fn what_was_priced_without_the_newest_price_is_not_written() {
    let log = TestLog::new().await;
    let process = log.open().await;
    let writer = UsageWriter::new(&process);
    append(&process, claims("a", 0, 1)).await;
    let mut priced = usage_write(organization(1), vec![usage("r", NOON)]);
    priced.prices_upto = 1;
    append(&process, claims("a", 1, 1)).await;
    recorded(writer.write(&priced).await.unwrap().fates[0]);
    append(&process, Append { events: vec![price_list()], ..Append::default() }).await;
    priced.records = vec![usage("r2", NOON)];
    let stale = writer.write(&priced).await;
    assert!(matches!(stale, Err(UsageWriteError::Stale)), "{stale:?}");
    priced.prices_upto = 4;
    recorded(writer.write(&priced).await.unwrap().fates[0]);
}

#[tokio::test]
async fn the_writer_may_add_records_and_nothing_else() {
    let log = TestLog::new().await;
    write(&log.open().await, vec![usage("r", NOON)]).await;
    let mut writer = log.connect(Role::Writer).await;
    for refused in [
        "update log.usage_records set cost_pico = 0",
        "delete from log.usage_records",
        "select * from log.usage_records_2026_03",
        "create table log.x ()",
        "drop table log.usage_records_2026_03",
    ] {
        let error = (&mut writer).execute(refused).await.expect_err(refused);
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("42501"), "{refused}");
    }
}
