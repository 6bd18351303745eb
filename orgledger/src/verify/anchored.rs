//! Checkpoints that were kept outside.

use std::path::Path;

use anyhow::{Context as _, ensure};
use proofs::{Checkpoint, CheckpointError, Note, NoteError, VerifyingKey};

/// Reads a file of checkpoints, one after another with an empty line between. Each must be signed by a key
/// that one trusts: whoever keeps checkpoints keeps them as they came.
pub(super) fn read(path: &Path, keys: &[VerifyingKey]) -> anyhow::Result<Vec<Checkpoint>> {
    let mut checkpoints = each(path, |note| match Checkpoint::verify(&note, keys) {
        Ok((checkpoint, _)) => Ok(checkpoint),
        Err(error @ CheckpointError::Note(NoteError::Unsigned(_))) => anyhow::bail!(
            "{}; where that is a key of this log that was replaced since, name it too (--key NEW,OLD)",
            crate::printable_line(&error.to_string())
        ),
        Err(error) => anyhow::bail!("{}", crate::printable_line(&error.to_string())),
    })?;
    checkpoints.sort_by_key(|checkpoint| checkpoint.size);
    Ok(checkpoints)
}

/// The checkpoints of a file as they say themselves, whoever signed them.
pub(crate) fn unverified(path: &Path) -> anyhow::Result<Vec<Checkpoint>> {
    each(path, |note| Ok(Checkpoint::parse(&note.text)?))
}

fn each(
    path: &Path,
    read: impl Fn(Note) -> anyhow::Result<Checkpoint>,
) -> anyhow::Result<Vec<Checkpoint>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let blocks: Vec<&str> = text
        .split("\n\n")
        .map(|block| block.trim_matches('\n'))
        .filter(|block| !block.is_empty())
        .collect();
    ensure!(!blocks.is_empty(), "there is no checkpoint in {}", path.display());
    let note = |note: &[&str]| {
        let [text, signatures] = note else { anyhow::bail!("it has no signature") };
        read(Note::parse(&format!("{text}\n\n{signatures}\n"))?)
    };
    let numbered = blocks.chunks(2).enumerate();
    let named = numbered.map(|(number, blocks)| {
        note(blocks).with_context(|| format!("{}: checkpoint {}", path.display(), number + 1))
    });
    named.collect()
}
