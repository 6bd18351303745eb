//! Trees against the vectors of Certificate Transparency and against an independent implementation.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proofs::{
    Frontier, Hash, PathError, Span, Tiles, TreeEdge, consistency_spans, inclusion_spans, resolve,
    tiles_of, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use sha2::Sha256;

/// The leaves and roots with which Certificate Transparency's implementations test themselves, by the
/// size of the tree. Source: github.com/transparency-dev/merkle, `testonly`.
const VECTORS: [(&str, &str); 8] = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    (
        "606162636465666768696a6b6c6d6e6f",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn roots_are_those_of_certificate_transparency() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let (mut frontier, mut edge) = (Frontier::default(), TreeEdge::default());
    assert_eq!(frontier.root().0.to_vec(), bytes(empty));
    for (leaf, root) in VECTORS {
        frontier.push(Hash::leaf(&bytes(leaf)));
        edge.push(Hash::leaf(&bytes(leaf)));
        assert_eq!(frontier.root().0.to_vec(), bytes(root), "of {} leaves", frontier.size());
        assert_eq!(edge.root(), frontier.root());
    }
}

/// Leaves, in an oracle and in tiles of ours.
struct Trees {
    oracle: MemoryBackedTree<Sha256, Vec<u8>>,
    tiles: Tiles,
    roots: Vec<Hash>,
    leaves: Vec<Hash>,
}

/// Appends leaves in steps, each step from what was stored after the one before.
fn trees(size: u64, step: u64) -> Trees {
    let mut oracle = MemoryBackedTree::new();
    let (mut tiles, mut leaves) = (Tiles::default(), Vec::new());
    let mut roots = vec![Hash::of_nothing()];
    let mut stored = std::collections::BTreeMap::new();
    let mut edge = TreeEdge::default();
    let mut frontier = Frontier::default();
    for number in 0..size {
        if number % step == 0 {
            let at_edge = TreeEdge::places(number)
                .into_iter()
                .map(|place| proofs::Tile { place, hashes: stored.get(&place).cloned().unwrap() });
            edge = TreeEdge::of(number, at_edge).unwrap();
        }
        let record = number.to_be_bytes().repeat(1 + usize::try_from(number % 9).unwrap());
        let leaf = Hash::leaf(&record);
        oracle.push(record);
        edge.push(leaf);
        frontier.push(leaf);
        leaves.push(leaf);
        roots.push(frontier.root());
        if (number + 1) % step != 0 && number + 1 != size {
            continue;
        }
        assert_eq!(edge.root(), frontier.root(), "of {number}");
        for tile in edge.take_changed() {
            stored.insert(tile.place, tile.hashes.clone());
            tiles.insert(tile);
        }
    }
    Trees { oracle, tiles, roots, leaves }
}

fn path(tiles: &Tiles, spans: &[Span]) -> Vec<Hash> {
    assert!(tiles_of(spans).len() <= spans.len() * 3);
    resolve(spans, tiles).expect("every tile is there")
}

fn joined(path: &[Hash]) -> Vec<u8> {
    path.iter().flat_map(|hash| hash.0).collect()
}

#[test]
fn tiles_give_what_an_independent_tree_gives() {
    // Beyond two levels of tiles: 256 · 256.
    for (size, step) in [(1, 1), (2, 1), (255, 7), (256, 256), (257, 3), (700, 50), (66_000, 9_999)]
    {
        let trees = trees(size, step);
        assert_eq!(
            trees.oracle.root().as_bytes()[..],
            trees.roots[usize::try_from(size).unwrap()].0
        );
        let root = trees.roots[usize::try_from(size).unwrap()];
        for index in [0, 1, 2, 3, 100, 254, 255, 256, 511, 65_535, 65_536, size - 1] {
            if index >= size {
                assert!(inclusion_spans(index, size).is_none());
                continue;
            }
            let place = usize::try_from(index).unwrap();
            let path = path(&trees.tiles, &inclusion_spans(index, size).unwrap());
            assert_eq!(joined(&path), trees.oracle.prove_inclusion(place).as_bytes());
            verify_inclusion(trees.leaves[place], index, size, &path, root).unwrap();
        }
    }
}

