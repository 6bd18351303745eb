//! A proof that a leaf is in a log, in a text that stands alone (<https://c2sp.org/tlog-proof>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError, number};
use crate::hash::Hash;
use crate::keys::VerifyingKey;
use crate::note::{Note, NoteError};
use crate::path::{PathError, verify_inclusion};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// The longest path of a tree with 2⁶³ leaves.
const PATH_MAX: usize = 63;

/// The largest extra data that are read, in base64.
const EXTRA_BYTES_MAX: usize = 64 * 1024;

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It is no such text.
    #[error("it is not a proof like c2sp.org/tlog-proof@v1: {0}")]
    Malformed(&'static str),
    /// Its checkpoint is no note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Its checkpoint does not count.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the leaf to the checkpoint's root.
    #[error("the leaf is not under the checkpoint: {0}")]
    Path(#[from] PathError),
}

/// A proof that a leaf is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// What the application adds. Nothing vouches for it.
    pub extra: Option<Vec<u8>>,
    /// The leaf's place.
    pub index: u64,
    /// From the leaf's sibling up.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

impl Proof {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let malformed = ProofError::Malformed;
        let (proof, note) = text.split_once("\n\n").ok_or(malformed("it has no checkpoint"))?;
        let mut lines = proof.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(malformed("it begins otherwise"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let extra = extra.map(|line| line.trim_start_matches("extra "));
        if extra.is_some_and(|extra| extra.len() > EXTRA_BYTES_MAX) {
            return Err(malformed("its extra data are too long"));
        }
        let extra = extra.map(|extra| STANDARD.decode(extra)).transpose();
        let extra = extra.map_err(|_| malformed("its extra data are not base64"))?;
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(number);
        let index = index.ok_or(malformed("it has no index"))?;
        let mut path = Vec::new();
        for line in lines {
            path.push(Hash::from_base64(line).ok_or(malformed("a line is no hash"))?);
            if path.len() > PATH_MAX {
                return Err(malformed("its path is too long"));
            }
        }
        Ok(Self { extra, index, path, checkpoint: Note::parse(note)? })
    }

    /// Makes sure that the leaf with this hash is under a checkpoint that one of the keys signed.
    pub fn verify(&self, leaf: Hash, keys: &[VerifyingKey]) -> Result<Checkpoint, ProofError> {
        let (checkpoint, _) = Checkpoint::verify(&self.checkpoint, keys)?;
        verify_inclusion(leaf, self.index, checkpoint.size, &self.path, checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl std::fmt::Display for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
