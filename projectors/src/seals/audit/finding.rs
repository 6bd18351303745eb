//! What an audit finds.

use proofs::Hash;
use uuid::Uuid;

use crate::seals::sound::Fault;

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// An entry is gone.
    #[error("the entry at position {position} is missing")]
    Missing {
        /// Where.
        position: i64,
    },
    /// Entries stand where others do, or reach into each other.
    #[error("more entries stand from position {position} on than there are places")]
    Doubled {
        /// Where the places begin.
        position: i64,
    },
    /// The log ends before what was sealed.
    #[error(
        "the log's end was cut off: it ends at position {head}, and was sealed up to {sealed}; what is \
         missing begins at position {}", head + 1
    )]
    Shorter {
        /// The head.
        head: i64,
        /// Up to where it was sealed.
        sealed: i64,
    },
    /// Something stands beyond the head.
    #[error(
        "an entry stands at position {position}, beyond the log's head at {head}: it was put in"
    )]
    Beyond {
        /// Where.
        position: i64,
        /// The head.
        head: i64,
    },
    /// An entry is not what was sealed.
    #[error(
        "{name} at position {position} is not what was sealed as leaf {number} of organization \
         {organization_id}: it was changed, moved or put in"
    )]
    Changed {
        /// Its type and id.
        name: String,
        /// Where.
        position: i64,
        /// Its place in its organization's tree.
        number: u64,
        /// Whose.
        organization_id: Uuid,
    },
    /// A batch has not the records that it says.
    #[error("{name} at position {position}: {what}")]
    Records {
        /// The batch.
        name: String,
        /// Where.
        position: i64,
        /// What is wrong.
        what: String,
    },
    /// An entry is nothing that orgledger writes there, or has other corrections beside it.
    #[error("{name} at position {position}: {what}")]
    Unsound {
        /// Its type and id.
        name: String,
        /// Where.
        position: i64,
        /// What is wrong.
        what: String,
    },
    /// Corrections stand in the log without an event.
    #[error(
        "{found} corrections of usage are in the log, and its events have {expected}: some were put in"
    )]
    StrayCorrections {
        /// How many there are.
        found: i64,
        /// How many there should be.
        expected: i64,
    },
    /// Records stand in the log without a batch.
    #[error(
        "{found} usage records are in the log, and its batches have {expected}: some were put in"
    )]
    Strays {
        /// How many there are.
        found: i64,
        /// How many there should be.
        expected: i64,
    },
    /// A stored tree is not the one of its leaves.
    #[error(
        "the stored tree of {tree} is not that of its leaves, at tile {level}/{index}: the schema seal was changed"
    )]
    Tile {
        /// An organization, or the log.
        tree: String,
        /// The tile's level.
        level: u32,
        /// Which of its level.
        index: u64,
    },
    /// A leaf of the log's tree is not where an organization's tree stood.
    #[error(
        "leaf {index} of the log's tree is not where organization {organization_id} stood: the schema seal was changed"
    )]
    Head {
        /// Which.
        index: u64,
        /// Whose.
        organization_id: Uuid,
    },
    /// A checkpoint does not count.
    #[error("the checkpoint of size {size} does not count: {reason}")]
    Checkpoint {
        /// Its size.
        size: u64,
        /// Why.
        reason: String,
    },
    /// The sealer's own row is not where its trees are.
    #[error("seal.state is not where the trees stand: the schema seal was changed")]
    State,
    /// The tree is another than it was when a checkpoint was kept.
    #[error(
        "the log was WRITTEN ANEW: at size {size} its tree has the root {found}, and the checkpoint that \
         was kept elsewhere says {kept}"
    )]
    Rewritten {
        /// The checkpoint's size.
        size: u64,
        /// Its root.
        kept: Hash,
        /// What is there now.
        found: Hash,
    },
    /// The tree is smaller than it was when a checkpoint was kept.
    #[error(
        "the log was PUT BACK to an older state: a checkpoint of size {kept} was kept elsewhere, and its \
         tree has the size {found}"
    )]
    PutBack {
        /// The checkpoint's size.
        kept: u64,
        /// What is there now.
        found: u64,
    },
    /// A read model does not follow from the log.
    #[error("the read model {projection} is not what the log says: in {table}, {row}")]
    ReadModel {
        /// The read model.
        projection: String,
        /// The table.
        table: String,
        /// The first row that differs, and how.
        row: String,
    },
}

impl From<Fault> for Finding {
    fn from(Fault { name, position, what }: Fault) -> Self {
        Self::Unsound { name, position, what }
    }
}

/// Why an audit did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Something does not hold.
    #[error(transparent)]
    Found(#[from] Finding),
    /// The database failed.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    /// There is nothing to compare with.
    #[error(
        "the log is not sealed yet: `orgledger dev`, or `orgledger serve projectors` with a signing key, seals it"
    )]
    NotSealed,
}
