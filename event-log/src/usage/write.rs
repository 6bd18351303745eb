//! Writing a batch of usage records.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres, Row as _};
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

use super::known::{any_elsewhere, filter_known};
use super::{Fate, Row, UsageWrite, UsageWriteError, UsageWritten, copy};
use crate::append::{EventLog, StreamKey, new_event_id};
use crate::appender::{report_position, sequences};
use crate::follow::NOTIFY_CHANNEL;

/// How many batches are copied at once. Two writers saturate two cores; more only wait for locks.
const WRITERS_MAX: usize = 2;

/// How often a batch is filtered again when others record the same requests at the same time.
const TRIES_MAX: usize = 5;

/// Postgres's code for a unique violation.
const UNIQUE_VIOLATION: &str = "23505";

/// Writes usage records. Cheap to clone.
#[derive(Clone)]
pub struct UsageWriter {
    pool: PgPool,
    writers: Arc<Semaphore>,
    /// The first days of the months whose partitions are known to be there.
    months: Arc<Mutex<HashSet<NaiveDate>>>,
    own_head: watch::Receiver<i64>,
}

/// How one try at writing ended.
enum Try {
    Written(i64),
    /// Another writer recorded one of these requests meanwhile.
    Overtaken,
}

impl UsageWriter {
    /// A writer on the log's own connections.
    pub fn new(log: &EventLog) -> Self {
        Self {
            pool: log.pool().clone(),
            writers: Arc::new(Semaphore::new(WRITERS_MAX)),
            months: Arc::default(),
            own_head: log.own_head(),
        }
    }

    /// Writes all records that are not there yet, in one transaction, and answers after the commit.
    pub async fn write(&self, write: &UsageWrite) -> Result<UsageWritten, UsageWriteError> {
        // The semaphore is never closed, so waiting for it cannot fail.
        let _place = self.writers.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let mut connection = self.pool.acquire().await?;
        let all = rows(write);
        for _ in 0..TRIES_MAX {
            // From the start each time: what became of a record that stands twice in the batch
            // hangs on what became of the first.
            let mut fates: Vec<Option<Fate>> = vec![None; write.records.len()];
            let filtered_at = head(&mut connection).await?;
            let mut rows = filter_known(&mut connection, all.clone(), &mut fates).await?;
            if rows.is_empty() {
                // Read again: what was found may have committed after `filtered_at` was read.
                let position = head(&mut connection).await?;
                return Ok(written(&fates, 0, &[], position));
            }
            // Sorted, so that the insert fills one index page after another and two writers never wait
            // for each other in a circle.
            rows.sort_unstable_by_key(|row| (row.day, row.request_key));
            self.ensure_partitions(&mut connection, &rows).await?;
            match self.try_write(&mut connection, write, &rows, filtered_at).await? {
                Try::Written(first_position) => {
                    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
                    report_position(first_position + count - 1);
                    metrics::counter!("orgledger_usage_records_total").increment(rows.len() as u64);
                    return Ok(written(&fates, first_position, &rows, first_position + count - 1));
                }
                Try::Overtaken => {}
            }
        }
        Err(UsageWriteError::Contended)
    }

