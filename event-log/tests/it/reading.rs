//! Reading by position: both lanes as one sequence, whatever the page size, and no silent holes.

use std::cell::Cell;

use event_log::ReadError;
use event_log::database::Role;
use event_log::read::read_page;
use event_log::usage::{UsageWriter, read_usage};
use proptest::prelude::{any, prop};
use proptest::test_runner::{Config, TestRunner};
use sqlx::{Executor as _, PgConnection};

use crate::support::{
    TestLog, append, assert_gapless, claims, count, entries, organization, usage, usage_write,
};

/// Appends runs of events (`true`) and batches of usage records (`false`) of these sizes.
async fn fill(log: &TestLog, label: &str, runs: &[(bool, usize)]) {
    let process = log.open().await;
    let writer = UsageWriter::new(&process);
    for (place, (is_events, size)) in runs.iter().enumerate() {
        if *is_events {
            append(&process, claims(&format!("{label}-{place}"), 0, *size)).await;
        } else {
            let record = |n| usage(&format!("{label}-{place}-{n}"), "2026-03-01T12:00:00Z");
            let write = usage_write(organization(1), (0..*size).map(record).collect());
            writer.write(&write).await.expect("it is fresh");
        }
    }
}

#[test]
fn pages_of_any_size_are_the_same_sequence() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let log = runtime.block_on(TestLog::new());
    // One log that grows from case to case: more of it is read each time.
    let runs = prop::collection::vec((any::<bool>(), 1_usize..6), 1..6);
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let number = Cell::new(0);
    TestRunner::new(config)
        .run(&(runs, 1_i64..12), |(runs, size)| {
            runtime.block_on(async {
                number.set(number.get() + 1);
                fill(&log, &number.get().to_string(), &runs).await;
                let mut connection = log.connect(Role::Projector).await;
                let whole = entries(&mut connection, 100_000).await;
                assert_gapless(&whole);
                assert_eq!(entries(&mut connection, size).await, whole);
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_page_has_both_lanes_and_ends_at_an_entry() {
    let log = TestLog::new().await;
    fill(&log, "", &[(true, 2), (false, 3), (true, 2), (false, 2)]).await;
    let mut connection = log.connect(Role::Relay).await;
    let page = read_page(&mut connection, 0, 100).await.unwrap();
    assert_eq!(page.events.iter().map(|e| e.position).collect::<Vec<_>>(), [1, 2, 6, 7]);
    let runs: Vec<_> = page.usage.iter().map(|r| (r.first_position, r.count)).collect();
    assert_eq!(runs, [(3, 3), (8, 2)]);
    assert_eq!(page.upto, 9);
    assert_eq!(page.recorded_at(), Some(page.usage[1].recorded_at));
    // Three events: the third ends the page, and the batch before it is in it.
    let page = read_page(&mut connection, 0, 3).await.unwrap();
    assert_eq!((page.upto, page.usage.len()), (6, 1));
    assert_eq!(page.recorded_at(), Some(page.events[2].recorded_at));
    let empty = read_page(&mut connection, 9, 3).await.unwrap();
    assert_eq!((empty.upto, empty.recorded_at()), (9, None));
    // A part of a batch, by ordinals.
    let page = read_page(&mut connection, 2, 1).await.unwrap();
    let part = read_usage(&mut connection, &page.usage[0], 1, 1).await.unwrap();
    assert_eq!((part.len(), part[0].ordinal), (1, 1));
}

#[tokio::test]
async fn every_field_of_a_record_is_read_as_it_was_written() {
    use event_log::usage::{NewUsage, Price};
    use event_schemas::{ApiKeyId, Currency, MemberId, PriceStatus, ServiceAccountId, Unit};
    let log = TestLog::new().await;
    let written = NewUsage {
        api_key_id: Some(ApiKeyId(crate::support::id(1))),
        member_id: Some(MemberId(crate::support::id(2))),
        service_account_id: Some(ServiceAccountId(crate::support::id(3))),
        end_user: None,
        feature: String::new(),
        occurred_at: crate::support::at("2025-12-31T23:59:59.999999Z"),
        cache_write_tokens: 4,
        units: [(Unit::CacheWrite1hTokens, 3), (Unit::Requests, 0)].into_iter().collect(),
        service_tier: Some("priority".to_owned()),
        error_type: Some("timeout".to_owned()),
        duration_ms: Some(7_000_000_000),
        price: Some(Price { version: 9, cost_pico: 123_456_789_012, currency: Currency::USD }),
        tags: [("ключ".to_owned(), "\"quoted\"\n".to_owned())].into(),
        ..usage("request", "2026-01-01T00:00:00Z")
    };
    let process = log.open().await;
    let write = usage_write(organization(5), vec![written.clone()]);
    UsageWriter::new(&process).write(&write).await.unwrap();
    let mut connection = log.connect(Role::Projector).await;
    let page = read_page(&mut connection, 0, 1).await.unwrap();
    let read = read_usage(&mut connection, &page.usage[0], 0, 1).await.unwrap().remove(0);
    assert_eq!(read.organization_id, organization(5));
    assert_eq!(read.project_id, written.project_id);
    assert_eq!(read.api_key_id, written.api_key_id);
    assert_eq!(read.member_id, written.member_id);
    assert_eq!(read.service_account_id, written.service_account_id);
    assert_eq!((read.end_user, read.feature), (written.end_user, written.feature));
    assert_eq!((read.provider, read.model), (written.provider, written.model));
    assert_eq!((read.request_id, read.occurred_at), (written.request_id, written.occurred_at));
    assert_eq!((read.input_tokens, read.cached_input_tokens), (100, 20));
    assert_eq!((read.cache_write_tokens, read.output_tokens, read.reasoning_tokens), (4, 30, 5));
    assert_eq!((read.units, read.duration_ms), (written.units, written.duration_ms));
    assert_eq!((read.service_tier, read.error_type), (written.service_tier, written.error_type));
    assert_eq!(read.price_status, PriceStatus::Priced);
    assert_eq!((read.price_version, read.cost_pico), (Some(9), Some(123_456_789_012)));
    assert_eq!((read.currency, read.tags), (Some(Currency::USD), written.tags));
}

#[tokio::test]
async fn what_failed_and_used_nothing_is_not_unpriced() {
    use event_log::usage::NewUsage;
    use event_schemas::{PriceStatus, Unit};
    let log = TestLog::new().await;
    let nothing = NewUsage {
        input_tokens: 0,
        cached_input_tokens: 0,
        output_tokens: 0,
        reasoning_tokens: 0,
        ..usage("silent", "2026-01-01T00:00:00Z")
    };
    let failed = NewUsage {
        request_id: "failed".to_owned(),
        error_type: Some("429".to_owned()),
        ..nothing.clone()
    };
    let searched = NewUsage {
        request_id: "searched".to_owned(),
        units: [(Unit::WebSearches, 1)].into_iter().collect(),
        ..failed.clone()
    };
    let write = usage_write(organization(5), vec![nothing, failed, searched]);
    UsageWriter::new(&log.open().await).write(&write).await.unwrap();
    let mut connection = log.connect(Role::Projector).await;
    let page = read_page(&mut connection, 0, 1).await.unwrap();
    let read = read_usage(&mut connection, &page.usage[0], 0, 3).await.unwrap();
    for record in read {
        let status = match &*record.request_id {
            "failed" => PriceStatus::NotBilled,
            _ => PriceStatus::Unpriced,
        };
        assert_eq!(record.price_status, status, "{}", record.request_id);
    }
}

async fn without_triggers(owner: &mut PgConnection, change: &str) {
    let tampering = format!("set session_replication_role = replica; {change}");
    (&mut *owner).execute(tampering.as_str()).await.expect("a superuser can");
}

#[tokio::test]
async fn a_hole_is_told_and_never_read_over() {
    let log = TestLog::new().await;
    fill(&log, "", &[(true, 3), (false, 3), (true, 3)]).await;
    let mut reader = log.connect(Role::Projector).await;
    let mut owner = log.owner().await;
    for (change, missing) in [
        ("delete from log.events where position = 2", 1),
        ("delete from log.usage_batches where first_position = 4", 4),
        ("delete from log.events where position = 9", 5),
    ] {
        without_triggers(&mut owner, change).await;
        match read_page(&mut reader, 0, 100).await {
            Err(ReadError::Hole { after: 0, upto: 9, found }) => {
                assert_eq!(found, 9 - missing, "{change}");
            }
            other => panic!("{change}: {other:?}"),
        }
    }
    let read_over = read_page(&mut reader, 1, 1).await;
    assert!(matches!(read_over, Err(ReadError::Hole { .. })), "{read_over:?}");
    assert_eq!(count(&read_page(&mut reader, 2, 1).await.unwrap().events), 1, "beyond the hole");
}
