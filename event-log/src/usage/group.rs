//! One transaction of the usage lane: the writes of some senders, each a batch of its own.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use event_schemas::Month;
use proofs::{Frontier, Hash};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::known::{Look, any_elsewhere, filter_known};
use super::months::{TAKES_NO_RECORDS, UNDEFINED_TABLE};
use super::{Fate, Keys, Row, UsageWrite, UsageWritten, copy};
use crate::append::{StreamKey, new_event_id};
use crate::appender::report_position;

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
    /// The tree over its records, as they were encoded.
    records: Frontier,
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
        match copy_all(&mut tx, &mut batches, &rows, &places).await {
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
        let mut placed = place(&mut tx, &writes, &batches, Some(filtered_at)).await?;
        let stale = placed.stale(&writes);
        if !stale.is_empty() {
            tx.rollback().await?;
            return Ok(Tried::Stale(stale));
        }
        if placed.others_wrote {
            // The unique key is by day. A request sent twice around midnight is found here: all that has
            // committed is visible now, and nobody else can commit.
            let batch_ids: Vec<Uuid> = batches.iter().map(|batch| batch.id).collect();
            if any_elsewhere(&mut tx, &rows, &batch_ids).await? {
                tx.rollback().await?;
                return Ok(Tried::Overtaken);
            }
            placed = place(&mut tx, &writes, &batches, None).await?;
        }
        let last = give_positions(&mut batches, placed.stood_at);
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
        records: Frontier::default(),
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

/// Rows are in order of their days: one `COPY` a month. Each batch's tree grows by its records.
async fn copy_all(
    tx: &mut PgConnection,
    batches: &mut [Batch<'_>],
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
        let hash = |row: &Row<'_>, bytes: &[u8]| batches[row.write].records.push(Hash::leaf(bytes));
        let data =
            copy::encode(rows, places, hash).map_err(|e| sqlx::Error::Encode(Box::new(e)))?;
        copy::copy_month(tx, rows[0].day, data).await?;
    }
    Ok(())
}

async fn head(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select position from log.head").fetch_one(connection).await
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

/// How the end of a group's transaction found the log, which nobody else moves until it ends.
struct Placed {
    /// Where the head stood.
    stood_at: i64,
    /// The streams that are not where they were when writes were checked, with where they were.
    moved: Vec<(StreamKey, i64)>,
    /// A price list that is newer than those that some write was priced by.
    newer_price: Option<i64>,
    /// Whether one of the organizations has usage that was not there when the records were filtered.
    others_wrote: bool,
}

impl Placed {
    /// The writes for which a stream that they were checked against has moved, or a price was published
    /// that they were not priced by.
    fn stale(&self, writes: &[(usize, &UsageWrite)]) -> Vec<usize> {
        let is_stale = |write: &UsageWrite| {
            self.newer_price.is_some_and(|newest| newest > write.prices_upto)
                || write.expected.iter().any(|expected| self.moved.contains(expected))
        };
        writes.iter().filter(|(_, write)| is_stale(write)).map(|(place, _)| *place).collect()
    }
}

/// Locks the head and gives the batches their positions, where nothing has moved that they depend on.
async fn place(
    tx: &mut PgConnection,
    writes: &[(usize, &UsageWrite)],
    batches: &[Batch<'_>],
    filtered_at: Option<i64>,
) -> Result<Placed, sqlx::Error> {
    let expected: BTreeSet<&(StreamKey, i64)> =
        writes.iter().flat_map(|(_, write)| &write.expected).collect();
    let expected: Vec<&(StreamKey, i64)> = expected.into_iter().collect();
    let new: Vec<&Batch<'_>> = batches.iter().filter(|batch| batch.count > 0).collect();
    macro_rules! column {
        ($all:ident, $one:ident => $value:expr) => {
            $all.iter().map(|$one| $value).collect::<Vec<_>>()
        };
    }
    let row = sqlx::query(
        "select stood_at, moved, newer_price, others_wrote
         from log.place_usage($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(column!(expected, e => e.0.aggregate_type))
    .bind(column!(expected, e => e.0.aggregate_id.to_string()))
    .bind(column!(expected, e => e.1))
    .bind(writes.iter().map(|(_, write)| write.prices_upto).min().unwrap_or(0))
    .bind(filtered_at)
    .bind(column!(new, b => b.id))
    .bind(column!(new, b => b.write.organization_id.0))
    .bind(column!(new, b => b.count))
    .bind(column!(new, b => b.days.map(|(first, _)| first)))
    .bind(column!(new, b => b.days.map(|(_, last)| last)))
    .bind(column!(new, b => b.write.actor.clone()))
    .bind(column!(new, b => b.write.metadata.to_string()))
    .bind(column!(new, b => b.records.root().0.to_vec()))
    .fetch_one(tx)
    .await?;
    let moved = row.try_get::<Option<Vec<i64>>, _>(1)?.unwrap_or_default().into_iter();
    let moved = moved.filter_map(|number| expected.get(usize::try_from(number - 1).ok()?));
    Ok(Placed {
        stood_at: row.try_get(0)?,
        moved: moved.map(|expected| (*expected).clone()).collect(),
        newer_price: row.try_get(2)?,
        others_wrote: row.try_get(3)?,
    })
}
