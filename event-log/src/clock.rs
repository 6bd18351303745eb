//! The one place where the log's side of orgledger reads the clock.

use chrono::{DateTime, SubsecRound, Utc};

/// The time now, in microseconds: as fine as Postgres keeps it.
#[allow(clippy::disallowed_methods)] // This is the edge that the lint sends everybody to.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
