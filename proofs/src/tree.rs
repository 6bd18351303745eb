//! RFC 6962 trees: which complete subtrees a root and a proof are made of, and the root of a tree that
//! only grows.

use crate::hash::Hash;

/// A complete subtree: `2^level` leaves, the first of them `index · 2^level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subtree {
    /// 0 is a leaf.
    pub level: u32,
    /// Which of its level, from the left.
    pub index: u64,
}

/// Leaves from one up to before another: the node of a tree that spans them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first leaf.
    pub start: u64,
    /// The leaf after the last.
    pub end: u64,
}

impl Span {
    /// The complete subtrees that cover it, from the left. For a node of a tree these are of falling
    /// size; from any other first leaf on they rise first.
    pub fn subtrees(self) -> Vec<Subtree> {
        let mut covered = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let aligned = if start == 0 { 63 } else { start.trailing_zeros() };
            let level = aligned.min((self.end - start).ilog2());
            covered.push(Subtree { level, index: start >> level });
            start += 1 << level;
        }
        covered
    }

    /// Its hash, out of those of [`Span::subtrees`], where it is a node of a tree.
    pub fn fold(hashes: &[Hash]) -> Hash {
        let folded = hashes.iter().rev().copied().reduce(|right, left| Hash::node(left, right));
        folded.unwrap_or_else(Hash::of_nothing)
    }
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The nodes that prove a leaf's place in a tree, from its sibling up (RFC 6962, 2.1.1). None where
/// the tree has no such leaf.
pub fn inclusion_spans(index: u64, size: u64) -> Option<Vec<Span>> {
    if index >= size {
        return None;
    }
    let mut spans = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            spans.push(Span { start: middle, end });
            end = middle;
        } else {
            spans.push(Span { start, end: middle });
            start = middle;
        }
    }
    spans.reverse();
    Some(spans)
}

/// The nodes that prove that a tree begins with a smaller one (RFC 6962, 2.1.2). None where the smaller
/// one is not smaller; nothing is to prove from an empty tree or to itself.
pub fn consistency_spans(old: u64, new: u64) -> Option<Vec<Span>> {
    if old > new {
        return None;
    }
    let mut spans = Vec::new();
    if old == 0 || old == new {
        return Some(spans);
    }
    let (mut start, mut end) = (0, new);
    // Whether the old tree's own root would be its first node, which the verifier has.
    let mut is_root = true;
    while end != old {
        let middle = start + split(end - start);
        if old <= middle {
            spans.push(Span { start: middle, end });
            end = middle;
        } else {
            spans.push(Span { start, end: middle });
            start = middle;
            is_root = false;
        }
    }
    if !is_root {
        spans.push(Span { start, end });
    }
    spans.reverse();
    Some(spans)
}

/// The right edge of a tree that only grows: all that its root needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees that the tree is made of, the largest first.
    nodes: Vec<Hash>,
}

impl Frontier {
    /// Of a tree of this size, whose complete subtrees ([`Span::subtrees`]) have these roots. None
    /// where their number is another.
    pub fn of(size: u64, nodes: Vec<Hash>) -> Option<Self> {
        (nodes.len() == size.count_ones() as usize).then_some(Self { size, nodes })
    }

    /// Adds a leaf, by its hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(0, leaf);
    }

    /// Adds a complete subtree of `2^level` leaves. Whether it may stand there: the size must be a
    /// multiple of its own.
    pub fn push_subtree(&mut self, level: u32, root: Hash) -> bool {
        let Some(size) = 1_u64.checked_shl(level).and_then(|more| self.size.checked_add(more))
        else {
            return false;
        };
        if !self.size.is_multiple_of(1 << level) {
            return false;
        }
        let merged = (self.size >> level).trailing_ones();
        let mut node = root;
        for _ in 0..merged {
            match self.nodes.pop() {
                Some(left) => node = Hash::node(left, node),
                None => return false,
            }
        }
        self.nodes.push(node);
        self.size = size;
        true
    }

    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        Span::fold(&self.nodes)
    }
}
