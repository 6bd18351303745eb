//! Checkpoints that were kept outside.

use std::path::Path;

use anyhow::{Context as _, ensure};
use proofs::{Checkpoint, CheckpointError, Note, NoteError, VerifyingKey};

/// Reads a file of checkpoints, one after another with an empty line between. Each must be signed by a key
/// that one trusts: whoever keeps checkpoints keeps them as they came.
pub(super) fn read(path: &Path, keys: &[VerifyingKey]) -> anyhow::Result<Vec<Checkpoint>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut checkpoints = Vec::new();
    let blocks: Vec<&str> = text
        .split("\n\n")
        .map(|block| block.trim_matches('\n'))
        .filter(|block| !block.is_empty())
        .collect();
    ensure!(!blocks.is_empty(), "there is no checkpoint in {}", path.display());
    for (number, note) in blocks.chunks(2).enumerate() {
        let read = || -> anyhow::Result<Checkpoint> {
            let [text, signatures] = note else { anyhow::bail!("it has no signature") };
            let note = Note::parse(&format!("{text}\n\n{signatures}\n"))?;
            match Checkpoint::verify(&note, keys) {
                Ok((checkpoint, _)) => Ok(checkpoint),
                Err(error @ CheckpointError::Note(NoteError::Unsigned(_))) => anyhow::bail!(
                    "{}; where that is a key of this log that was replaced since, name it too \
                     (--key NEW,OLD)",
                    crate::printable_line(&error.to_string())
                ),
                Err(error) => anyhow::bail!("{}", crate::printable_line(&error.to_string())),
            }
        };
        let checkpoint =
            read().with_context(|| format!("{}: checkpoint {}", path.display(), number + 1))?;
        checkpoints.push(checkpoint);
    }
    checkpoints.sort_by_key(|checkpoint| checkpoint.size);
    Ok(checkpoints)
}
