//! The trees as they are stored, to append to.

use std::collections::BTreeMap;

use proofs::{Hash, TILE_HASHES, Tile, TilePlace, TreeEdge};
use ring::rand::{SecureRandom as _, SystemRandom};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::error::SealError;
use super::{signed, unsigned};

/// The tree of an organization, at its edge.
pub(super) struct OrganizationTree {
    pub(super) salt: Vec<u8>,
    pub(super) edge: TreeEdge,
    /// The positions of the leaves at the edge: of those from `positions_from` on.
    positions: Vec<i64>,
    positions_from: u64,
    /// The position of the last entry.
    pub(super) position: i64,
    pub(super) head_index: Option<i64>,
    pub(super) head_size: i64,
    /// The last leaf at the edge, as it was stored, with the position of its first entry.
    pub(super) last: Option<(i64, Hash)>,
}

impl OrganizationTree {
    fn new() -> Result<Self, SealError> {
        let mut salt = vec![0; 32];
        SystemRandom::new().fill(&mut salt).map_err(|_| SealError::Random)?;
        Ok(Self {
            salt,
            edge: TreeEdge::default(),
            positions: Vec::new(),
            positions_from: 0,
            position: 0,
            head_index: None,
            head_size: 0,
            last: None,
        })
    }

    /// Adds an entry that begins and ends at these positions.
    pub(super) fn push(&mut self, first_position: i64, last_position: i64, leaf: Hash) {
        self.edge.push(leaf);
        self.positions.push(first_position);
        self.position = last_position;
    }

    /// The positions of a tile of leaves.
    fn positions_of(&self, tile: &Tile) -> Option<Vec<i64>> {
        if tile.place.level > 0 {
            return None;
        }
        let start = tile.place.index * TILE_HASHES - self.positions_from;
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        self.positions.get(start..start + tile.hashes.len()).map(<[i64]>::to_vec)
    }
}

