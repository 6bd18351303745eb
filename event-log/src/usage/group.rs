//! One transaction of the usage lane: the writes of some senders, each a batch of its own.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::Month;
use sqlx::PgConnection;
use uuid::Uuid;

use super::known::{Look, any_elsewhere, filter_known};
use super::months::{TAKES_NO_RECORDS, UNDEFINED_TABLE};
use super::{Fate, Keys, Row, UsageWrite, UsageWritten, copy};
use crate::append::{StreamKey, new_event_id};
use crate::appender::{report_position, sequences};
use crate::follow::NOTIFY_CHANNEL;

/// Postgres's code for a unique violation.
const UNIQUE_VIOLATION: &str = "23505";

/// Writes that go together.
#[derive(Default)]
pub(super) struct Group<'a> {
    /// Each with the caller's word for it.
    writes: Vec<(usize, &'a UsageWrite)>,
    rows: Vec<Row<'a>>,
}

/// How one try at writing a group ended.
pub(super) enum Tried {
    /// All of it is in the log: what became of each write, by the caller's word for it.
    Written(Vec<(usize, UsageWritten)>),
    /// Nothing was written, because of these: what they were checked against has moved.
    Stale(Vec<usize>),
    /// Nothing was written: some of it is there already, or another writer was faster.
    Overtaken,
    /// Nothing was written: a month that took records a moment ago takes none any more.
    Closed,
}

/// A write as it gets its positions.
struct Batch<'a> {
    write: &'a UsageWrite,
    id: Uuid,
    count: i32,
    days: Option<(NaiveDate, NaiveDate)>,
    first_position: i64,
}

impl<'a> Group<'a> {
    /// Adds a write, whose records have these keys.
    pub(super) fn add(&mut self, place: usize, write: &'a UsageWrite, keys: &[Keys]) {
        let number = self.writes.len();
        self.writes.push((place, write));
        let rows = write.records.iter().zip(keys).enumerate().map(|(index, (record, keys))| Row {
            record,
            organization_id: write.organization_id,
            write: number,
            index,
            day: keys.day,
            request_key: keys.request_key,
            content_key: keys.content_key,
        });
        self.rows.extend(rows);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The days of its records.
    pub(super) fn days(&self) -> impl Iterator<Item = NaiveDate> + '_ {
        self.rows.iter().map(|row| row.day)
    }

    /// Writes what is not there yet, in one transaction; nothing of the months that are closed.
    pub(super) async fn try_write(
        self,
        connection: &mut PgConnection,
        look: Look,
        closed: &BTreeSet<Month>,
    ) -> Result<Tried, sqlx::Error> {
        let Self { writes, rows } = self;
        let mut fates: Vec<Vec<Option<Fate>>> =
            writes.iter().map(|(_, write)| vec![None; write.records.len()]).collect();
        let rows = set_archived_aside(rows, closed, &mut fates);
        let filtered_at = head(connection).await?;
        let mut rows = filter_known(connection, rows, look, &mut fates).await?;
        if rows.is_empty() {
            // Read again: what was found may have committed after `filtered_at` was read.
            let position = head(connection).await?;
            return Ok(Tried::Written(told(&writes, &fates, &[], position)));
        }
        // Sorted, so that the insert fills one index page after another and two writers never wait
        // for each other in a circle.
        rows.sort_unstable_by_key(|row| (row.day, row.request_key));
        let (mut batches, places) = number(&writes, &rows);
        let mut tx = sqlx::Connection::begin(&mut *connection).await?;
        match copy_all(&mut tx, &rows, &places).await {
            Ok(()) => {}
            Err(error) if is_unique_violation(&error) => {
                tx.rollback().await?;
                return Ok(Tried::Overtaken);
            }
            Err(error) if is_of_closed_month(&error) => {
                tx.rollback().await?;
                return Ok(Tried::Closed);
            }
            Err(error) => return Err(error),
        }
        let (position, recorded_at) = lock_head(&mut tx).await?;
        let stale = stale(&mut tx, &writes).await?;
        if !stale.is_empty() {
            tx.rollback().await?;
            return Ok(Tried::Stale(stale));
        }
        // The unique key is by day. A request sent twice around midnight is found here: all that has
        // committed is visible now, and nobody else can commit.
        let batch_ids: Vec<Uuid> = batches.iter().map(|batch| batch.id).collect();
        if position > filtered_at
            && others_wrote(&mut tx, &writes, filtered_at).await?
            && any_elsewhere(&mut tx, &rows, &batch_ids).await?
        {
            tx.rollback().await?;
            return Ok(Tried::Overtaken);
        }
        let last = give_positions(&mut batches, position);
        insert_batches(&mut tx, &batches, last, recorded_at).await?;
        tx.commit().await?;
        report_position(last);
        metrics::counter!("orgledger_usage_records_total").increment(rows.len() as u64);
        recorded(&batches, &rows, &places, &mut fates);
        Ok(Tried::Written(told(&writes, &fates, &batches, last)))
    }
}

