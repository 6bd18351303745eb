//! Why nothing is signed.

use uuid::Uuid;

use super::sound::Fault;

/// Why nothing is signed. Nothing of what was being sealed is kept.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The database failed.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    /// The log cannot be read, or has a hole.
    #[error("reading the log: {0}")]
    Log(#[from] event_log::ReadError),
    /// There is nothing to sign with.
    #[error("there is no signing key: `orgledger signing-key new` makes one")]
    NoKey,
    /// Keys have another name.
    #[error(
        "the signing key is of '{key}', and this log was sealed as '{origin}': a new key takes the \
         name of the one before it"
    )]
    OtherName {
        /// The key's name.
        key: String,
        /// The log's.
        origin: String,
    },
    /// The log has become shorter.
    #[error(
        "the log ends at position {head} and was sealed up to {sealed}: its end was cut off, or the \
         database was put back to an older state"
    )]
    Shorter {
        /// The log's head.
        head: i64,
        /// Up to where it was sealed.
        sealed: i64,
    },
    /// An entry is not what was sealed.
    #[error(
        "what stands at position {position} is not what was sealed there (leaf {number} of \
         organization {organization_id})"
    )]
    Changed {
        /// Where.
        position: i64,
        /// Its place in its organization's tree.
        number: u64,
        /// Whose.
        organization_id: Uuid,
    },
    /// A batch has not the records that it says.
    #[error("usage batch {batch_id} at position {position}: {what}")]
    Records {
        /// The batch.
        batch_id: Uuid,
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
    /// What was sealed is not what was signed.
    #[error(
        "the stored tree of {tree} is not the one that was signed: the schema seal was changed"
    )]
    Tree {
        /// An organization, or the log.
        tree: String,
    },
    /// The system has no randomness.
    #[error("the system gives no random bytes")]
    Random,
}

impl From<Fault> for SealError {
    fn from(Fault { name, position, what }: Fault) -> Self {
        Self::Unsound { name, position, what }
    }
}

impl SealError {
    /// Whether trying again may help; else somebody has to look.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Sqlx(_) | Self::Random => true,
            Self::Log(error) => match error {
                event_log::ReadError::Sqlx(_) => true,
                event_log::ReadError::Hole { .. }
                | event_log::ReadError::Corrections { .. }
                | event_log::ReadError::Archived { .. } => false,
            },
            Self::NoKey
            | Self::OtherName { .. }
            | Self::Shorter { .. }
            | Self::Changed { .. }
            | Self::Records { .. }
            | Self::Unsound { .. }
            | Self::Tree { .. } => false,
        }
    }
}
