//! Going through the log, with the trees as they grow.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_log::ReadError;
use event_log::exact::{ExactBatch, ExactEntry, read_exact};
use event_log::usage::archived_months;
use proofs::{Hash, HeadLeaf, TILE_HASHES, Tile, TreeEdge, organization_hash};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::finding::{AuditError, Finding};
use crate::seals::leaves::{batches_of, leaf_of, records_of};
use crate::seals::sound::{Order, corrections_fault};
use crate::seals::trees::parted;
use crate::seals::{signed, unsigned};

/// How many leaves of the log's tree are read at a time.
const HEADS_AT_ONCE: i64 = 5_000;

/// An organization's tree as it grows.
#[derive(Default)]
struct Tree {
    salt: Vec<u8>,
    edge: TreeEdge,
    /// The stored tile of leaves that the next one is in.
    stored: Vec<Hash>,
    position: i64,
    head_index: Option<u64>,
}

/// How far the log has been gone through.
pub(super) struct Walk {
    head: i64,
    position: i64,
    trees: BTreeMap<Uuid, Tree>,
    log: TreeEdge,
    pub(super) events: u64,
    pub(super) usage_records: u64,
    pub(super) archived_records: u64,
    /// How many corrections of usage stand beside the events.
    pub(super) corrections: i64,
    unsealed_records: u64,
    order: Order,
    /// When the last leaf of the log's tree was sealed, as that says.
    pub(super) sealed_at: Option<DateTime<Utc>>,
}

impl Walk {
    pub(super) fn new(head: i64) -> Self {
        Self {
            head,
            position: 0,
            trees: BTreeMap::new(),
            log: TreeEdge::default(),
            events: 0,
            usage_records: 0,
            archived_records: 0,
            corrections: 0,
            unsealed_records: 0,
            order: Order::default(),
            sealed_at: None,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.log.size()
    }

    pub(super) fn root(&self) -> Hash {
        self.log.root()
    }

    pub(super) fn organizations(&self) -> u64 {
        self.trees.len() as u64
    }

    /// Compares the entries up to a position with the leaves that were stored.
    pub(super) async fn entries(
        &mut self,
        tx: &mut PgConnection,
        upto: i64,
    ) -> Result<(), AuditError> {
        let archived = archived_months(tx).await?;
        let is_archived =
            |batch: &ExactBatch| archived.iter().any(|m| m.meets(batch.first_day, batch.last_day));
        while self.position < upto {
            let page = self.page(tx, upto).await?;
            let mut batches = batches_of(&page);
            batches.retain(|batch| !is_archived(batch));
            let records = records_of(tx, &batches).await?;
            for entry in &page {
                let mut root = Some(Hash::of_nothing());
                let mut written = None;
                if let ExactEntry::Batch(batch) = entry
                    && is_archived(batch)
                {
                    root = batch.records_root;
                    self.archived_records += unsigned(batch.count);
                } else if let ExactEntry::Batch(batch) = entry {
                    let found = records.get(&batch.batch_id);
                    let fault = found.map_or_else(
                        || Some("it has no records".to_owned()),
                        |found| found.fault(batch),
                    );
                    if let Some(what) = fault {
                        let (name, position) = (entry.name(), batch.first_position);
                        return Err(Finding::Records { name, position, what }.into());
                    }
                    root = found.map(|found| found.root).or(root);
                    written = batch.records_root.or(root);
                    self.usage_records += unsigned(batch.count);
                } else {
                    self.events += 1;
                }
                self.leaf(tx, entry, root).await?;
                if written.is_some() && written != root {
                    let (name, position) = (entry.name(), entry.first_position());
                    let what = "it says that other records were written".to_owned();
                    return Err(Finding::Records { name, position, what }.into());
                }
            }
            self.sound(tx, &page).await?;
            self.full_tiles(tx).await?;
        }
        Ok(())
    }

    /// What else holds of the next entries, sealed or not.
    async fn sound(
        &mut self,
        tx: &mut PgConnection,
        entries: &[ExactEntry],
    ) -> Result<(), AuditError> {
        if let Some(fault) = self.order.fault(tx, entries).await? {
            return Err(Finding::from(fault).into());
        }
        let counted = |count| self.corrections += count;
        match corrections_fault(tx, entries, counted).await? {
            Some(fault) => Err(Finding::from(fault).into()),
            None => Ok(()),
        }
    }

    async fn page(
        &mut self,
        tx: &mut PgConnection,
        upto: i64,
    ) -> Result<Vec<ExactEntry>, AuditError> {
        match read_exact(tx, self.position, upto).await {
            Ok(page) => {
                self.position = page.upto;
                Ok(page.entries)
            }
            Err(ReadError::Sqlx(error)) => Err(error.into()),
            Err(ReadError::Hole { after, upto, .. }) => Err(first_hole(tx, after, upto).await?),
            // Whoever reads entries reads neither corrections nor records.
            Err(other @ (ReadError::Corrections { .. } | ReadError::Archived { .. })) => {
                Err(sqlx::Error::Protocol(other.to_string()).into())
            }
        }
    }

    /// Compares an entry with its leaf. Where `records` is none, those are in an archive and were written
    /// before batches had a root: the leaf is taken as it was sealed, and the roots above it are compared.
    async fn leaf(
        &mut self,
        tx: &mut PgConnection,
        entry: &ExactEntry,
        records: Option<Hash>,
    ) -> Result<(), AuditError> {
        let organization_id = entry.organization_id();
        let tree = match self.trees.entry(organization_id) {
            std::collections::btree_map::Entry::Occupied(there) => there.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                let salt = sqlx::query_scalar(
                    "select salt from seal.organizations where organization_id = $1",
                )
                .bind(organization_id)
                .fetch_optional(&mut *tx)
                .await?;
                new.insert(Tree { salt: salt.unwrap_or_default(), ..Tree::default() })
            }
        };
        let number = tree.edge.size();
        if number.is_multiple_of(TILE_HASHES) {
            let hashes: Option<Vec<u8>> = sqlx::query_scalar(
                "select hashes from seal.tiles where organization_id = $1 and level = 0 and index = $2",
            )
            .bind(organization_id)
            .bind(signed(number / TILE_HASHES))
            .fetch_optional(tx)
            .await?;
            tree.stored = parted(&hashes.unwrap_or_default());
        }
        let place = usize::try_from(number % TILE_HASHES).unwrap_or_default();
        let stored = tree.stored.get(place).copied();
        let leaf = records.map_or(stored, |records| Some(leaf_of(entry, number, records)));
        let Some(leaf) = leaf.filter(|leaf| stored == Some(*leaf)) else {
            let (name, position) = (entry.name(), entry.first_position());
            return Err(Finding::Changed { name, position, number, organization_id }.into());
        };
        tree.edge.push(leaf);
        tree.position = entry.last_position();
        Ok(())
    }