/// Gives each write a batch, and each row its place in its write's batch, in the rows' order.
fn number<'a>(
    writes: &[(usize, &'a UsageWrite)],
    rows: &[Row<'_>],
) -> (Vec<Batch<'a>>, Vec<(Uuid, i32)>) {
    let batch = |(_, write): &(usize, &'a UsageWrite)| Batch {
        write,
        id: new_event_id(),
        count: 0,
        days: None,
        first_position: 0,
    };
    let mut batches: Vec<Batch<'a>> = writes.iter().map(batch).collect();
    let mut places = Vec::with_capacity(rows.len());
    for row in rows {
        let batch = &mut batches[row.write];
        places.push((batch.id, batch.count));
        batch.count += 1;
        // Rows are in order of their days.
        batch.days = Some((batch.days.map_or(row.day, |(first, _)| first), row.day));
    }
    (batches, places)
}

/// Batches follow each other in the writes' order. Answers the last position.
fn give_positions(batches: &mut [Batch<'_>], head: i64) -> i64 {
    let mut last = head;
    for batch in batches {
        batch.first_position = last + 1;
        last += i64::from(batch.count);
    }
    last
}

/// Rows are in order of their days: one `COPY` a month.
async fn copy_all(
    tx: &mut PgConnection,
    rows: &[Row<'_>],
    places: &[(Uuid, i32)],
) -> Result<(), sqlx::Error> {
    use chrono::Datelike as _;
    let mut done = 0;
    let month =
        |a: &Row<'_>, b: &Row<'_>| (a.day.year(), a.day.month()) == (b.day.year(), b.day.month());
    for rows in rows.chunk_by(month) {
        let places = &places[done..done + rows.len()];
        done += rows.len();
        let data = copy::encode(rows, places).map_err(|e| sqlx::Error::Encode(Box::new(e)))?;
        copy::copy_month(tx, rows[0].day, data).await?;
    }
    Ok(())
}

async fn head(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select position from log.head").fetch_one(connection).await
}

async fn lock_head(tx: &mut PgConnection) -> Result<(i64, DateTime<Utc>), sqlx::Error> {
    sqlx::query_as(
        "select position, greatest(recorded_at, clock_timestamp()) from log.head for update",
    )
    .fetch_one(tx)
    .await
}

/// The fates of the rows that were just written.
fn recorded(
    batches: &[Batch<'_>],
    rows: &[Row<'_>],
    places: &[(Uuid, i32)],
    fates: &mut [Vec<Option<Fate>>],
) {
    for (row, (_, ordinal)) in rows.iter().zip(places) {
        let position = batches[row.write].first_position + i64::from(*ordinal);
        fates[row.write][row.index] = Some(Fate::Recorded { position });
    }
}

/// What each write is told. Where something of it is new, that stands after all that it repeats;
/// where nothing is, all of the group has been read by `last`.
fn told(
    writes: &[(usize, &UsageWrite)],
    fates: &[Vec<Option<Fate>>],
    batches: &[Batch<'_>],
    last: i64,
) -> Vec<(usize, UsageWritten)> {
    let mut told = Vec::with_capacity(writes.len());
    for (number, ((place, _), fates)) in writes.iter().zip(fates).enumerate() {
        let fates = fates.iter().map(|fate| fate.unwrap_or(Fate::Duplicate)).collect();
        let position = match batches.get(number) {
            Some(batch) if batch.count > 0 => batch.first_position + i64::from(batch.count) - 1,
            Some(_) | None => last,
        };
        told.push((*place, UsageWritten { fates, position }));
    }
    told
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some(UNIQUE_VIOLATION)
}

/// Whether the partition is closed, or not there any more.
fn is_of_closed_month(error: &sqlx::Error) -> bool {
    matches!(code(error).as_deref(), Some(TAKES_NO_RECORDS | UNDEFINED_TABLE))
}

fn code(error: &sqlx::Error) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
}

/// Splits off the records of months that take none: their fates are set, and the others are left.
fn set_archived_aside<'a>(
    rows: Vec<Row<'a>>,
    closed: &BTreeSet<Month>,
    fates: &mut [Vec<Option<Fate>>],
) -> Vec<Row<'a>> {
    if closed.is_empty() {
        return rows;
    }
    let mut open = Vec::with_capacity(rows.len());
    for row in rows {
        match Month::of(row.day).filter(|month| closed.contains(month)) {
            Some(month) => fates[row.write][row.index] = Some(Fate::Archived { month }),
            None => open.push(row),
        }
    }
    open
}

/// The writes for which a stream that they were checked against has moved, or a price was published
/// that they were not priced by. The head is locked, so the answer holds until the commit.
async fn stale(
    tx: &mut PgConnection,
    writes: &[(usize, &UsageWrite)],
) -> Result<Vec<usize>, sqlx::Error> {
    let expected = writes.iter().flat_map(|(_, write)| &write.expected);
    let mut streams: Vec<&StreamKey> = expected.map(|(stream, _)| stream).collect();
    streams.sort_unstable_by_key(|stream| (stream.aggregate_type, stream.aggregate_id.clone()));
    streams.dedup();
    let stand = sequences(tx, &streams).await?;
    let priced_upto = writes.iter().map(|(_, write)| write.prices_upto).min().unwrap_or(0);
    let newest_price: Option<i64> = sqlx::query_scalar(
        "select max(position) from log.events
         where aggregate_type = 'price_list' and position > $1",
    )
    .bind(priced_upto)
    .fetch_one(tx)
    .await?;
    let is_stale = |write: &UsageWrite| {
        let moved = |(stream, sequence): &(StreamKey, i64)| {
            stand.get(stream).copied().unwrap_or(0) != *sequence
        };
        newest_price.is_some_and(|newest| newest > write.prices_upto)
            || write.expected.iter().any(moved)
    };
    Ok(writes.iter().filter(|(_, write)| is_stale(write)).map(|(place, _)| *place).collect())
}

/// Whether another batch of these organizations was written since the records were filtered.
async fn others_wrote(
    tx: &mut PgConnection,
    writes: &[(usize, &UsageWrite)],
    filtered_at: i64,
) -> Result<bool, sqlx::Error> {
    let organizations: Vec<Uuid> =
        writes.iter().map(|(_, write)| write.organization_id.0).collect();
    sqlx::query_scalar(
        "select exists (select from log.usage_batches
                        where organization_id = any ($1) and first_position > $2)",
    )
    .bind(organizations)
    .bind(filtered_at)
    .fetch_one(tx)
    .await
}

async fn insert_batches(
    tx: &mut PgConnection,
    batches: &[Batch<'_>],
    last: i64,
    recorded_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let new: Vec<&Batch<'_>> = batches.iter().filter(|batch| batch.count > 0).collect();
    macro_rules! column {
        ($batch:ident => $value:expr) => {
            new.iter().map(|$batch| $value).collect::<Vec<_>>()
        };
    }
    sqlx::query(&format!(
        "with batches as (
             insert into log.usage_batches (first_position, batch_id, organization_id, count,
                 first_day, last_day, actor, metadata, recorded_at)
             select first_position, batch_id, organization_id, count, first_day, last_day, actor,
                 metadata::json, $9
             from unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::integer[], $5::date[],
                 $6::date[], $7::text[], $8::text[]) as b (first_position, batch_id,
                 organization_id, count, first_day, last_day, actor, metadata)
         ), head as (
             update log.head set position = $10, recorded_at = $9
         )
         select pg_notify('{NOTIFY_CHANNEL}', $10::text)"
    ))
    .bind(column!(b => b.first_position))
    .bind(column!(b => b.id))
    .bind(column!(b => b.write.organization_id.0))
    .bind(column!(b => b.count))
    .bind(column!(b => b.days.map(|(first, _)| first)))
    .bind(column!(b => b.days.map(|(_, last)| last)))
    .bind(column!(b => b.write.actor.clone()))
    .bind(column!(b => b.write.metadata.to_string()))
    .bind(recorded_at)
    .bind(last)
    .execute(tx)
    .await?;
    Ok(())
}
