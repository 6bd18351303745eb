//! The log on Postgres: append, read by position, follow; the usage lane; the relay to NATS.
//!
//! Postgres is the record. Every append locks the one row of `log.head`, takes the next positions
//! from it and commits, so positions are gapless and in commit order and every reader's cursor is
//! one number.

pub mod aggregates;
pub mod append;
mod appender;
pub mod clock;
pub mod database;
pub mod exact;
pub mod follow;
pub mod read;
pub mod relay;
pub mod usage;
pub mod vault;

pub use aggregates::{Aggregates, Loaded};
pub use append::{
    Append, AppendError, Appended, Claim, EventLog, NewEvent, Replay, StreamKey, new_event_id,
};
pub use follow::HeadWatch;
pub use read::{Page, ReadError, UsageRun};
pub use vault::{MasterKeys, Vault, VaultError};
