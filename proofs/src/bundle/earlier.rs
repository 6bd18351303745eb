//! That a bundle's log begins with what it was before: `consistency/…`.

use std::fmt;
use std::io::Read;

use super::part::text;
use super::trouble::Trouble;
use crate::checkpoint::{Checkpoint, number};
use crate::hash::Hash;
use crate::path::verify_consistency;

/// The most of them that a bundle has.
pub const EARLIER_MAX: usize = 1_000;

/// The longest path of a tree with 2⁶³ leaves, and one more for the old tree's own node.
const PATH_MAX: usize = 64;

/// Where the log's tree stood before, and the proof that the tree under the bundle's checkpoint begins
/// with that (RFC 6962, 2.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// How many leaves it had.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The proof.
    pub path: Vec<Hash>,
}

impl Earlier {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let size = lines.next()?.strip_prefix("old ").and_then(number)?;
        let root = lines.next()?.strip_prefix("root ").and_then(Hash::from_base64)?;
        let mut path = Vec::new();
        for line in lines {
            path.push(Hash::from_base64(line)?);
            if path.len() > PATH_MAX {
                return None;
            }
        }
        Some(Self { size, root, path })
    }

    /// Reads one, and makes sure that the tree under a checkpoint begins with it.
    pub(super) fn read(
        name: &str,
        entry: impl Read,
        checkpoint: &Checkpoint,
    ) -> Result<Self, Trouble> {
        let refused =
            |what: &str| Trouble::Earlier { name: name.to_owned(), what: what.to_owned() };
        let read = text(entry)?.and_then(|text| Self::parse(&text));
        let earlier = read.ok_or_else(|| refused("it is not a size, a root and a path"))?;
        let now = (checkpoint.size, checkpoint.root);
        verify_consistency((earlier.size, earlier.root), now, &earlier.path)
            .map_err(|error| refused(&error.to_string()))?;
        Ok(earlier)
    }
}

impl fmt::Display for Earlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}\nroot {}", self.size, self.root)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{hash}"))
    }
}
