//! Entries exactly as they are stored: what seals, evidence and verification are made of. Nothing is
//! parsed, brought to a newer version or opened.

use chrono::{DateTime, NaiveDate, Utc};
use futures::TryStreamExt as _;
use proofs::Hash;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use crate::read::ReadError;

/// How many usage records one page may span; a single batch is taken whole.
const PAGE_RECORDS_MAX: i64 = 50_000;

/// How many entries of each lane one page has at most.
pub const PAGE_ENTRIES_MAX: i64 = 5_000;

/// The columns of a usage record that its leaf covers, in the order of its row. A record's hash is made
/// of these, so this list never changes: a column that comes later needs a version of the leaf.
pub const RECORD_COLUMNS: &str = "batch_id, ordinal, organization_id, project_id, api_key_id, member_id, \
    service_account_id, end_user, feature, provider, model, request_id, occurred_at, \
    occurred_day, request_key, content_key, input_tokens, cached_input_tokens, \
    cache_write_tokens, output_tokens, reasoning_tokens, price_version, cost_pico, currency, tags, \
    units, service_tier, error_type, duration_ms";

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactEvent {
    /// Its position in the log.
    pub position: i64,
    /// The event.
    pub event_id: Uuid,
    /// Whose; the nil id where it belongs to no organization.
    pub organization_id: Uuid,
    /// Its stream's type.
    pub aggregate_type: String,
    /// Its stream's id.
    pub aggregate_id: String,
    /// Its place in its stream.
    pub sequence: i64,
    /// Its type.
    pub event_type: String,
    /// Its version.
    pub event_version: String,
    /// The payload's text.
    pub payload: String,
    /// The metadata's text.
    pub metadata: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When the log learned of it.
    pub recorded_at: DateTime<Utc>,
}

/// A batch of usage records as it is stored, without its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactBatch {
    /// The position of its first record.
    pub first_position: i64,
    /// The batch.
    pub batch_id: Uuid,
    /// Whose.
    pub organization_id: Uuid,
    /// How many records.
    pub count: i64,
    /// The earliest day of its records.
    pub first_day: NaiveDate,
    /// The latest.
    pub last_day: NaiveDate,
    /// Who sent them.
    pub actor: String,
    /// The metadata's text.
    pub metadata: String,
    /// When the log learned of them.
    pub recorded_at: DateTime<Utc>,
    /// The root over its records, as they were written; none of a batch from before it was kept.
    pub records_root: Option<Hash>,
}

/// What stands in the log at once: an event, or a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExactEntry {
    /// An event.
    Event(ExactEvent),
    /// A batch of usage records.
    Batch(ExactBatch),
}

impl ExactEntry {
    /// The position of the first thing in it.
    pub fn first_position(&self) -> i64 {
        match self {
            Self::Event(event) => event.position,
            Self::Batch(batch) => batch.first_position,
        }
    }

    /// The position of the last.
    pub fn last_position(&self) -> i64 {
        match self {
            Self::Event(event) => event.position,
            Self::Batch(batch) => batch.first_position + batch.count - 1,
        }
    }

    /// Whose; the nil id where it belongs to no organization.
    pub fn organization_id(&self) -> Uuid {
        match self {
            Self::Event(event) => event.organization_id,
            Self::Batch(batch) => batch.organization_id,
        }
    }

    /// When the log learned of it.
    pub fn recorded_at(&self) -> DateTime<Utc> {
        match self {
            Self::Event(event) => event.recorded_at,
            Self::Batch(batch) => batch.recorded_at,
        }
    }

    /// What it is called by: its type and id.
    pub fn name(&self) -> String {
        match self {
            Self::Event(event) => format!("{} {}", event.event_type, event.event_id),
            Self::Batch(batch) => format!("usage batch {}", batch.batch_id),
        }
    }
}

/// What stands after one position and up to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExactPage {
    /// The entries, in order of position.
    pub entries: Vec<ExactEntry>,
    /// The position up to which the page reaches; the one it was read after, where it is empty.
    pub upto: i64,
}

const EVENTS: &str =
    "select position, event_id, organization_id, aggregate_type, aggregate_id, sequence,
        event_type, event_version, payload::text, metadata::text, occurred_at, recorded_at
    from log.events";

const BATCHES: &str =
    "select first_position, batch_id, organization_id, count::bigint, first_day, last_day,
        actor, metadata::text, recorded_at, records_root
    from log.usage_batches";