    /// Compares tiles above the leaves that have become full.
    async fn full_tiles(&mut self, tx: &mut PgConnection) -> Result<(), AuditError> {
        for (organization_id, tree) in &mut self.trees {
            for tile in tree.edge.take_changed() {
                if tile.place.level > 0 && tile.hashes.len() as u64 == TILE_HASHES {
                    organization_tile(tx, *organization_id, &tile).await?;
                }
            }
        }
        Ok(())
    }

    /// Compares the leaves of the log's tree up to a size with where its organizations' trees stand.
    /// `grown` is told its root after each.
    pub(super) async fn heads(
        &mut self,
        tx: &mut PgConnection,
        size: u64,
        mut grown: impl FnMut(u64, Hash) -> Result<(), Finding>,
    ) -> Result<(), AuditError> {
        while self.log.size() < size {
            let rows = sqlx::query(
                "select index, organization_id, size, root, previous, position, sealed_at from seal.heads
                 where index >= $1 and index < $2 order by index limit $3",
            )
            .bind(signed(self.log.size()))
            .bind(signed(size))
            .bind(HEADS_AT_ONCE)
            .fetch_all(&mut *tx)
            .await?;
            if rows.is_empty() {
                let organization_id = Uuid::nil();
                return Err(Finding::Head { index: self.log.size(), organization_id }.into());
            }
            for row in rows {
                let organization_id: Uuid = row.get(1);
                let index = self.log.size();
                let wrong = Finding::Head { index, organization_id };
                let Some(tree) = self.trees.get_mut(&organization_id) else {
                    return Err(wrong.into());
                };
                let head = HeadLeaf {
                    organization: organization_hash(&tree.salt, organization_id),
                    size: tree.edge.size(),
                    root: tree.edge.root(),
                    previous: tree.head_index,
                    position: unsigned(tree.position),
                    sealed_at: row.get(6),
                };
                let is_it = unsigned(row.get(0)) == index
                    && unsigned(row.get(2)) == head.size
                    && row.get::<&[u8], _>(3) == &head.root.0[..]
                    && row.get::<Option<i64>, _>(4).map(unsigned) == head.previous
                    && unsigned(row.get(5)) == head.position;
                if !is_it {
                    return Err(wrong.into());
                }
                tree.head_index = Some(index);
                self.sealed_at = Some(head.sealed_at);
                self.log.push(head.hash());
                grown(self.log.size(), self.log.root())?;
            }
            for tile in self.log.take_changed() {
                if tile.hashes.len() as u64 == TILE_HASHES {
                    log_tile(tx, &tile).await?;
                }
            }
        }
        Ok(())
    }

    /// What is a leaf already and not signed yet.
    pub(super) async fn rest(
        &mut self,
        tx: &mut PgConnection,
        sealed: i64,
    ) -> Result<(), AuditError> {
        self.entries(tx, sealed).await
    }

