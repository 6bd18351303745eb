//! Months of usage: what becomes of their records. No route leads here: who archives owns the log's
//! tables, and does it on the command line.

mod archive;
mod drop;
mod restore;

pub use archive::ArchiveUsageMonth;
pub use drop::DropUsageMonth;
pub use restore::RestoreUsageMonth;