/// Reads what follows `after`, up to `head` at most, which the log's head has reached.
pub async fn read_exact(
    connection: &mut PgConnection,
    after: i64,
    head: i64,
) -> Result<ExactPage, ReadError> {
    if head <= after {
        return Ok(ExactPage { entries: Vec::new(), upto: after });
    }
    let range = "where {} > $1 and {} <= $2 order by {} limit $3";
    let events = format!("{EVENTS} {}", range.replace("{}", "position"));
    let batches = format!("{BATCHES} {}", range.replace("{}", "first_position"));
    let ask = |statement| sqlx::query(statement).bind(after).bind(head).bind(PAGE_ENTRIES_MAX);
    let events = ask(&events).fetch_all(&mut *connection).await?;
    let batches = ask(&batches).fetch_all(&mut *connection).await?;
    let mut upto = head;
    let full = |rows: &[PgRow]| i64::try_from(rows.len()) == Ok(PAGE_ENTRIES_MAX);
    let mut entries: Vec<ExactEntry> = events.iter().map(event).collect();
    if full(&events) {
        upto = entries.last().map_or(after, ExactEntry::last_position);
    }
    let runs: Vec<ExactEntry> = batches.iter().map(batch).collect();
    if full(&batches) {
        upto = upto.min(runs.last().map_or(after, ExactEntry::last_position));
    }
    let mut records = 0;
    for (number, run) in runs.iter().enumerate() {
        records += run.last_position() - run.first_position() + 1;
        if records > PAGE_RECORDS_MAX && number > 0 {
            upto = upto.min(run.first_position() - 1);
            break;
        }
    }
    entries.extend(runs);
    // A batch is never split: where the page ends within one, it ends before it.
    entries.retain(|entry| entry.first_position() <= upto);
    entries.sort_unstable_by_key(ExactEntry::first_position);
    if let Some(last) = entries.last() {
        upto = upto.max(last.last_position());
    }
    let found = entries.iter().map(|one| one.last_position() - one.first_position() + 1).sum();
    if found != upto - after {
        return Err(ReadError::Hole { after, upto, found });
    }
    Ok(ExactPage { entries, upto })
}

/// The entries that begin at these positions, in order; those that are not there are left out.
pub async fn read_exact_at(
    connection: &mut PgConnection,
    first_positions: &[i64],
) -> Result<Vec<ExactEntry>, sqlx::Error> {
    let events = format!("{EVENTS} where position = any($1)");
    let batches = format!("{BATCHES} where first_position = any($1)");
    let events = sqlx::query(&events).bind(first_positions).fetch_all(&mut *connection).await?;
    let batches = sqlx::query(&batches).bind(first_positions).fetch_all(&mut *connection).await?;
    let mut entries: Vec<ExactEntry> = events.iter().map(event).collect();
    entries.extend(batches.iter().map(batch));
    entries.sort_unstable_by_key(ExactEntry::first_position);
    Ok(entries)
}

fn event(row: &PgRow) -> ExactEntry {
    ExactEntry::Event(ExactEvent {
        position: row.get(0),
        event_id: row.get(1),
        organization_id: row.get::<Option<Uuid>, _>(2).unwrap_or_default(),
        aggregate_type: row.get(3),
        aggregate_id: row.get(4),
        sequence: row.get(5),
        event_type: row.get(6),
        event_version: row.get(7),
        payload: row.get(8),
        metadata: row.get(9),
        occurred_at: row.get(10),
        recorded_at: row.get(11),
    })
}

fn batch(row: &PgRow) -> ExactEntry {
    ExactEntry::Batch(ExactBatch {
        first_position: row.get(0),
        batch_id: row.get(1),
        organization_id: row.get(2),
        count: row.get(3),
        first_day: row.get(4),
        last_day: row.get(5),
        actor: row.get(6),
        metadata: row.get(7),
        recorded_at: row.get(8),
        records_root: row.get::<Option<&[u8]>, _>(9).and_then(Hash::from_slice),
    })
}

/// Gives the records of batches to `take`, piece by piece, in Postgres's binary COPY format: ordered by
/// the batch's id, and within it as they stand there.
pub async fn copy_records<E: From<sqlx::Error>>(
    connection: &mut PgConnection,
    batches: &[&ExactBatch],
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (Some(first), Some(last)) =
        (batches.iter().map(|b| b.first_day).min(), batches.iter().map(|b| b.last_day).max())
    else {
        return Ok(());
    };
    // COPY takes no parameters; ids and dates need no quoting.
    let ids: Vec<String> = batches.iter().map(|batch| batch.batch_id.to_string()).collect();
    let statement = format!(
        "copy (select {RECORD_COLUMNS} from log.usage_records
               where batch_id = any ('{{{}}}') and occurred_day between '{first}' and '{last}'
               order by batch_id, ordinal) to stdout (format binary)",
        ids.join(",")
    );
    let mut pieces = connection.copy_out_raw(&statement).await?;
    let mut refused = None;
    // To the end in any case: a connection that is left within a copy is of no use.
    while let Some(piece) = pieces.try_next().await? {
        if refused.is_none() {
            refused = take(&piece).err();
        }
    }
    refused.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::RECORD_COLUMNS;

    /// What is written is what is sealed. A column that is added is not sealed until leaves have a
    /// version for it.
    #[test]
    fn a_leaf_covers_every_column_of_a_record() {
        let written = crate::usage::COLUMNS;
        let one_by_one = |list: &str| list.split(", ").map(str::trim).collect::<Vec<_>>().join(",");
        assert_eq!(one_by_one(RECORD_COLUMNS), one_by_one(written));
    }
}
