//! Read models: one projection a file, and the runtime that feeds them.
//!
//! A projection's tables are a function of the log and nothing else. Its rows and its checkpoint
//! commit together, so every entry of the log is applied exactly once, whoever applies it and
//! however often that is interrupted; and they can be thrown away and built again at any time,
//! beside the ones that readers use.
//!
//! Each build of a projection has a schema of its own, `read_<projection>_<build>`. Readers use the
//! views in the schema `read`, which show the build in service. When another build takes over, a
//! reader waits for a moment at most. In `READ COMMITTED` each of its statements sees one build,
//! complete; in a longer-lived snapshot (`REPEATABLE READ`), it has to lock the views it reads
//! first: `lock table … in access share mode`.

pub mod access_register;
mod apply;
pub mod balances;
mod builds;
pub mod cost_per_feature;
mod error;
pub mod events;
pub mod feed;
pub mod projection;
mod rebuild;
mod runtime;
mod status;
pub mod temporal;
mod views;

pub use error::RunError;
pub use feed::{Feed, FeedError, JetStreamFeed, PostgresFeed};
pub use projection::{Projection, ProjectionError, Registered, all, named};
pub use rebuild::{Progress, Rebuilt, rebuild};
pub use runtime::{Config, Projectors, catch_up};
pub use status::{Fingerprint, ProjectionStatus, TableFingerprint, fingerprint, status};
