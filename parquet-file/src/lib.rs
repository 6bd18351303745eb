//! Tables as Parquet files, written and read a row group at a time: what is held in memory is one
//! group, however long the table is.
//!
//! Amounts are `DECIMAL(38, 12)`, exact as in the tables they come from; times are microseconds in
//! UTC, which is all that Postgres keeps. Columns may be null. Pages are compressed with Snappy,
//! which every reader knows and which needs no C.

mod columns;
mod reader;
mod writer;

pub use columns::{Column, Kind, Values};
pub use reader::ParquetReader;
pub use writer::ParquetWriter;

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ParquetError {
    /// What was given is not what the header says: another number of columns, rows of different
    /// lengths, another kind.
    #[error("column {column}: {why}")]
    Mismatch {
        /// The column.
        column: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file could not be written or read.
    #[error(transparent)]
    Parquet(#[from] parquet::errors::ParquetError),
}
