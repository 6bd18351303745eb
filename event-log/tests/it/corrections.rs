//! Corrections of what usage costs: with their event or not at all, and as JetStream carries them.

use event_log::database::Role;
use event_log::relay::{JetStreamReader, Refused};
use event_log::usage::{UsageWriter, corrections_of, read_corrections};
use event_log::{Append, EventLog, ReadError};
use sqlx::{Connection as _, Executor as _};

use crate::relaying::{own_stream, published, start};
use crate::support::{TestLog, append, correcting, in_time, organization, usage, usage_write};

/// Three records, at positions 1 to 3.
async fn recorded() -> (TestLog, EventLog) {
    let log = TestLog::new().await;
    let process = log.open().await;
    let records = ["2026-03-01T12:00:00Z", "2026-03-31T23:59:59Z", "2026-04-01T00:00:00Z"]
        .into_iter()
        .zip(["a", "b", "c"])
        .map(|(at, request)| usage(request, at));
    let write = usage_write(organization(1), records.collect());
    UsageWriter::new(&process).write(&write).await.expect("fresh");
    (log, process)
}

#[tokio::test]
async fn a_record_costs_what_its_last_correction_says_and_stays_as_it_is() {
    let (log, process) = recorded().await;
    let before = log.entries().await;
    let first = append(&process, correcting(&process, organization(1), 7).await).await;
    let second = append(&process, correcting(&process, organization(1), 9).await).await;
    assert_eq!((first.first_position, second.first_position), (4, 5));
    let entries = log.entries().await;
    assert_eq!(entries[..3], before[..], "records stay as they are");
    let mut relay = log.connect(Role::Relay).await;
    let read = read_corrections(&mut relay, 5, organization(1)).await.expect("they are there");
    let costs: Vec<_> = read.iter().map(|c| (c.usage.cost_pico, c.cost_pico)).collect();
    assert_eq!(costs, [(Some(7), 9); 3], "each takes away what stood");
    let usage = &read[2].usage;
    let chain = corrections_of(process.pool(), usage.batch_id, usage.ordinal).await.expect("two");
    let chain: Vec<_> = chain.iter().map(|c| (c.position, c.after.cost_pico)).collect();
    assert_eq!(chain, [(4, 7), (5, 9)]);
}

#[tokio::test]
async fn corrections_and_their_event_are_written_together_or_not_at_all() {
    let (log, process) = recorded().await;
    let whole = correcting(&process, organization(1), 7).await;
    let without = Append { corrections: vec![], ..whole.clone() };
    let fewer = Append { corrections: whole.corrections[1..].to_vec(), ..whole.clone() };
    let mut of_another = whole.clone();
    of_another.corrections[0].organization_id = organization(2);
    let orphans = Append { events: vec![], ..whole.clone() };
    for (broken, how) in
        [(without, "without"), (fewer, "fewer"), (of_another, "another's"), (orphans, "orphans")]
    {
        process.append(broken).await.expect_err(how);
    }
    assert_eq!(log.entries().await.len(), 3, "nothing was written");
    append(&process, whole).await;
    // Nor is one added later, by whoever may write.
    let mut writer = log.connect(Role::Writer).await;
    let mut tx = writer.begin().await.expect("it begins");
    let add = "insert into log.usage_corrections select position, 3, organization_id, batch_id,
            record_ordinal, occurred_at, occurred_day, price_version, cost_pico, currency,
            price_version, 1, currency, now()
        from log.usage_corrections where ordinal = 0";
    let error = (&mut *tx).execute(add).await.expect_err("it is late");
    let error = error.into_database_error().expect("the server says no");
    assert_eq!(error.code().as_deref(), Some("23000"), "{error}");
}

#[tokio::test]
async fn the_stream_carries_corrections_with_their_records_and_none_that_were_changed() {
    let (log, process) = recorded().await;
    let config = own_stream();
    let relay = start(&log.options(), &config).await;
    append(&process, correcting(&process, organization(1), 7).await).await;
    published(&config, 4).await;
    relay.stop().await;
    let mut relay = log.connect(Role::Relay).await;
    let expected = read_corrections(&mut relay, 4, organization(1)).await.expect("they are there");
    let mut reader = JetStreamReader::open(&config, 3, None).await.expect("it opens");
    let page = in_time("a page", reader.next_page(100)).await.expect("no gap");
    assert_eq!(page.corrections, [(4, expected)]);

    append(&process, correcting(&process, organization(1), 8).await).await;
    let tampering = "set session_replication_role = replica;
        update log.usage_corrections set cost_pico = 6 where position = 5 and ordinal = 1";
    (&mut log.owner().await).execute(tampering).await.expect("it is changed");
    let refused = start(&log.options(), &config).await.refused().await;
    let Refused::Log(ReadError::Corrections { position: 5 }) = refused else { panic!("{refused}") };
}
