//! What was sealed before must be what stands there now, or nothing more is signed.

use std::collections::BTreeMap;

use event_log::exact::{ExactBatch, ExactEntry, read_exact_at};
use event_log::usage::archived_months;
use proofs::Hash;
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::error::SealError;
use super::leaves::{batches_of, leaf_of, records_of};
use super::sound::corrections_fault;
use super::trees::{OrganizationTree, parted};
use super::unsigned;

/// How many usage records are read again at a time, so that looking back never holds up sealing.
const RECORDS_MAX: i64 = 20_000;

/// How many organizations are looked at when sealing begins: those that changed last.
const RECENT_MAX: i64 = 64;

/// The row of `seal.state`, locked.
pub(super) struct State {
    /// Every entry up to here is a leaf.
    pub(super) position: i64,
    /// How many leaves the log's tree has.
    pub(super) size: u64,
    /// The name of its keys.
    pub(super) origin: String,
}

/// Waits to be the one that seals, until the transaction ends.
pub(super) async fn lock_state(tx: &mut PgConnection, origin: &str) -> Result<State, SealError> {
    let row = sqlx::query("select position, size, origin from seal.state for update")
        .fetch_one(&mut *tx)
        .await?;
    let sealed_as: Option<String> = row.get(2);
    match sealed_as {
        Some(there) if there != origin => {
            return Err(SealError::OtherName { key: origin.to_owned(), origin: there });
        }
        Some(_) => {}
        None => {
            sqlx::query("update seal.state set origin = $1").bind(origin).execute(tx).await?;
        }
    }
    Ok(State { position: row.get(0), size: unsigned(row.get(1)), origin: origin.to_owned() })
}

/// Before an organization's tree grows: its edge is the one that was signed, and its last event is the
/// one that was sealed.
pub(super) async fn edges(
    tx: &mut PgConnection,
    trees: &BTreeMap<Uuid, OrganizationTree>,
) -> Result<(), SealError> {
    let signed = trees.values().filter_map(|tree| tree.head_index).collect::<Vec<_>>();
    let heads: Vec<(Uuid, i64, Vec<u8>)> =
        sqlx::query_as("select organization_id, size, root from seal.heads where index = any($1)")
            .bind(signed)
            .fetch_all(&mut *tx)
            .await?;
    for (organization_id, size, root) in heads {
        let Some(tree) = trees.get(&organization_id) else { continue };
        if unsigned(size) == tree.edge.size() && tree.edge.root().0[..] != root[..] {
            return Err(SealError::Tree { tree: format!("organization {organization_id}") });
        }
    }
    let last = |tree: &OrganizationTree| tree.last.map(|(position, _)| position);
    let positions: Vec<i64> = trees.values().filter_map(last).collect();
    let found = read_exact_at(tx, &positions).await?;
    for (organization_id, tree) in trees {
        let Some((position, sealed)) = tree.last else { continue };
        let number = tree.edge.size() - 1;
        let changed = SealError::Changed { position, number, organization_id: *organization_id };
        let there = found.iter().find(|entry| entry.first_position() == position);
        match there {
            // Its records are read again by the look back.
            Some(ExactEntry::Batch(_)) => {}
            Some(entry) if leaf_of(entry, number, Hash::of_nothing()) == sealed => {}
            Some(_) | None => return Err(changed),
        }
    }
    Ok(())
}

/// Looks back at what was sealed, a tile of leaves at a time, round and round.
#[derive(Default)]
pub(super) struct LookBack {
    after: Option<(Uuid, i64)>,
}

const TILE: &str =
    "select organization_id, index, hashes, positions from seal.tiles where level = 0";

impl LookBack {
    /// Looks at the end of each tree that changed last.
    pub(super) async fn begin(log: &PgPool) -> Result<Self, SealError> {
        let mut connection = log.acquire().await?;
        let recent: Vec<(Uuid, i64)> = sqlx::query_as(
            "select organization_id, (size - 1) / 256 from seal.organizations
             order by position desc limit $1",
        )
        .bind(RECENT_MAX)
        .fetch_all(&mut *connection)
        .await?;
        for (organization_id, index) in recent {
            let tile = sqlx::query(&format!("{TILE} and organization_id = $1 and index = $2"))
                .bind(organization_id)
                .bind(index)
                .fetch_optional(&mut *connection)
                .await?;
            let missing = || SealError::Tree { tree: format!("organization {organization_id}") };
            look(&mut connection, &tile.ok_or_else(missing)?).await?;
        }
        Ok(Self::default())
    }

    /// Looks at the next tile.
    pub(super) async fn next(&mut self, log: &PgPool) -> Result<(), SealError> {
        let mut connection = log.acquire().await?;
        let (organization_id, index) = self.after.unwrap_or((Uuid::nil(), -1));
        let tile = sqlx::query(&format!(
            "{TILE} and (organization_id, index) > ($1, $2) order by organization_id, index limit 1"
        ))
        .bind(organization_id)
        .bind(index)
        .fetch_optional(&mut *connection)
        .await?;
        self.after = tile.as_ref().map(|tile| (tile.get(0), tile.get(1)));
        match tile {
            Some(tile) => look(&mut connection, &tile).await,
            None => Ok(()),
        }
    }
}

/// Makes sure that the entries of a tile are what was sealed.
async fn look(
    connection: &mut PgConnection,
    tile: &sqlx::postgres::PgRow,
) -> Result<(), SealError> {
    let organization_id: Uuid = tile.get(0);
    let first = unsigned(tile.get(1)) * proofs::TILE_HASHES;
    let hashes = parted(tile.get(2));
    let positions: Vec<i64> = tile.get::<Option<Vec<i64>>, _>(3).unwrap_or_default();
    let entries = read_exact_at(connection, &positions).await?;
    let mut budget = RECORDS_MAX;
    let batches: Vec<_> = batches_of(&entries)
        .into_iter()
        .filter(|batch| {
            budget -= batch.count;
            budget >= 0
        })
        .collect();
    let records = records_of(connection, &batches).await?;
    // Asked after they were read: what has been archived until now may have been missing. What is in an
    // archive stands on record by its hash, and is looked at again when it was restored.
    let archived = archived_months(connection).await?;
    let is_here = |batch: &&&ExactBatch| {
        !archived.iter().any(|month| month.meets(batch.first_day, batch.last_day))
    };
    let read: Vec<Uuid> = batches.iter().filter(is_here).map(|batch| batch.batch_id).collect();
    let mut corrections = 0;
    for (number, (position, sealed)) in (first..).zip(positions.iter().zip(&hashes)) {
        let changed = SealError::Changed { position: *position, number, organization_id };
        let place = entries.binary_search_by_key(position, ExactEntry::first_position);
        let Some(entry) = place.ok().map(|place| &entries[place]) else { return Err(changed) };
        let root = match entry {
            ExactEntry::Event(_) => Hash::of_nothing(),
            ExactEntry::Batch(batch) if !read.contains(&batch.batch_id) => continue,
            ExactEntry::Batch(batch) => {
                records.get(&batch.batch_id).map_or_else(Hash::of_nothing, |found| found.root)
            }
        };
        if leaf_of(entry, number, root) != *sealed {
            return Err(changed);
        }
        if corrections < RECORDS_MAX {
            let counted = |count| corrections += count;
            let of_entry = std::slice::from_ref(entry);
            if let Some(fault) = corrections_fault(connection, of_entry, counted).await? {
                return Err(fault.into());
            }
        }
    }
    Ok(())
}
