//! Trees in tiles, as they are stored: 256 hashes of one level in a row, and only those of complete
//! subtrees. The layout is that of <https://c2sp.org/tlog-tiles>, height 8.

use std::collections::BTreeMap;

use crate::hash::Hash;
use crate::tree::{Frontier, Span, Subtree};

/// How many hashes a tile holds.
pub const TILE_HASHES: u64 = 256;

/// Levels of the tree within a tile.
const TILE_LEVELS: u32 = 8;

/// Which tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePlace {
    /// 0 holds leaves, 1 the roots of complete tiles of leaves, and so on.
    pub level: u32,
    /// Which of its level, from the left.
    pub index: u64,
}

/// A tile: at most [`TILE_HASHES`] hashes, from the left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Which.
    pub place: TilePlace,
    /// Its hashes.
    pub hashes: Vec<Hash>,
}

/// Where a complete subtree's leaves stand among the hashes of tiles: the tile, and which of its
/// hashes.
fn within(subtree: Subtree) -> (TilePlace, std::ops::Range<usize>) {
    let inside = subtree.level % TILE_LEVELS;
    let first = subtree.index << inside;
    let place = TilePlace { level: subtree.level / TILE_LEVELS, index: first / TILE_HASHES };
    // At most 255 and 256.
    let start = usize::try_from(first % TILE_HASHES).unwrap_or_default();
    (place, start..start + (1 << inside))
}

/// The tiles that nodes are computed from.
pub fn tiles_of(spans: &[Span]) -> Vec<TilePlace> {
    let subtrees = spans.iter().flat_map(|span| span.subtrees());
    let mut places: Vec<TilePlace> = subtrees.map(|subtree| within(subtree).0).collect();
    places.sort_unstable();
    places.dedup();
    places
}

/// Tiles at hand.
#[derive(Debug, Clone, Default)]
pub struct Tiles(BTreeMap<TilePlace, Vec<Hash>>);

impl Tiles {
    /// Adds one.
    pub fn insert(&mut self, tile: Tile) {
        self.0.insert(tile.place, tile.hashes);
    }

    /// The root of a complete subtree; none where its tile is not at hand or too short.
    pub fn subtree(&self, subtree: Subtree) -> Option<Hash> {
        let (place, range) = within(subtree);
        let mut level = self.0.get(&place)?.get(range)?.to_vec();
        while level.len() > 1 {
            level = level.chunks_exact(2).map(|two| Hash::node(two[0], two[1])).collect();
        }
        level.first().copied()
    }
}

/// The hashes of nodes, out of tiles; none where a tile is missing.
pub fn resolve(spans: &[Span], tiles: &Tiles) -> Option<Vec<Hash>> {
    let node = |span: &Span| {
        let subtrees: Option<Vec<Hash>> =
            span.subtrees().into_iter().map(|subtree| tiles.subtree(subtree)).collect();
        subtrees.map(|hashes| Span::fold(&hashes))
    };
    spans.iter().map(node).collect()
}

/// The right edge of a tree in tiles, to append to: the tile of each level that is not full.
#[derive(Debug, Clone, Default)]
pub struct TreeEdge {
    size: u64,
    /// By level; empty where the last one is full.
    partial: Vec<Vec<Hash>>,
    changed: BTreeMap<TilePlace, Vec<Hash>>,
}

impl TreeEdge {
    /// The tiles that a tree of this size is continued from.
    pub fn places(size: u64) -> Vec<TilePlace> {
        let mut places = Vec::new();
        let (mut level, mut count) = (0, size);
        while count > 0 {
            if !count.is_multiple_of(TILE_HASHES) {
                places.push(TilePlace { level, index: count / TILE_HASHES });
            }
            count /= TILE_HASHES;
            level += 1;
        }
        places
    }

    /// From those tiles; none where they are not those of a tree of this size.
    pub fn of(size: u64, tiles: impl IntoIterator<Item = Tile>) -> Option<Self> {
        let mut given: BTreeMap<TilePlace, Vec<Hash>> =
            tiles.into_iter().map(|tile| (tile.place, tile.hashes)).collect();
        let mut partial = Vec::new();
        for place in Self::places(size) {
            let hashes = given.remove(&place)?;
            let expected = (size >> (TILE_LEVELS * place.level)) % TILE_HASHES;
            if hashes.len() as u64 != expected {
                return None;
            }
            partial.resize(place.level as usize, Vec::new());
            partial.push(hashes);
        }
        given.is_empty().then_some(Self { size, partial, changed: BTreeMap::new() })
    }

    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut index = self.size / TILE_HASHES;
        self.size += 1;
        for level in 0.. {
            if self.partial.len() <= level as usize {
                self.partial.push(Vec::new());
            }
            let hashes = &mut self.partial[level as usize];
            hashes.push(hash);
            let is_full = hashes.len() as u64 == TILE_HASHES;
            if !is_full {
                return;
            }
            let full = std::mem::take(hashes);
            let mut frontier = Frontier::default();
            for one in &full {
                frontier.push(*one);
            }
            hash = frontier.root();
            self.changed.insert(TilePlace { level, index }, full);
            index /= TILE_HASHES;
        }
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        let mut tiles = Tiles::default();
        for (place, hashes) in Self::places(self.size).into_iter().zip(self.unfinished()) {
            tiles.insert(Tile { place, hashes: hashes.clone() });
        }
        let whole = Span { start: 0, end: self.size };
        // Every complete subtree of it stands in an unfinished tile, since a full one is a hash of
        // the level above.
        resolve(&[whole], &tiles)
            .and_then(|root| root.first().copied())
            .unwrap_or_else(Hash::of_nothing)
    }

    fn unfinished(&self) -> impl Iterator<Item = &Vec<Hash>> {
        self.partial.iter().filter(|hashes| !hashes.is_empty())
    }

    /// The tiles that are to be stored since they were taken last: those that are full, and those at
    /// the edge.
    pub fn take_changed(&mut self) -> Vec<Tile> {
        let mut changed = std::mem::take(&mut self.changed);
        let edge = Self::places(self.size).into_iter().zip(self.unfinished().cloned());
        changed.extend(edge);
        changed.into_iter().map(|(place, hashes)| Tile { place, hashes }).collect()
    }
}
