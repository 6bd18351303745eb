//! Entries of the log as leaves.

use std::collections::BTreeMap;

use event_log::exact::{ExactBatch, ExactEntry, copy_records};
use proofs::{CopyError, CopyRows, EventLeaf, Frontier, Hash, UsageLeaf};
use sqlx::PgConnection;
use uuid::Uuid;

use super::unsigned;

/// The records of a batch, as they stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Records {
    /// The root over them.
    pub(super) root: Hash,
    /// How many they are, as far as they follow each other from the first on.
    pub(super) count: u64,
    /// Whether one is out of place.
    pub(super) out_of_place: bool,
}

impl Records {
    /// What is wrong with them, for a batch that says how many it has.
    pub(super) fn fault(&self, batch: &ExactBatch) -> Option<String> {
        if self.out_of_place {
            return Some(format!("record {} is missing, or there twice", self.count));
        }
        let (found, said) = (self.count, unsigned(batch.count));
        (found != said).then(|| format!("{found} records are there, and it says {said}"))
    }
}

/// The records of batches.
#[derive(Default)]
struct Reading {
    rows: CopyRows,
    at: Option<Uuid>,
    tree: Frontier,
    out_of_place: bool,
    found: BTreeMap<Uuid, Records>,
}

impl Reading {
    fn take(&mut self, piece: &[u8]) -> Result<(), CopyError> {
        self.rows.push(piece);
        loop {
            let Some((place, row)) = self.rows.next_row()? else { return Ok(()) };
            if self.at != Some(place.batch_id) {
                let before = self.at.replace(place.batch_id);
                let records = Records {
                    root: self.tree.root(),
                    count: self.tree.size(),
                    out_of_place: std::mem::take(&mut self.out_of_place),
                };
                self.tree = Frontier::default();
                self.found.extend(before.map(|batch_id| (batch_id, records)));
            }
            self.out_of_place |= u64::try_from(place.ordinal) != Ok(self.tree.size());
            if !self.out_of_place {
                self.tree.push(Hash::leaf(row));
            }
        }
    }

    fn end(mut self) -> BTreeMap<Uuid, Records> {
        let records = Records {
            root: self.tree.root(),
            count: self.tree.size(),
            out_of_place: self.out_of_place,
        };
        self.found.extend(self.at.map(|batch_id| (batch_id, records)));
        self.found
    }
}

/// Why records could not be read.
enum CopyFailed {
    Sqlx(sqlx::Error),
    Copy(CopyError),
}

impl From<sqlx::Error> for CopyFailed {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlx(error)
    }
}

/// The records of these batches; a batch that has none is left out.
pub(super) async fn records_of(
    connection: &mut PgConnection,
    batches: &[&ExactBatch],
) -> Result<BTreeMap<Uuid, Records>, sqlx::Error> {
    let mut reading = Reading::default();
    let take = |piece: &[u8]| reading.take(piece).map_err(CopyFailed::Copy);
    match copy_records(connection, batches, take).await {
        Ok(()) => Ok(reading.end()),
        Err(CopyFailed::Sqlx(error)) => Err(error),
        Err(CopyFailed::Copy(error)) => Err(sqlx::Error::Decode(Box::new(error))),
    }
}

/// The batches among entries.
pub(super) fn batches_of<'a>(
    entries: impl IntoIterator<Item = &'a ExactEntry>,
) -> Vec<&'a ExactBatch> {
    let batch = |entry: &'a ExactEntry| match entry {
        ExactEntry::Event(_) => None,
        ExactEntry::Batch(batch) => Some(batch),
    };
    entries.into_iter().filter_map(batch).collect()
}

/// The hash of an entry as that leaf of its organization's tree. `records` is the root over a batch's.
pub(super) fn leaf_of(entry: &ExactEntry, number: u64, records: Hash) -> Hash {
    match entry {
        ExactEntry::Event(event) => EventLeaf {
            organization_id: event.organization_id,
            number,
            position: unsigned(event.position),
            event_id: event.event_id,
            aggregate_type: &event.aggregate_type,
            aggregate_id: &event.aggregate_id,
            sequence: unsigned(event.sequence),
            event_type: &event.event_type,
            event_version: &event.event_version,
            occurred_at: event.occurred_at,
            recorded_at: event.recorded_at,
            payload: &event.payload,
            metadata: &event.metadata,
        }
        .hash(),
        ExactEntry::Batch(batch) => UsageLeaf {
            organization_id: batch.organization_id,
            number,
            first_position: unsigned(batch.first_position),
            count: unsigned(batch.count),
            batch_id: batch.batch_id,
            first_day: batch.first_day,
            last_day: batch.last_day,
            recorded_at: batch.recorded_at,
            actor: &batch.actor,
            metadata: &batch.metadata,
            records,
        }
        .hash(),
    }
}