/// A tile's hashes as they are stored.
pub(super) fn joined(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// And back.
pub(super) fn parted(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks_exact(32).filter_map(Hash::from_slice).collect()
}

fn level(number: i16) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

fn small(level: u32) -> i16 {
    i16::try_from(level).unwrap_or(i16::MAX)
}

/// The trees of these organizations, those that have none yet too.
pub(super) async fn load(
    connection: &mut PgConnection,
    organization_ids: &[Uuid],
) -> Result<BTreeMap<Uuid, OrganizationTree>, SealError> {
    let mut trees = BTreeMap::new();
    for organization_id in organization_ids {
        trees.insert(*organization_id, OrganizationTree::new()?);
    }
    let rows = sqlx::query(
        "select organization_id, salt, size, position, head_index, head_size
         from seal.organizations where organization_id = any($1)",
    )
    .bind(organization_ids)
    .fetch_all(&mut *connection)
    .await?;
    let mut wanted: (Vec<Uuid>, Vec<i16>, Vec<i64>) = Default::default();
    let mut sizes = BTreeMap::new();
    for row in rows {
        let (organization_id, size): (Uuid, i64) = (row.get(0), row.get(2));
        let Some(tree) = trees.get_mut(&organization_id) else { continue };
        tree.salt = row.get(1);
        tree.position = row.get(3);
        tree.head_index = row.get(4);
        tree.head_size = row.get(5);
        sizes.insert(organization_id, unsigned(size));
        for place in TreeEdge::places(unsigned(size)) {
            wanted.0.push(organization_id);
            wanted.1.push(small(place.level));
            wanted.2.push(signed(place.index));
        }
    }
    let rows = sqlx::query(
        "select t.organization_id, t.level, t.index, t.hashes, t.positions
         from unnest($1::uuid[], $2::smallint[], $3::bigint[]) as w (organization_id, level, index)
         join seal.tiles t using (organization_id, level, index)",
    )
    .bind(&wanted.0)
    .bind(&wanted.1)
    .bind(&wanted.2)
    .fetch_all(&mut *connection)
    .await?;
    let mut tiles: BTreeMap<Uuid, Vec<Tile>> = BTreeMap::new();
    for row in rows {
        let organization_id: Uuid = row.get(0);
        let place = TilePlace { level: level(row.get(1)), index: unsigned(row.get(2)) };
        let hashes = parted(row.get(3));
        let Some(tree) = trees.get_mut(&organization_id) else { continue };
        if place.level == 0 {
            tree.positions = row.get::<Option<Vec<i64>>, _>(4).unwrap_or_default();
            tree.last = tree.positions.last().copied().zip(hashes.last().copied());
        }
        tiles.entry(organization_id).or_default().push(Tile { place, hashes });
    }
    for (organization_id, size) in sizes {
        let Some(tree) = trees.get_mut(&organization_id) else { continue };
        let its = tiles.remove(&organization_id).unwrap_or_default();
        tree.positions_from = size - size % TILE_HASHES;
        let whole = TreeEdge::of(size, its);
        let has_positions = tree.positions.len() as u64 == size % TILE_HASHES;
        tree.edge = whole
            .filter(|_| has_positions)
            .ok_or_else(|| SealError::Tree { tree: format!("organization {organization_id}") })?;
    }
    Ok(trees)
}

/// Stores trees that were appended to.
pub(super) async fn store(
    connection: &mut PgConnection,
    trees: &mut BTreeMap<Uuid, OrganizationTree>,
) -> Result<(), SealError> {
    for (organization_id, tree) in &mut *trees {
        for tile in tree.edge.take_changed() {
            sqlx::query(
                "insert into seal.tiles (organization_id, level, index, hashes, positions)
                 values ($1, $2, $3, $4, $5)
                 on conflict (organization_id, level, index) do update
                     set hashes = excluded.hashes, positions = excluded.positions",
            )
            .bind(organization_id)
            .bind(small(tile.place.level))
            .bind(signed(tile.place.index))
            .bind(joined(&tile.hashes))
            .bind(tree.positions_of(&tile))
            .execute(&mut *connection)
            .await?;
        }
    }
    sqlx::query(
        "insert into seal.organizations (organization_id, salt, size, position)
         select * from unnest($1::uuid[], $2::bytea[], $3::bigint[], $4::bigint[])
         on conflict (organization_id) do update set size = excluded.size, position = excluded.position",
    )
    .bind(trees.keys().copied().collect::<Vec<_>>())
    .bind(trees.values().map(|tree| tree.salt.clone()).collect::<Vec<_>>())
    .bind(trees.values().map(|tree| signed(tree.edge.size())).collect::<Vec<_>>())
    .bind(trees.values().map(|tree| tree.position).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// The log's tree.
pub(super) async fn load_log(
    connection: &mut PgConnection,
    size: u64,
) -> Result<TreeEdge, SealError> {
    let places = TreeEdge::places(size);
    let rows = sqlx::query(
        "select t.level, t.index, t.hashes
         from unnest($1::smallint[], $2::bigint[]) as w (level, index)
         join seal.log_tiles t using (level, index)",
    )
    .bind(places.iter().map(|place| small(place.level)).collect::<Vec<_>>())
    .bind(places.iter().map(|place| signed(place.index)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let tiles = rows.iter().map(|row| Tile {
        place: TilePlace { level: level(row.get(0)), index: unsigned(row.get(1)) },
        hashes: parted(row.get(2)),
    });
    TreeEdge::of(size, tiles).ok_or_else(|| SealError::Tree { tree: "the log".to_owned() })
}

/// Stores the log's tree after it was appended to.
pub(super) async fn store_log(
    connection: &mut PgConnection,
    tree: &mut TreeEdge,
) -> Result<(), sqlx::Error> {
    let changed = tree.take_changed();
    sqlx::query(
        "insert into seal.log_tiles (level, index, hashes)
         select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])
         on conflict (level, index) do update set hashes = excluded.hashes",
    )
    .bind(changed.iter().map(|tile| small(tile.place.level)).collect::<Vec<_>>())
    .bind(changed.iter().map(|tile| signed(tile.place.index)).collect::<Vec<_>>())
    .bind(changed.iter().map(|tile| joined(&tile.hashes)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
