//! An archive of a month of usage: Parquet files with every column of its records, and a manifest
//! that says what is in them. It is read back, to the last bit, before anything rests on it.
//!
//! Records are compared as rows of Postgres's binary COPY format, in order of position: what the
//! database copies out, what the files say, and what is copied back in are the same bytes, or it
//! goes no further.

mod files;
mod manifest;
mod restore;
mod rows;
mod source;
mod write;

use std::io;
use std::path::{Path, PathBuf};

pub use manifest::{ArchiveFile, Manifest, Totals, VersionTotals};
pub use restore::{restore_dropped, restore_kept};
pub use write::{Archive, open, write};

use super::months::MonthError;

/// Why a month was not archived, or not restored. Nothing was detached, dropped or attached.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file could not be written or read.
    #[error("cannot {doing} {path}: {source}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A Parquet file could not be written or read.
    #[error("cannot {doing} {path}: {source}")]
    Parquet {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: parquet_file::ParquetError,
    },
    /// There is no archive.
    #[error("there is no archive in {0}: it has no manifest")]
    NoManifest(PathBuf),
    /// It is no archive of this month of this log.
    #[error("{path} is not the archive that is wanted: {why}")]
    NotThis {
        /// The manifest.
        path: PathBuf,
        /// What is otherwise.
        why: String,
    },
    /// What was read back is not what is there.
    #[error("{what} is not what {other} says ({difference}); nothing was changed")]
    Differs {
        /// What was read.
        what: String,
        /// What it was compared with.
        other: &'static str,
        /// The first difference.
        difference: String,
    },
    /// What the database copied out cannot be read.
    #[error("the database's copy of the records cannot be read: {0}")]
    Copied(&'static str),
    /// What a file holds cannot be a record.
    #[error("a file of the archive does not hold records: {0}")]
    Unlike(&'static str),
    /// The table has columns that an archive of this program would leave out.
    #[error(
        "log.usage_records has columns that this program does not know: {0}; use the newer program"
    )]
    UnknownColumns(String),
    /// The month's table could not be moved.
    #[error(transparent)]
    Month(#[from] MonthError),
    /// The database failed.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    /// The manifest could not be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl ArchiveError {
    fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { doing, path: path.to_owned(), source }
    }

    fn parquet(
        doing: &'static str,
        path: &Path,
    ) -> impl FnOnce(parquet_file::ParquetError) -> Self {
        move |source| Self::Parquet { doing, path: path.to_owned(), source }
    }
}
