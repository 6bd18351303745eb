//! Writing usage records: who waits, and who writes.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::NaiveDate;
use event_schemas::Month;
use sqlx::{PgConnection, PgPool};
use tokio::sync::{Semaphore, oneshot, watch};

use super::group::{Group, Tried};
use super::known::Look;
use super::queue::FairQueue;
use super::{Keys, UsageWrite, UsageWriteError, UsageWritten};
use crate::append::EventLog;

/// How many groups are written at once. Two writers saturate two cores; more only wait for locks.
const WRITERS_MAX: usize = 2;

/// About how many records are written in one transaction. More would not be faster, and would keep
/// the others waiting.
pub const GROUP_RECORDS_MAX: usize = 10_000;

/// How often a group is filtered again when others record the same requests at the same time.
const TRIES_MAX: usize = 5;

/// For how many groups it is looked first what is there already, once something was sent again:
/// whoever sends again often does so more than once.
const LOOK_FIRST: u32 = 64;

type Answer = Result<UsageWritten, UsageWriteError>;

/// Writes usage records. Cheap to clone.
#[derive(Clone)]
pub struct UsageWriter {
    lane: Arc<Lane>,
    own_head: watch::Receiver<i64>,
}

struct Lane {
    pool: PgPool,
    writers: Semaphore,
    waiting: Mutex<FairQueue<Waiting>>,
    /// The months that are known to take records: their partitions are there.
    months: Mutex<HashSet<Month>>,
    /// For how many more groups it is looked first what is there already.
    look_first: AtomicU32,
}

struct Waiting {
    write: Arc<UsageWrite>,
    keys: Vec<Keys>,
    reply: oneshot::Sender<Answer>,
}

impl UsageWriter {
    /// A writer on the log's own connections. Those that are cloned of one another share its queue.
    pub fn new(log: &EventLog) -> Self {
        let lane = Lane {
            pool: log.pool().clone(),
            writers: Semaphore::new(WRITERS_MAX),
            waiting: Mutex::new(FairQueue::new()),
            months: Mutex::default(),
            look_first: AtomicU32::new(0),
        };
        Self { lane: Arc::new(lane), own_head: log.own_head() }
    }

    /// Writes all records that are not there yet, and answers after the commit.
    pub async fn write(&self, write: &UsageWrite) -> Answer {
        self.write_shared(Arc::new(write.clone())).await
    }

    /// The same, without copying them: who has to check them again still has them.
    pub async fn write_shared(&self, write: Arc<UsageWrite>) -> Answer {
        let (reply, answer) = oneshot::channel();
        let organization_id = write.organization_id;
        let keys: Vec<Keys> =
            write.records.iter().map(|record| Keys::of(record, organization_id)).collect();
        let records = keys.len();
        let waiting = Waiting { write, keys, reply };
        let queued = self.lane.waiting().push(organization_id, records, waiting);
        if queued.is_err() {
            metrics::counter!("orgledger_usage_refused_full_total").increment(1);
            return Err(UsageWriteError::Full);
        }
        // One task for each write, so that none is left over; it takes whatever has waited longest.
        // It goes on when the sender has hung up: others may be in the same group.
        tokio::spawn(Arc::clone(&self.lane).write_a_group());
        answer.await.unwrap_or(Err(UsageWriteError::Closed))
    }

    /// How many records wait.
    pub fn records_waiting(&self) -> usize {
        self.lane.waiting().records()
    }

    /// The head as this process's appender left it.
    pub fn own_head(&self) -> watch::Receiver<i64> {
        self.own_head.clone()
    }
}