    /// Compares what is not full at the right edges, and the organizations' rows.
    pub(super) async fn edges(&mut self, tx: &mut PgConnection) -> Result<(), AuditError> {
        let rows = sqlx::query(
            "select organization_id, size, position, head_index from seal.organizations",
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut rows: BTreeMap<Uuid, (u64, i64, Option<u64>)> = rows
            .iter()
            .map(|row| {
                let head_index = row.get::<Option<i64>, _>(3).map(unsigned);
                (row.get(0), (unsigned(row.get(1)), row.get(2), head_index))
            })
            .collect();
        for (organization_id, tree) in &mut self.trees {
            let expected = (tree.edge.size(), tree.position, tree.head_index);
            if rows.remove(organization_id) != Some(expected) {
                return Err(Finding::State.into());
            }
            for tile in tree.edge.take_changed() {
                organization_tile(tx, *organization_id, &tile).await?;
            }
        }
        for tile in self.log.take_changed() {
            log_tile(tx, &tile).await?;
        }
        if rows.is_empty() { Ok(()) } else { Err(Finding::State.into()) }
    }

    /// Goes through what is not sealed yet.
    pub(super) async fn unsealed(
        &mut self,
        tx: &mut PgConnection,
        head: i64,
    ) -> Result<(), AuditError> {
        while self.position < head {
            let page = self.page(tx, head).await?;
            for batch in batches_of(&page) {
                self.unsealed_records += unsigned(batch.count);
            }
            self.sound(tx, &page).await?;
        }
        Ok(())
    }

    /// Looks for usage records that belong to no batch, and corrections that belong to no event.
    /// Of batches that reach into an archived month nobody knows here how many are left: theirs are not
    /// counted.
    pub(super) async fn strays(&self, tx: &mut PgConnection) -> Result<(), AuditError> {
        debug_assert_eq!(self.position, self.head);
        let counted = if self.archived_records == 0 {
            "select count(*) from log.usage_records"
        } else {
            "select count(*) from log.usage_records u where not exists (
                 select from log.usage_batches b
                 join log.missing_usage_months() as m(month)
                   on b.first_day < m.month + interval '1 month' and b.last_day >= m.month
                 where b.batch_id = u.batch_id)"
        };
        let found: i64 = sqlx::query_scalar(counted).fetch_one(&mut *tx).await?;
        let expected = signed(self.usage_records + self.unsealed_records);
        if found != expected {
            return Err(Finding::Strays { found, expected }.into());
        }
        let counted = "select count(*) from log.usage_corrections";
        let found: i64 = sqlx::query_scalar(counted).fetch_one(tx).await?;
        let expected = self.corrections;
        if found == expected {
            Ok(())
        } else {
            Err(Finding::StrayCorrections { found, expected }.into())
        }
    }
}

async fn organization_tile(
    tx: &mut PgConnection,
    organization_id: Uuid,
    tile: &Tile,
) -> Result<(), AuditError> {
    let hashes: Option<Vec<u8>> = sqlx::query_scalar(
        "select hashes from seal.tiles where organization_id = $1 and level = $2 and index = $3",
    )
    .bind(organization_id)
    .bind(i16::try_from(tile.place.level).unwrap_or(i16::MAX))
    .bind(signed(tile.place.index))
    .fetch_optional(tx)
    .await?;
    same(tile, hashes, || format!("organization {organization_id}"))
}

async fn log_tile(tx: &mut PgConnection, tile: &Tile) -> Result<(), AuditError> {
    let hashes: Option<Vec<u8>> =
        sqlx::query_scalar("select hashes from seal.log_tiles where level = $1 and index = $2")
            .bind(i16::try_from(tile.place.level).unwrap_or(i16::MAX))
            .bind(signed(tile.place.index))
            .fetch_optional(tx)
            .await?;
    same(tile, hashes, || "the log".to_owned())
}

/// A tile that is not full here may be fuller there: sealing goes on.
fn same(tile: &Tile, stored: Option<Vec<u8>>, tree: impl Fn() -> String) -> Result<(), AuditError> {
    if parted(&stored.unwrap_or_default()) == tile.hashes {
        return Ok(());
    }
    let (level, index) = (tile.place.level, tile.place.index);
    Err(Finding::Tile { tree: tree(), level, index }.into())
}

/// Which position is the first that nothing stands at.
async fn first_hole(
    tx: &mut PgConnection,
    after: i64,
    upto: i64,
) -> Result<AuditError, sqlx::Error> {
    let missing: Option<i64> = sqlx::query_scalar(
        "with entries as (
             select position as first, position as last from log.events
             where position > $1 and position <= $2
             union all
             select first_position, first_position + count - 1 from log.usage_batches
             where first_position > $1 and first_position <= $2
         )
         select min(expected) from (
             select first, lag(last, 1, $1) over (order by first, last) + 1 as expected from entries
             union all
             select $2 + 1, coalesce(max(last), $1) + 1 from entries
         ) places where first > expected",
    )
    .bind(after)
    .bind(upto)
    .fetch_one(tx)
    .await?;
    Ok(match missing {
        Some(position) => Finding::Missing { position }.into(),
        None => Finding::Doubled { position: after + 1 }.into(),
    })
}
