//! Checkpoints in a file that is only appended to: on another machine's disk, or one that can be
//! written once.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;

/// Appends a checkpoint, with an empty line after it. It is on the disk when this returns.
pub(super) fn append(path: &Path, note: &str) -> anyhow::Result<()> {
    let write = || {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
        // In one piece: who is killed within it leaves a last checkpoint that is cut off, which a reader
        // refuses by name.
        file.write_all(format!("{note}\n").as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot append to {}", path.display()))
}