#[test]
fn consistency_is_what_an_independent_tree_proves() {
    let trees = trees(300, 300);
    let root = trees.roots[300];
    for old in 0..=300_u64 {
        let spans = consistency_spans(old, 300).unwrap();
        let path = path(&trees.tiles, &spans);
        let old_root = trees.roots[usize::try_from(old).unwrap()];
        if (1..300).contains(&old) {
            let oracle = trees.oracle.prove_consistency(usize::try_from(300 - old).unwrap());
            assert_eq!(joined(&path), oracle.as_bytes(), "from {old}");
        }
        verify_consistency((old, old_root), (300, root), &path).unwrap();
        let other = Hash::of(b"another");
        if old > 0 {
            verify_consistency((old, other), (300, root), &path).unwrap_err();
            verify_consistency((old, old_root), (300, other), &path).unwrap_err();
        }
        if let Some((_, shorter)) = path.split_last() {
            verify_consistency((old, old_root), (300, root), shorter).unwrap_err();
        }
        let longer = [&path[..], &[other]].concat();
        verify_consistency((old, old_root), (300, root), &longer).unwrap_err();
    }
    assert_eq!(consistency_spans(301, 300), None);
    let too_small = verify_consistency((301, root), (300, root), &[]);
    assert_eq!(too_small, Err(PathError::TooSmall));
}

#[test]
fn a_tree_goes_on_after_subtrees() {
    let trees = trees(300, 300);
    for (start, end) in [(0, 300), (1, 17), (37, 256), (256, 299), (299, 300), (100, 100)] {
        let nodes = |span: Span| -> Vec<Hash> {
            span.subtrees().into_iter().map(|one| trees.tiles.subtree(one).unwrap()).collect()
        };
        let mut tree = Frontier::of(start, nodes(Span { start: 0, end: start })).unwrap();
        for leaf in start..end {
            tree.push(trees.leaves[usize::try_from(leaf).unwrap()]);
        }
        let rest = Span { start: end, end: 300 };
        for (subtree, root) in rest.subtrees().into_iter().zip(nodes(rest)) {
            assert!(tree.push_subtree(subtree.level, root));
        }
        assert_eq!((tree.size(), tree.root()), (300, trees.roots[300]), "{start}..{end}");
    }
    assert!(!Frontier::of(1, vec![Hash::of(b"x")]).unwrap().push_subtree(1, Hash::of(b"y")));
    assert!(Frontier::of(3, vec![Hash::of(b"x")]).is_none());
}

proptest! {
    /// Any size that a hostile file may name costs no more than a few nodes.
    #[test]
    fn any_size_is_bounded(start in any::<u64>(), more in any::<u64>()) {
        let end = start.saturating_add(more);
        let subtrees = Span { start, end }.subtrees();
        prop_assert!(subtrees.len() <= 127);
        let covered: u128 = subtrees.iter().map(|one| 1_u128 << one.level).sum();
        prop_assert_eq!(covered, u128::from(end - start));
        if let Some(spans) = inclusion_spans(start, end) {
            prop_assert!(spans.len() <= 64);
        }
        prop_assert!(consistency_spans(start, end).unwrap().len() <= 65);
    }

    #[test]
    fn a_path_leads_from_no_other_leaf(size in 1_u64..200, at in 0_u64..200, other in 0_u64..200) {
        let trees = trees(size, 64);
        let index = at % size;
        let root = trees.roots[usize::try_from(size).unwrap()];
        let path = path(&trees.tiles, &inclusion_spans(index, size).unwrap());
        let leaf = trees.leaves[usize::try_from(index).unwrap()];
        verify_inclusion(leaf, index, size, &path, root).unwrap();
        if other != index {
            verify_inclusion(leaf, other, size, &path, root).unwrap_err();
        }
        verify_inclusion(Hash::of(b"x"), index, size, &path, root).unwrap_err();
    }
}
