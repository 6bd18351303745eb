//! Evidence: an organization's part of the log, with its proofs, in a file of its own.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use event_log::exact::{ExactBatch, ExactEntry, copy_records, read_exact_at};
use event_log::usage::exact_corrections;
use proofs::bundle::{
    BundleWriter, EARLIER_MAX, Earlier, EventLine, Line, Manifest, RecordPlace, UsageLine,
};
use proofs::{
    COPY_HEADER, COPY_TRAILER, Checkpoint, CopyRows, Hash, Span, Tiles, TreeEdge, VerifyingKey,
    consistency_spans, inclusion_spans, resolve,
};
use serde_json::value::RawValue;
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::error::SealError;
use super::leaves::{batches_of, records_of};
use super::read::{HEAD_COLUMNS, head_proof, log_nodes, placed_head, subtrees};
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

/// Which evidence.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Whose; the nil id for what belongs to no organization.
    pub organization_id: Uuid,
    /// Which leaves.
    pub range: Range,
    /// Of the batch that it is in, the usage record at this position alone, whatever the range.
    pub record: Option<i64>,
    /// The sizes of checkpoints that somebody kept: the bundle is to show that the log begins with what
    /// it was then.
    pub kept: &'a [u64],
    /// The keys that are named in its README.
    pub keys: &'a [VerifyingKey],
    /// The schemas of events, by their files' names.
    pub schemas: &'a [(String, String)],
}

impl Wanted<'_> {
    /// All of an organization's.
    pub fn of(organization_id: Uuid) -> Self {
        let range = Range::default();
        Self { organization_id, range, record: None, kept: &[], keys: &[], schemas: &[] }
    }
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
    /// How many leaves the log's own tree has, under the checkpoint of the bundle.
    pub log_size: u64,
    /// Of which sizes it shows what the log was then: the log's roots.
    pub continued: Vec<(u64, Hash)>,
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
    /// A record's entry is not under a checkpoint.
    #[error("the entry at position {0} is not sealed yet")]
    RecordNotSealed(i64),
    /// A record cannot be proven where others of its batch are not there.
    #[error(
        "of the batch at position {0}, not all records are here: they were archived (`orgledger usage \
         restore` puts them back), or taken out; `orgledger verify` says more"
    )]
    RecordsMissing(i64),
}

/// Writes a bundle of what an organization's tree holds, of one moment.
pub async fn export<W: Write>(
    log: &PgPool,
    wanted: Wanted<'_>,
    out: W,
) -> Result<Exported, ExportError> {
    let Wanted { organization_id, range, .. } = wanted;
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
    let record = match wanted.record {
        Some(position) => Some(leaves.record(&mut tx, position, size).await?),
        None => None,
    };
    let (first, end) = match &record {
        Some(record) => (record.number, record.number + 1),
        None => leaves.span(&mut tx, range, size).await?,
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
        record: record.as_ref().map(|record| record.place.clone()),
    };
    let top = head_proof(&mut tx, &head, true).await?;
    let checkpoint = Checkpoint::parse(&top.checkpoint.text).map_err(|_| ExportError::NotSealed)?;
    let mut writer = BundleWriter::new(out, &manifest, &top, wanted.keys)?;
    let mut continued = Vec::new();
    for size in kept_before(wanted.kept, checkpoint.size) {
        let earlier = earlier(&mut tx, size, checkpoint.size).await?;
        writer.earlier(&earlier)?;
        continued.push((size, earlier.root));
    }
    for (name, text) in wanted.schemas {
        writer.schema(name, text)?;
    }
    match &record {
        Some(record) => writer.part(&record.line, &record.row, None)?,
        None => {
            let mut number = first;
            while number < end {
                number = leaves.part(&mut tx, &mut writer, number, end).await?;
            }
        }
    }
    writer.finish()?;
    let (sealed_at, log_size) = (head.leaf.sealed_at, checkpoint.size);
    Ok(Exported { first, end, size, sealed_at, log_size, continued })
}

