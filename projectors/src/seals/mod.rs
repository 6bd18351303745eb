//! Sealing the log: one more projector, whose tables are trees of hashes, and which signs their roots.
//!
//! About once a second what is new becomes leaves of its organizations' trees, each organization that
//! changed a leaf of the log's tree, and the root of that is signed. It all is one transaction for each
//! page, under the lock of the row `seal.state`: any number of sealers may run and be killed, and each
//! entry is a leaf once. Nothing is signed where what was sealed before is not what stands there now.
//!
//! Whether it all holds is asked by [`audit`]; [`export`] takes an organization's part of it elsewhere.

pub mod anchors;
pub mod audit;
mod checks;
mod error;
mod export;
mod leaves;
mod look_back;
mod page;
mod read;
mod run;
mod sign;
mod sound;
mod trees;

pub use error::SealError;
pub use export::{ExportError, Exported, Range, Wanted, export};
pub use read::{SealStatus, seal_status};
pub use run::{SealConfig, catch_up, run};

use sqlx::{PgPool, Postgres, Transaction};

/// A transaction that finds what it reads by indexes: the planner knows nothing yet of a partition that is
/// being filled, and would read all of it.
async fn begin_by_index(log: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    log.begin_with("begin; set local enable_seqscan to off").await
}

/// Counts and positions are never negative; the database has no type that says so.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A size or position back in the database's type; 2⁶³ leaves are never reached.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
