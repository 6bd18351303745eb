//! The usage lane when more comes than can be written: it is bounded, and no tenant waits for
//! another's burst.

use event_log::usage::{
    Fate, GROUP_RECORDS_MAX, ORGANIZATION_RECORDS_WAITING_MAX, UsageWriteError, UsageWriter,
    UsageWritten,
};
use event_schemas::OrganizationId;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::support::{TestLog, release, usage, usage_write};

const WRITE: usize = 1_000;

/// What a turn is worth in records; see `event_log::usage`.
const TURN: usize = 2_000;

/// The records of others that may come before a small tenant's: of the two writes that are under way,
/// of a group that is taken later and committed first, and a turn of each, as far as it has something; a
/// group that is full gives one a second turn.
fn others_max(tenants: &[usize]) -> usize {
    let turns: usize = tenants.iter().map(|records| (*records).min(TURN)).sum();
    2 * WRITE + GROUP_RECORDS_MAX + turns + TURN * turns.div_ceil(GROUP_RECORDS_MAX)
}

fn tenant(number: usize) -> OrganizationId {
    OrganizationId(Uuid::from_u128(0x7000 << 64 | (number as u128 + 1)))
}

type Waiting = JoinHandle<Result<UsageWritten, UsageWriteError>>;

/// Lets a write wait; it is in the queue when this returns, or was refused.
fn submit(writer: &UsageWriter, number: usize, name: &str, records: usize) -> Waiting {
    let records = (0..records).map(|n| usage(&format!("{name}/{n}"), "2026-03-01T12:00:00Z"));
    let write = usage_write(tenant(number), records.collect());
    let writer = writer.clone();
    let mut write = Box::pin(async move { writer.write(&write).await });
    // Polled once, it has its place in the queue.
    let polled = futures::FutureExt::now_or_never(&mut write);
    match polled {
        Some(done) => tokio::spawn(std::future::ready(done)),
        None => tokio::spawn(write),
    }
}

/// Lets tenants send so many records each, the largest first, while nothing can commit. Answers, for
/// each that sent no more than one write, how many records of others came before its own.
async fn burst(tenants: &[usize]) -> Vec<usize> {
    let log = TestLog::new().await;
    let process = log.open().await;
    let writer = UsageWriter::new(&process);
    // The partition is there, and both writers are in the middle of something.
    writer
        .write(&usage_write(tenant(9_999), vec![usage("first", "2026-03-01T12:00:00Z")]))
        .await
        .expect("nothing is in its way");
    let head = process.head().await.expect("the log answers");
    let holder = log.hold_head().await;
    let mut sends: Vec<(usize, usize, Waiting)> = Vec::new();
    let (mut refused, mut waiting) = (0, 0);
    for (number, records) in tenants.iter().enumerate() {
        let mut left = *records;
        while left > 0 {
            let now = left.min(WRITE);
            let sent = submit(&writer, number, &left.to_string(), now);
            sends.push((number, now, sent));
            left -= now;
            if sends.len() == 2 {
                log.waiting_for_locks(2).await;
            }
        }
        waiting = waiting.max(writer.records_waiting());
    }
    assert!(waiting <= event_log::usage::RECORDS_WAITING_MAX + WRITE, "{waiting} wait");
    release(holder).await;
    let mut before = Vec::new();
    for (number, records, sent) in sends {
        match sent.await.expect("no panic") {
            Ok(written) => {
                let first = written.fates.iter().filter_map(|fate| match fate {
                    Fate::Recorded { position } => Some(*position),
                    Fate::Duplicate | Fate::Conflict => None,
                });
                let first = first.min().expect("all of it is new");
                if tenants[number] <= WRITE {
                    before.push(usize::try_from(first - head - 1).expect("after the head"));
                }
                assert_eq!(written.fates.len(), records);
            }
            Err(UsageWriteError::Full) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    let over =
        tenants.iter().any(|records| *records > ORGANIZATION_RECORDS_WAITING_MAX + 4 * WRITE);
    assert_eq!(refused > 0, over, "{refused} were refused");
    before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_tenant_does_not_wait_for_a_large_ones_burst() {
    // One sends more than may wait; the others come after it, a few records each.
    let mut tenants = vec![70_000, 8_000];
    tenants.extend([1, 10, 100, 500]);
    let before = burst(&tenants).await;
    assert_eq!(before.len(), 4, "none of the small ones is refused");
    let max = others_max(&tenants);
    assert!(before.iter().all(|others| *others <= max), "{before:?}, at most {max}");
}

/// A window of real tenants, very skewed, a fiftieth of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_tenants_do_not_wait_for_each_others_bursts() {
    let Some(data) = std::env::var_os("ORGLEDGER_REAL_DATA") else {
        eprintln!("skipped: ORGLEDGER_REAL_DATA is not set");
        return;
    };
    let file =
        std::fs::File::open(std::path::Path::new(&data).join("usage/servegen_windows.csv.gz"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file.unwrap()), &mut text)
        .unwrap();
    let mut windows = std::collections::BTreeMap::<&str, Vec<usize>>::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let requests: usize = fields[4].parse().unwrap();
        windows.entry(fields[3]).or_default().push(requests);
    }
    let busiest = windows.into_values().max_by_key(|requests| requests.iter().sum::<usize>());
    // As many as may wait, in the same proportions; the largest of them has most of it.
    let busiest = busiest.expect("a window");
    let all: usize = busiest.iter().sum();
    let mut tenants: Vec<usize> =
        busiest.iter().map(|requests| (requests * 60_000 / all).max(1)).collect();
    tenants.sort_unstable_by(|a, b| b.cmp(a));
    for records in &mut tenants {
        *records = (*records).min(ORGANIZATION_RECORDS_WAITING_MAX);
    }
    let before = burst(&tenants).await;
    let max = others_max(&tenants);
    assert!(max < tenants.iter().sum::<usize>() * 3 / 4, "the bound could not be broken");
    assert!(before.len() > 10 && before.iter().all(|others| *others <= max), "{before:?}");
}