impl Lane {
    fn waiting(&self) -> MutexGuard<'_, FairQueue<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write_a_group(self: Arc<Self>) {
        // The semaphore is never closed.
        let Ok(_place) = self.writers.acquire().await else { return };
        let writes = self.waiting().take(GROUP_RECORDS_MAX);
        if writes.is_empty() {
            return; // Another one has taken it along.
        }
        let mut answers: Vec<Option<Answer>> = writes.iter().map(|_| None).collect();
        match self.write_together(&writes, &mut answers).await {
            // What one of them holds is refused: each by itself, so that it fails alone.
            Err(error) if error.as_database_error().is_some() && writes.len() > 1 => {
                for (write, answer) in writes.chunks(1).zip(answers.chunks_mut(1)) {
                    if let Err(error) = self.write_together(write, answer).await {
                        fail(answer, error);
                    }
                }
            }
            Err(error) => fail(&mut answers, error),
            Ok(()) => {}
        }
        for (waiting, answer) in writes.into_iter().zip(answers) {
            let answer = answer.unwrap_or(Err(UsageWriteError::Contended));
            // Who has hung up sends it again, and learns that it is there.
            let _ = waiting.reply.send(answer);
        }
    }

    /// Writes those that have no answer yet, in one transaction. Who is stale is answered so, and the
    /// others are written without them.
    async fn write_together(
        &self,
        writes: &[Waiting],
        answers: &mut [Option<Answer>],
    ) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let mut look = self.look();
        let mut tries = 0;
        while tries < TRIES_MAX {
            let mut group = Group::default();
            for (place, waiting) in writes.iter().enumerate() {
                if answers[place].is_none() {
                    group.add(place, &waiting.write, &waiting.keys);
                }
            }
            if group.is_empty() {
                return Ok(());
            }
            let closed = self.ensure_partitions(&mut connection, group.days()).await?;
            match group.try_write(&mut connection, look, &closed).await? {
                Tried::Written(written) => {
                    for (place, written) in written {
                        answers[place] = Some(Ok(written));
                    }
                    return Ok(());
                }
                Tried::Stale(places) => {
                    for place in places {
                        answers[place] = Some(Err(UsageWriteError::Stale));
                    }
                }
                Tried::Overtaken => {
                    self.look_first.store(LOOK_FIRST, Ordering::Relaxed);
                    look = Look::Everywhere;
                    tries += 1;
                }
                Tried::Closed => {
                    self.months.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    tries += 1;
                }
            }
        }
        Ok(())
    }

    /// Where to look for what is there, before it is written.
    fn look(&self) -> Look {
        let one_less = |groups: u32| groups.checked_sub(1);
        let (now, then) = (Ordering::Relaxed, Ordering::Relaxed);
        match self.look_first.fetch_update(now, then, one_less) {
            Ok(_) => Look::Everywhere,
            Err(_) => Look::BesideTheirDay,
        }
    }

    /// Makes the partitions that are not there yet; answers the months that take no records.
    async fn ensure_partitions(
        &self,
        connection: &mut PgConnection,
        days: impl Iterator<Item = NaiveDate>,
    ) -> Result<BTreeSet<Month>, sqlx::Error> {
        let unknown: BTreeSet<Month> = {
            let there = self.months.lock().unwrap_or_else(PoisonError::into_inner);
            days.filter_map(Month::of).filter(|month| !there.contains(month)).collect()
        };
        let mut closed = BTreeSet::new();
        for month in unknown {
            let takes_records: bool = sqlx::query_scalar("select log.ensure_usage_partition($1)")
                .bind(month.first_day())
                .fetch_one(&mut *connection)
                .await?;
            if takes_records {
                self.months.lock().unwrap_or_else(PoisonError::into_inner).insert(month);
            } else {
                // Not remembered: it may be restored.
                closed.insert(month);
            }
        }
        Ok(closed)
    }
}

/// Tells all that have no answer.
fn fail(answers: &mut [Option<Answer>], error: sqlx::Error) {
    let error = Arc::new(error);
    for answer in answers.iter_mut().filter(|answer| answer.is_none()) {
        *answer = Some(Err(UsageWriteError::Sqlx(Arc::clone(&error))));
    }
}
