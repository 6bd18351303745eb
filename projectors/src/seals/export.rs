//! Evidence: an organization's part of the log, with its proofs, in a file of its own.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use event_log::exact::{ExactBatch, ExactEntry, copy_records, read_exact_at};
use event_log::usage::exact_corrections;
use proofs::bundle::{BundleWriter, EventLine, Line, Manifest, UsageLine};
use proofs::{COPY_HEADER, COPY_TRAILER, Hash, Span, VerifyingKey};
use serde_json::value::RawValue;
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::error::SealError;
use super::leaves::{batches_of, records_of};
use super::read::{HEAD_COLUMNS, head_proof, placed_head, subtrees};
use super::sound::corrects;
use super::trees::parted;
use super::{signed, unsigned};

/// Which leaves, by when the log learned of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    /// From then on.
    pub from: Option<DateTime<Utc>>,
    /// Until before then.
    pub to: Option<DateTime<Utc>>,
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The first leaf.
    pub first: u64,
    /// The leaf after the last.
    pub end: u64,
    /// How many leaves the organization's tree has.
    pub size: u64,
    /// When that was sealed.
    pub sealed_at: DateTime<Utc>,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// What was sealed cannot be read.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database failed.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    /// The file cannot be written.
    #[error("the file cannot be written: {0}")]
    Write(#[from] std::io::Error),
    /// Nothing of the organization is sealed.
    #[error("nothing of this organization is sealed yet")]
    NotSealed,
    /// An entry cannot be evidence.
    #[error(
        "the entry at position {0} is missing, or is nothing that orgledger writes: it was taken out or \
         changed; `orgledger verify` says more"
    )]
    NotOurs(i64),
}

/// Writes a bundle of what an organization's tree holds, of one moment. `keys` are named in its README.
pub async fn export<W: Write>(
    log: &PgPool,
    organization_id: Uuid,
    range: Range,
    keys: &[VerifyingKey],
    schemas: &[(String, String)],
    out: W,
) -> Result<Exported, ExportError> {
    let mut tx = log.begin_with("begin isolation level repeatable read read only").await?;
    let row = sqlx::query(&format!(
        "select o.salt, s.origin, {} from seal.organizations o, seal.state s, seal.heads h
         where o.organization_id = $1 and h.index = o.head_index",
        HEAD_COLUMNS.split(", ").map(|column| format!("h.{column}")).collect::<Vec<_>>().join(", ")
    ))
    .bind(organization_id)
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(ExportError::NotSealed)?;
    let salt: Vec<u8> = row.get("salt");
    let head = placed_head(&row, &salt, organization_id);
    let size = head.leaf.size;
    let mut leaves = Leaves { organization_id, salt, tile: None };
    let first = match range.from {
        Some(from) => leaves.recorded_before(&mut tx, from, size).await?,
        None => 0,
    };
    let end = match range.to {
        Some(to) => leaves.recorded_before(&mut tx, to, size).await?.max(first),
        None => size,
    };
    let before = subtrees(&mut tx, organization_id, Span { start: 0, end: first }).await?;
    let after = subtrees(&mut tx, organization_id, Span { start: end, end: size }).await?;
    let manifest = Manifest {
        format: Manifest::FORMAT.to_owned(),
        origin: row.get::<Option<String>, _>("origin").unwrap_or_default(),
        organization_id,
        salt: STANDARD.encode(&leaves.salt),
        size,
        first,
        end,
        before: Manifest::texts(&before),
        after: Manifest::texts(&after),
    };
    let top = head_proof(&mut tx, &head, true).await?;
    let mut writer = BundleWriter::new(out, &manifest, &top, keys)?;
    for (name, text) in schemas {
        writer.schema(name, text)?;
    }
    let mut number = first;
    while number < end {
        number = leaves.part(&mut tx, &mut writer, number, end).await?;
    }
    writer.finish()?;
    Ok(Exported { first, end, size, sealed_at: head.leaf.sealed_at })
}