/// The sizes below that of a checkpoint, each once; where they are too many, the newest.
fn kept_before(kept: &[u64], size: u64) -> Vec<u64> {
    let mut sizes: Vec<u64> = kept.iter().copied().filter(|one| *one > 0 && *one < size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes.split_off(sizes.len().saturating_sub(EARLIER_MAX))
}

/// That the log's tree of one size begins with that of an earlier one.
async fn earlier(tx: &mut PgConnection, old: u64, new: u64) -> Result<Earlier, SealError> {
    let spans = consistency_spans(old, new).unwrap_or_default();
    let path = log_nodes(tx, &spans).await?;
    let root = log_nodes(tx, &[Span { start: 0, end: old }]).await?;
    let root = root.first().copied().unwrap_or_else(Hash::of_nothing);
    Ok(Earlier { size: old, root, path })
}

/// A record that is proven by itself.
struct ProvenRecord {
    /// Its batch's leaf.
    number: u64,
    place: RecordPlace,
    /// The leaf's line.
    line: Vec<u8>,
    row: Vec<u8>,
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

    /// The leaves of a range: the first, and the one after the last.
    async fn span(
        &mut self,
        tx: &mut PgConnection,
        range: Range,
        size: u64,
    ) -> Result<(u64, u64), ExportError> {
        let first = match range.from {
            Some(from) => self.recorded_before(tx, from, size).await?,
            None => 0,
        };
        let end = match range.to {
            Some(to) => self.recorded_before(tx, to, size).await?.max(first),
            None => size,
        };
        Ok((first, end))
    }

    /// The usage record at a position, with its place in its batch.
    async fn record(
        &mut self,
        tx: &mut PgConnection,
        position: i64,
        size: u64,
    ) -> Result<ProvenRecord, ExportError> {
        let not_sealed = || ExportError::RecordNotSealed(position);
        let index: Option<i64> = sqlx::query_scalar(
            "select index from seal.tiles
             where organization_id = $1 and level = 0 and positions[1] <= $2
             order by positions[1] desc limit 1",
        )
        .bind(self.organization_id)
        .bind(position)
        .fetch_optional(&mut *tx)
        .await?;
        let start = unsigned(index.ok_or_else(not_sealed)?) * proofs::TILE_HASHES;
        let (_, hashes, positions) = self.tile(tx, start).await?;
        let place = positions.partition_point(|first| *first <= position).saturating_sub(1);
        let (Some(first), Some(hash)) = (positions.get(place), hashes.get(place).copied()) else {
            return Err(not_sealed());
        };
        let (first, number) = (*first, start + place as u64);
        let entry = read_exact_at(tx, &[first]).await?.pop().ok_or(ExportError::NotOurs(first))?;
        let ExactEntry::Batch(batch) = &entry else { return Err(ExportError::NotOurs(position)) };
        if number >= size || entry.last_position() < position {
            return Err(not_sealed());
        }
        let ordinal = unsigned(position - first);
        let rows = rows_of(tx, batch).await?;
        let (path, row) = proven(&rows, batch, ordinal)?;
        let mut line = Vec::new();
        let root = root_of(tx, &entry).await?;
        write_line(&mut line, &entry, number, hash, root)?;
        let place = RecordPlace { ordinal, path: Manifest::texts(&path) };
        Ok(ProvenRecord { number, place, line, row })
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

/// A row out of those of a batch, and its path to the root over them.
fn proven(
    rows: &[u8],
    batch: &ExactBatch,
    ordinal: u64,
) -> Result<(Vec<Hash>, Vec<u8>), ExportError> {
    let missing = || ExportError::RecordsMissing(batch.first_position);
    let mut cut = CopyRows::default();
    cut.push(&COPY_HEADER);
    cut.push(rows);
    let (mut edge, mut found) = (TreeEdge::default(), None);
    while let Some((_, row)) = cut.next_row().map_err(|_| missing())? {
        if edge.size() == ordinal {
            found = Some(row.to_vec());
        }
        edge.push(Hash::leaf(row));
    }
    if edge.size() != unsigned(batch.count) {
        return Err(missing());
    }
    let mut tiles = Tiles::default();
    edge.take_changed().into_iter().for_each(|tile| tiles.insert(tile));
    let path = inclusion_spans(ordinal, edge.size()).and_then(|spans| resolve(&spans, &tiles));
    path.zip(found).ok_or_else(missing)
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
