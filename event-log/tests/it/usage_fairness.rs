//! The usage lane when more comes than can be written: it is bounded, and no tenant waits for
//! another's burst.

use event_log::EventLog;
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

/// The records of others that may come before the last of a tenant that sends so many: of the two
/// writes that are under way, of a group that is taken later and committed first, and of each other as
/// many turns as it takes itself, as far as that one has something; a group that is full gives one a
/// second turn.
fn others_max(tenants: &[usize], records: usize) -> usize {
    let own_turns = records.div_ceil(TURN).max(1);
    let turns: usize = tenants.iter().map(|of_one| (*of_one).min(TURN * own_turns)).sum();
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

/// How it went for a tenant: what it sent, and how many records of others came before the last of it.
/// Of one that was refused something, nothing.
struct Waited {
    records: usize,
    others: usize,
}

/// A log with usage in it, and a writer that is the bottleneck.
struct Lane {
    log: TestLog,
    process: EventLog,
    writer: UsageWriter,
    bursts: usize,
}

impl Lane {
    async fn new() -> Self {
        let log = TestLog::new().await;
        let process = log.open().await;
        let writer = UsageWriter::new(&process);
        Self { log, process, writer, bursts: 0 }
    }

    /// Lets tenants send so many records each, in that order, while nothing can commit.
    async fn burst(&mut self, tenants: &[usize]) -> Vec<Waited> {
        self.bursts += 1;
        let Self { log, process, writer, bursts } = self;
        // The partition is there, and both writers are in the middle of something.
        let first = vec![usage(&format!("first {bursts}"), "2026-03-01T12:00:00Z")];
        writer.write(&usage_write(tenant(9_999), first)).await.expect("nothing is in its way");
        let head = process.head().await.expect("the log answers");
        let holder = log.hold_head().await;
        let mut sends: Vec<(usize, usize, Waiting)> = Vec::new();
        let mut waiting = 0;
        for (number, records) in tenants.iter().enumerate() {
            let mut left = *records;
            while left > 0 {
                let now = left.min(WRITE);
                let sent = submit(writer, number, &format!("{bursts} {left}"), now);
                sends.push((number, now, sent));
                left -= now;
                // One after the other, else one of the writers might take both.
                match sends.len() {
                    1 => log.waiting_for_locks(1).await,
                    2 => log.waiting_for_locks(2).await,
                    _ => {}
                }
            }
            waiting = waiting.max(writer.records_waiting());
        }
        assert!(waiting <= event_log::usage::RECORDS_WAITING_MAX + WRITE, "{waiting} wait");
        release(holder).await;
        let mut last = vec![Some(0_i64); tenants.len()];
        for (number, records, sent) in sends {
            match sent.await.expect("no panic") {
                Ok(written) => {
                    assert_eq!(written.fates.len(), records);
                    let positions = written.fates.iter().map(|fate| match fate {
                        Fate::Recorded { position } => *position,
                        Fate::Duplicate | Fate::Conflict | Fate::Archived { .. } => {
                            panic!("all of it is new: {fate:?}")
                        }
                    });
                    last[number] =
                        last[number].max(positions.max()).filter(|_| last[number].is_some());
                }
                Err(UsageWriteError::Full) => last[number] = None,
                Err(other) => panic!("{other}"),
            }
        }
        let over =
            tenants.iter().any(|records| *records > ORGANIZATION_RECORDS_WAITING_MAX + 4 * WRITE);
        assert_eq!(last.contains(&None), over, "who may send all of it does");
        let waited = tenants.iter().zip(last).filter_map(|(records, last)| {
            let upto = usize::try_from(last? - head).expect("after the head");
            Some(Waited { records: *records, others: upto - records })
        });
        waited.collect()
    }
}

/// That nobody waited for more of others than the queue promises. Answers by how much the bound is
/// below what a queue without turns could make the smallest wait for.
fn assert_bounded(tenants: &[usize], waited: &[Waited]) -> usize {
    for Waited { records, others } in waited {
        let max = others_max(tenants, *records);
        assert!(*others <= max, "{others} came before one that sent {records}, and {max} may");
    }
    let all: usize = tenants.iter().sum();
    all.saturating_sub(others_max(tenants, 1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_tenant_does_not_wait_for_a_large_ones_burst() {
    // One sends more than may wait; the others come after it, a few records each.
    let mut tenants = vec![70_000, 8_000];
    tenants.extend([1, 10, 100, 500]);
    let waited = Lane::new().await.burst(&tenants).await;
    assert_eq!(waited.len(), 5, "none but the large one is refused anything");
    assert!(assert_bounded(&tenants, &waited) > 40_000);
}

/// How many of the real windows are sent, the busiest first.
const WINDOWS: usize = 6;

/// Windows of real tenants, very skewed, as many requests of each as may wait: ten minutes of theirs at
/// once, in the same proportions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_tenants_do_not_wait_for_each_others_bursts() {
    let Some(data) = std::env::var_os("ORGLEDGER_REAL_DATA") else {
        eprintln!("skipped: ORGLEDGER_REAL_DATA is not set");
        return;
    };
    let mut windows =
        real_windows(&std::path::Path::new(&data).join("usage/servegen_windows.csv.gz"));
    windows.sort_unstable_by_key(|window| std::cmp::Reverse(window.iter().sum::<usize>()));
    let mut lane = Lane::new().await;
    let (mut small, mut tellable) = (0, 0);
    for window in &windows[..WINDOWS] {
        let all: usize = window.iter().sum();
        let share = |requests: &usize| (requests * 60_000 / all).max(1);
        let mut tenants: Vec<usize> = window.iter().map(share).collect();
        // The worst that can be: whoever sends the most was there first.
        tenants.sort_unstable_by(|a, b| b.cmp(a));
        for records in &mut tenants {
            *records = (*records).min(ORGANIZATION_RECORDS_WAITING_MAX);
        }
        let waited = lane.burst(&tenants).await;
        assert_eq!(waited.len(), tenants.len(), "none is refused");
        small += waited.iter().filter(|one| one.records <= WRITE).count();
        tellable +=
            usize::from(assert_bounded(&tenants, &waited) > tenants.iter().sum::<usize>() / 4);
    }
    assert!(
        small > 30 && tellable == WINDOWS,
        "{small} small ones, {tellable} windows that can tell"
    );
}

/// How many requests each tenant made, by window.
fn real_windows(file: &std::path::Path) -> Vec<Vec<usize>> {
    let file = std::fs::File::open(file).expect("the real data are there");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text)
        .expect("it is packed");
    let mut windows = std::collections::BTreeMap::<&str, Vec<usize>>::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let requests: usize = fields[4].parse().expect("a number");
        windows.entry(fields[3]).or_default().push(requests);
    }
    windows.into_values().collect()
}