/// The most records that a part holds, and with them the memory that it takes.
const PART_RECORDS_MAX: i64 = 100_000;

/// The leaves of an organization, by their number.
struct Leaves {
    organization_id: Uuid,
    salt: Vec<u8>,
    /// The last tile that was read: its index, hashes and positions.
    tile: Option<(u64, Vec<Hash>, Vec<i64>)>,
}

impl Leaves {
    /// The tile of leaves that has a leaf.
    async fn tile(
        &mut self,
        tx: &mut PgConnection,
        number: u64,
    ) -> Result<&(u64, Vec<Hash>, Vec<i64>), ExportError> {
        let index = number / proofs::TILE_HASHES;
        if self.tile.as_ref().is_none_or(|(at, _, _)| *at != index) {
            let row = sqlx::query(
                "select hashes, positions from seal.tiles
                 where organization_id = $1 and level = 0 and index = $2",
            )
            .bind(self.organization_id)
            .bind(signed(index))
            .fetch_one(&mut *tx)
            .await?;
            let positions = row.get::<Option<Vec<i64>>, _>(1).unwrap_or_default();
            self.tile = Some((index, parted(row.get(0)), positions));
        }
        self.tile.as_ref().ok_or(ExportError::NotSealed)
    }

    /// How many leaves the log had learned of before a time: they are in the order in which it did.
    async fn recorded_before(
        &mut self,
        tx: &mut PgConnection,
        time: DateTime<Utc>,
        size: u64,
    ) -> Result<u64, ExportError> {
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low.midpoint(high);
            let (_, _, positions) = self.tile(tx, middle).await?;
            let place = usize::try_from(middle % proofs::TILE_HASHES).unwrap_or_default();
            let position = positions.get(place).copied().unwrap_or_default();
            let found = read_exact_at(tx, &[position]).await?;
            let recorded_at = found.first().map(ExactEntry::recorded_at);
            if recorded_at.ok_or(ExportError::NotOurs(position))? < time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Writes a part that begins with a leaf; the leaf after it. A part is of some tiles of leaves, of
    /// fewer where they have many records.
    async fn part<W: Write>(
        &mut self,
        tx: &mut PgConnection,
        writer: &mut BundleWriter<W>,
        start: u64,
        end: u64,
    ) -> Result<u64, ExportError> {
        let (mut lines, mut rows, mut corrections) = (Vec::new(), Vec::new(), String::new());
        let mut records = 0;
        let mut number = start;
        while number < end
            && number - start < 16 * proofs::TILE_HASHES
            && records < PART_RECORDS_MAX
        {
            let (index, hashes, positions) = self.tile(tx, number).await?.clone();
            let from = usize::try_from(number % proofs::TILE_HASHES).unwrap_or_default();
            let upto = usize::try_from(end - index * proofs::TILE_HASHES).unwrap_or(usize::MAX);
            let upto = upto.min(positions.len()).min(hashes.len());
            let entries = read_exact_at(tx, &positions[from..upto]).await?;
            for position in &positions[from..upto] {
                let place = entries.binary_search_by_key(position, ExactEntry::first_position);
                let entry = place.ok().map(|place| &entries[place]);
                let entry = entry.ok_or(ExportError::NotOurs(*position))?;
                let place = usize::try_from(number % proofs::TILE_HASHES).unwrap_or_default();
                if let ExactEntry::Batch(batch) = entry {
                    if records > 0 && records + batch.count > PART_RECORDS_MAX {
                        records = PART_RECORDS_MAX;
                        break;
                    }
                    records += batch.count;
                    rows.append(&mut rows_of(tx, batch).await?);
                }
                if let ExactEntry::Event(event) = entry
                    && corrects(event)
                {
                    let found = exact_corrections(tx, event.position).await?;
                    corrections.push_str(&found.lines);
                    records += found.count;
                }
                let root = root_of(tx, entry).await?;
                write_line(&mut lines, entry, number, hashes[place], root)?;
                number += 1;
            }
        }
        let sealed = self.last_head(tx, start, number).await?;
        writer.part(&lines, &rows, sealed.as_ref())?;
        if !corrections.is_empty() {
            writer.corrections(corrections.as_bytes())?;
        }
        Ok(number)
    }

    /// Where the tree was sealed last within a part, as a proof.
    async fn last_head(
        &self,
        tx: &mut PgConnection,
        start: u64,
        end: u64,
    ) -> Result<Option<proofs::Proof>, ExportError> {
        let row = sqlx::query(&format!(
            "select {HEAD_COLUMNS} from seal.heads
             where organization_id = $1 and size > $2 and size <= $3 order by size desc limit 1"
        ))
        .bind(self.organization_id)
        .bind(signed(start))
        .bind(signed(end))
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let head = placed_head(&row, &self.salt, self.organization_id);
        Ok(Some(head_proof(tx, &head, false).await?))
    }
}

/// The rows of a batch, without header and trailer.
async fn rows_of(tx: &mut PgConnection, batch: &ExactBatch) -> Result<Vec<u8>, ExportError> {
    let mut file = Vec::new();
    copy_records::<sqlx::Error>(tx, &[batch], |piece| {
        file.extend_from_slice(piece);
        Ok(())
    })
    .await?;
    let rows =
        file.strip_prefix(&COPY_HEADER[..]).and_then(|rows| rows.strip_suffix(&COPY_TRAILER[..]));
    Ok(rows.ok_or(ExportError::NotOurs(batch.first_position))?.to_vec())
}

async fn root_of(tx: &mut PgConnection, entry: &ExactEntry) -> Result<Hash, ExportError> {
    let batches = batches_of([entry]);
    let found = records_of(tx, &batches).await?;
    Ok(found.values().next().map_or_else(Hash::of_nothing, |records| records.root))
}

fn write_line(
    lines: &mut Vec<u8>,
    entry: &ExactEntry,
    number: u64,
    leaf: Hash,
    records: Hash,
) -> Result<(), ExportError> {
    let raw = |text: &str| {
        // A line has one entry: what orgledger writes has no line breaks.
        let whole =
            RawValue::from_string(text.to_owned()).ok().filter(|_| !text.contains(['\n', '\r']));
        whole.filter(|raw| raw.get() == text).ok_or(ExportError::NotOurs(entry.first_position()))
    };
    let (leaf, records) = (leaf.to_string(), records.to_string());
    match entry {
        ExactEntry::Event(event) => {
            let (metadata, payload) = (raw(&event.metadata)?, raw(&event.payload)?);
            let line = Line::Event(EventLine {
                number,
                position: unsigned(event.position),
                event_id: event.event_id,
                aggregate_type: (&*event.aggregate_type).into(),
                aggregate_id: (&*event.aggregate_id).into(),
                sequence: unsigned(event.sequence),
                event_type: (&*event.event_type).into(),
                event_version: (&*event.event_version).into(),
                occurred_at: event.occurred_at,
                recorded_at: event.recorded_at,
                leaf: leaf.into(),
                metadata: &metadata,
                payload: &payload,
            });
            serde_json::to_writer(&mut *lines, &line).map_err(std::io::Error::from)?;
        }
        ExactEntry::Batch(batch) => {
            let metadata = raw(&batch.metadata)?;
            let line = Line::Usage(UsageLine {
                number,
                first_position: unsigned(batch.first_position),
                count: unsigned(batch.count),
                batch_id: batch.batch_id,
                first_day: batch.first_day,
                last_day: batch.last_day,
                recorded_at: batch.recorded_at,
                actor: (&*batch.actor).into(),
                records: records.into(),
                leaf: leaf.into(),
                metadata: &metadata,
            });
            serde_json::to_writer(&mut *lines, &line).map_err(std::io::Error::from)?;
        }
    }
    lines.push(b'\n');
    Ok(())
}