    async fn try_write(
        &self,
        connection: &mut PoolConnection<Postgres>,
        write: &UsageWrite,
        rows: &[Row<'_>],
        filtered_at: i64,
    ) -> Result<Try, UsageWriteError> {
        let batch_id = new_event_id();
        let data = copy::encode(rows, batch_id, write.organization_id)
            .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        let mut tx = sqlx::Connection::begin(&mut **connection).await?;
        match copy::copy_rows(&mut tx, data).await {
            Ok(()) => {}
            Err(error) if is_unique_violation(&error) => {
                tx.rollback().await?;
                return Ok(Try::Overtaken);
            }
            Err(error) => return Err(error.into()),
        }
        let head = sqlx::query(
            "select position, greatest(recorded_at, clock_timestamp()) from log.head for update",
        )
        .fetch_one(&mut *tx)
        .await?;
        let (position, recorded_at): (i64, DateTime<Utc>) = (head.get(0), head.get(1));
        check_fresh(&mut tx, write).await?;
        if position > filtered_at {
            // The unique key is by day. A request sent twice around midnight is found here: all
            // that has committed is visible now, and nobody else can commit.
            if others_wrote(&mut tx, write, filtered_at).await?
                && any_elsewhere(&mut tx, rows, batch_id).await?
            {
                tx.rollback().await?;
                return Ok(Try::Overtaken);
            }
        }
        let first_position = position + 1;
        insert_batch(&mut tx, write, rows, batch_id, first_position, recorded_at).await?;
        tx.commit().await?;
        Ok(Try::Written(first_position))
    }

    async fn ensure_partitions(
        &self,
        connection: &mut PgConnection,
        rows: &[Row<'_>],
    ) -> Result<(), sqlx::Error> {
        let months: BTreeSet<NaiveDate> =
            rows.iter().filter_map(|row| row.day.with_day(1)).collect();
        let missing: Vec<NaiveDate> = {
            let there = self.months.lock().unwrap_or_else(PoisonError::into_inner);
            months.into_iter().filter(|month| !there.contains(month)).collect()
        };
        for month in missing {
            sqlx::query("select log.ensure_usage_partition($1)")
                .bind(month)
                .execute(&mut *connection)
                .await?;
            self.months.lock().unwrap_or_else(PoisonError::into_inner).insert(month);
        }
        Ok(())
    }

    /// The head as this process's appender left it.
    pub fn own_head(&self) -> watch::Receiver<i64> {
        self.own_head.clone()
    }
}

fn rows(write: &UsageWrite) -> Vec<Row<'_>> {
    let keyed = write.records.iter().enumerate().map(|(index, record)| Row {
        record,
        index,
        day: record.day(),
        request_key: record.request_key(write.organization_id),
        content_key: record.content_key(),
    });
    keyed.collect()
}

async fn head(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select position from log.head").fetch_one(connection).await
}

/// Puts the fates found before and those of the rows just written in the sender's order.
fn written(
    fates: &[Option<Fate>],
    first_position: i64,
    rows: &[Row<'_>],
    position: i64,
) -> UsageWritten {
    let mut fates: Vec<Fate> = fates.iter().map(|fate| fate.unwrap_or(Fate::Duplicate)).collect();
    for (position, row) in (first_position..).zip(rows) {
        fates[row.index] = Fate::Recorded { position };
    }
    UsageWritten { fates, position }
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref()
        == Some(UNIQUE_VIOLATION)
}

/// Refuses where a stream that the records were checked against has moved, or a price was published
/// that the records were not priced by. The head is locked, so the answer holds until the commit.
async fn check_fresh(
    connection: &mut PgConnection,
    write: &UsageWrite,
) -> Result<(), UsageWriteError> {
    let streams: Vec<&StreamKey> = write.expected.iter().map(|(stream, _)| stream).collect();
    let stand = sequences(connection, &streams).await?;
    let moved = |(stream, sequence): &(StreamKey, i64)| {
        stand.get(stream).copied().unwrap_or(0) != *sequence
    };
    if write.expected.iter().any(moved) {
        return Err(UsageWriteError::Stale);
    }
    let newer_price: bool = sqlx::query_scalar(
        "select exists (select 1 from log.events
                        where aggregate_type = 'price_list' and position > $1)",
    )
    .bind(write.prices_upto)
    .fetch_one(connection)
    .await?;
    if newer_price { Err(UsageWriteError::Stale) } else { Ok(()) }
}

/// Whether another batch of this organization was written since the records were filtered.
async fn others_wrote(
    connection: &mut PgConnection,
    write: &UsageWrite,
    filtered_at: i64,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from log.usage_batches
                        where organization_id = $1 and first_position > $2)",
    )
    .bind(write.organization_id.0)
    .bind(filtered_at)
    .fetch_one(connection)
    .await
}

async fn insert_batch(
    connection: &mut PgConnection,
    write: &UsageWrite,
    rows: &[Row<'_>],
    batch_id: Uuid,
    first_position: i64,
    recorded_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let count = i32::try_from(rows.len()).unwrap_or(i32::MAX);
    sqlx::query(&format!(
        "with batch as (
             insert into log.usage_batches (first_position, batch_id, organization_id, count,
                 first_day, last_day, actor, metadata, recorded_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8::json, $9)
         ), head as (
             update log.head set position = $10, recorded_at = $9
         )
         select pg_notify('{NOTIFY_CHANNEL}', $10::text)"
    ))
    .bind(first_position)
    .bind(batch_id)
    .bind(write.organization_id.0)
    .bind(count)
    .bind(rows.iter().map(|row| row.day).min())
    .bind(rows.iter().map(|row| row.day).max())
    .bind(&write.actor)
    .bind(&*write.metadata)
    .bind(recorded_at)
    .bind(first_position + i64::from(count) - 1)
    .execute(connection)
    .await?;
    Ok(())
}
