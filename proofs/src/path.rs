//! Verifying what a path proves (RFC 9162, 2.1.3.2 and 2.1.4.2, whose trees are RFC 6962's).

use crate::hash::Hash;

/// Why a path proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The tree has no such leaf, or the old tree is larger than the new one.
    #[error("the tree is too small for it")]
    TooSmall,
    /// The path has too few nodes or too many.
    #[error("the path has the wrong length")]
    WrongLength,
    /// The path leads to another root.
    #[error("the path leads to another root")]
    OtherRoot,
}

/// Verifies that the leaf with this hash is in its place in a tree.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: Hash,
) -> Result<(), PathError> {
    if index >= size {
        return Err(PathError::TooSmall);
    }
    let (mut place, mut last) = (index, size - 1);
    let mut node = leaf;
    for step in path {
        if last == 0 {
            return Err(PathError::WrongLength);
        }
        if place & 1 == 1 || place == last {
            node = Hash::node(*step, node);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            node = Hash::node(node, *step);
        }
        place >>= 1;
        last >>= 1;
    }
    match (last, node == root) {
        (0, true) => Ok(()),
        (0, false) => Err(PathError::OtherRoot),
        (1.., _) => Err(PathError::WrongLength),
    }
}

/// Verifies that a tree begins with another: nothing that was in the old one has changed.
pub fn verify_consistency(
    (old, old_root): (u64, Hash),
    (new, new_root): (u64, Hash),
    path: &[Hash],
) -> Result<(), PathError> {
    if old > new {
        return Err(PathError::TooSmall);
    }
    if old == 0 || old == new {
        let same = if old == 0 { old_root == Hash::of_nothing() } else { old_root == new_root };
        return match (path.is_empty(), same) {
            (true, true) => Ok(()),
            (true, false) => Err(PathError::OtherRoot),
            (false, _) => Err(PathError::WrongLength),
        };
    }
    let (mut place, mut last) = (old - 1, new - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let mut steps = path.iter().copied();
    // A complete old tree is a node of the new one itself.
    let first = if place == 0 { old_root } else { steps.next().ok_or(PathError::WrongLength)? };
    let (mut old_node, mut new_node) = (first, first);
    for step in steps {
        if last == 0 {
            return Err(PathError::WrongLength);
        }
        if place & 1 == 1 || place == last {
            old_node = Hash::node(step, old_node);
            new_node = Hash::node(step, new_node);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new_node = Hash::node(new_node, step);
        }
        place >>= 1;
        last >>= 1;
    }
    match (last, old_node == old_root && new_node == new_root) {
        (0, true) => Ok(()),
        (0, false) => Err(PathError::OtherRoot),
        (1.., _) => Err(PathError::WrongLength),
    }
}
