//! Checkpoints: how far a log's tree goes, in the text of a note (<https://c2sp.org/tlog-checkpoint>).

use crate::hash::Hash;
use crate::keys::VerifyingKey;
use crate::note::{Note, NoteError};

/// Why a note is no checkpoint that counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not signed, or not by whom one trusts.
    #[error("the checkpoint does not count: {0}")]
    Note(#[from] NoteError),
    /// The text is no checkpoint's.
    #[error("the note is no checkpoint: it wants an origin, a size and a root")]
    Malformed,
    /// No key of the log itself has signed it: witnesses have.
    #[error("the checkpoint is signed by witnesses alone")]
    NoLog,
    /// It is of another log than the key.
    #[error("the checkpoint is of {0}, and the key of another log")]
    OtherLog(String),
}

/// How far a log's tree goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The tree's root.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Reads a note's text. Lines after the third are extensions, which say nothing here.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let read = || {
            let mut lines = text.strip_suffix('\n')?.split('\n');
            let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
            let is_whole = !origin.is_empty() && lines.all(|line| !line.is_empty());
            let checkpoint = Self {
                origin: origin.to_owned(),
                size: number(size)?,
                root: Hash::from_base64(root)?,
            };
            is_whole.then_some(checkpoint)
        };
        read().ok_or(CheckpointError::Malformed)
    }

    /// Reads a signed one, and makes sure that a key of this log signed it. Which keys did.
    pub fn verify<'k>(
        note: &Note,
        keys: &'k [VerifyingKey],
    ) -> Result<(Self, Vec<&'k VerifyingKey>), CheckpointError> {
        let signers = note.verified_by(keys)?;
        let checkpoint = Self::parse(&note.text)?;
        let mut of_log = signers.iter().filter(|key| !key.is_witness()).peekable();
        if of_log.peek().is_none() {
            return Err(CheckpointError::NoLog);
        }
        if !of_log.any(|key| key.name() == checkpoint.origin) {
            return Err(CheckpointError::OtherLog(checkpoint.origin));
        }
        Ok((checkpoint, signers))
    }
}

/// A decimal number without leading zeroes or a sign.
pub(crate) fn number(text: &str) -> Option<u64> {
    let is_plain =
        text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}
