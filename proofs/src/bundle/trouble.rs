//! What a bundle proves, or what is wrong with it.

use std::io;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::keys::VerifyingKey;
use crate::leaf::HeadLeaf;
use crate::tlog_proof::ProofError;

/// What a bundle proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Which log.
    pub origin: String,
    /// Whose tree.
    pub organization_id: Uuid,
    /// The first leaf that is here.
    pub first: u64,
    /// The leaf after the last.
    pub end: u64,
    /// How many leaves the organization's tree has.
    pub size: u64,
    /// How many events are here.
    pub events: u64,
    /// How many usage records.
    pub usage_records: u64,
    /// How many corrections of what usage costs.
    pub corrections: u64,
    /// The position of the first entry that is here, and of the last; none where none is.
    pub positions: Option<(u64, u64)>,
    /// When the log learned of the last leaf that is here.
    pub recorded_at: Option<DateTime<Utc>>,
    /// Where the organization's tree stood.
    pub head: HeadLeaf,
    /// The checkpoint above it.
    pub checkpoint: Checkpoint,
    /// Which of the keys signed that.
    pub signers: Vec<VerifyingKey>,
    /// Every checkpoint of the bundle that one of the keys signed, the smallest first.
    pub checkpoints: Vec<Checkpoint>,
    /// How many others it has: what they sealed is under the last one.
    pub others: u64,
    /// Where the log stood before, as proven by the last one: sizes and roots.
    pub earlier: Vec<(u64, Hash)>,
    /// The one record that is here, where it is a bundle of one.
    pub record: Option<ProvenRecord>,
}

/// A single usage record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenRecord {
    /// Its batch.
    pub batch_id: Uuid,
    /// Its place in it, from 0.
    pub ordinal: u64,
    /// How many records the batch has.
    pub count: u64,
    /// Its position in the log.
    pub position: u64,
    /// Its row, in Postgres's binary COPY format.
    pub row: Vec<u8>,
}

impl Verified {
    /// Whether it has every leaf of the organization's tree.
    pub fn is_complete(&self) -> bool {
        self.first == 0 && self.end == self.size && self.record.is_none()
    }

    /// The root that the log had at a size; none where the bundle does not say.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        let checkpoints = self.checkpoints.iter().map(|one| (one.size, one.root));
        let mut known = checkpoints.chain(self.earlier.iter().copied());
        known.find_map(|(of, root)| (of == size).then_some(root))
    }
}

/// A leaf of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// Its place in the organization's tree.
    pub number: u64,
    /// Its position in the log.
    pub position: u64,
    /// Its type and id.
    pub name: String,
}

impl std::fmt::Display for Suspect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "leaf {} ({}, at position {})", self.number, self.name, self.position)
    }
}

/// What is wrong with a bundle.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It cannot be read as a tar file, or ends early.
    #[error("the file cannot be read, or is cut off: {0}")]
    Unreadable(#[from] io::Error),
    /// An entry is missing, or one stands where it does not belong.
    #[error("the file has {found} where {expected} belongs")]
    OtherEntry {
        /// What should be there.
        expected: String,
        /// What is.
        found: String,
    },
    /// The manifest is none.
    #[error("its manifest cannot be read: {0}")]
    Manifest(String),
    /// A proof does not hold.
    #[error("{name}: {error}")]
    Proof {
        /// The entry.
        name: String,
        /// Why.
        error: ProofError,
    },
    /// A proof is of something else than the bundle says.
    #[error("{0} is not of this organization's tree as the manifest has it")]
    OtherHead(String),
    /// A line is no leaf.
    #[error("leaf {number} cannot be read: {reason}")]
    Line {
        /// The leaf that should be there.
        number: u64,
        /// Why.
        reason: String,
    },
    /// A leaf stands where another belongs.
    #[error("leaf {expected} is missing: {found} stands in its place")]
    Missing {
        /// The leaf that should be there.
        expected: u64,
        /// What is.
        found: Suspect,
    },
    /// Leaves are not in the log's order.
    #[error("{0} is not later than the one before it")]
    Order(Suspect),
    /// A leaf is not what was sealed.
    #[error("{0} is not what was sealed: it was changed")]
    Changed(Suspect),
    /// A leaf is what was sealed, and the hash beside it is not.
    #[error("the hash beside {0} was changed; the entry itself is as it was sealed")]
    ChangedHash(Suspect),
    /// Which leaf it is cannot be said.
    #[error("the leaves from {from} to before {to} are not what was sealed{}", suspect.as_ref().map(|one| format!(", the first that does not fit its own hash being {one}")).unwrap_or_default())]
    ChangedSome {
        /// All before it are.
        from: u64,
        /// Where the next proof ends.
        to: u64,
        /// The first one that does not fit the hash beside it.
        suspect: Option<Suspect>,
    },
    /// What should show that the log begins with what it was does not.
    #[error("{name} does not show that the log begins with what it was: {what}")]
    Earlier {
        /// The entry.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// A batch's records are not what was sealed.
    #[error("the records of {batch} are not what was sealed: {what}")]
    Records {
        /// The batch.
        batch: Suspect,
        /// What is wrong with them.
        what: String,
    },
    /// An event's corrections are not those that it was written with.
    #[error("the corrections of {event} are not those that it was written with: {what}")]
    Corrections {
        /// The event.
        event: Suspect,
        /// What is wrong with them.
        what: String,
    },
}
