//! Secrets kept in files of the data directory.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Where a credential is for people to take it from.
pub(crate) enum Kept {
    /// In a file that only this user can read.
    In(PathBuf),
    /// In none: here it is.
    Nowhere(String),
}

impl Kept {
    /// The credential as a shell reads it within double quotes.
    pub(crate) fn in_shell(&self) -> String {
        match self {
            Self::In(path) => format!("$(cat '{}')", path.display()),
            Self::Nowhere(secret) => secret.clone(),
        }
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::In(path) => write!(f, "in {}", path.display()),
            Self::Nowhere(secret) => f.write_str(secret),
        }
    }
}

/// Writes a secret that only this user can read, once: where another process was faster, its secret
/// counts.
pub(crate) fn write_secret(path: &Path, text: &str) -> std::io::Result<String> {
    let staged = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&staged)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&staged, path);
    std::fs::remove_file(&staged)?;
    match linked {
        Ok(()) => Ok(text.to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok(std::fs::read_to_string(path)?.trim().to_owned())
        }
        Err(error) => Err(error),
    }
}
