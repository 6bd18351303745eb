//! Read models: one projection a file, and the runtime that feeds them.
//!
//! A projection's tables are a function of the log and nothing else. Its rows and its checkpoint
//! commit together, so every entry of the log is applied exactly once, whoever applies it and
//! however often that is interrupted; and they can be thrown away and built again at any time,
//! beside the ones that readers use.
//!
//! Each build of a projection has a schema of its own, `read_<projection>_<build>`. Readers use the
//! views in the schema `read`, which show the build in service. When another one takes over, it does
//! so for all views at once, and each statement in `READ COMMITTED` sees one build, complete. A
//! longer-lived snapshot (`REPEATABLE READ`) has to begin with `lock table … in access share mode`
//! on the projection's first view by name: views are replaced in order of their names, so that this
//! lock keeps all of them, and the tables that they show, until the snapshot is given up.

pub mod access_register;
pub mod access_reviews;
mod apply;
mod audit_log;
pub mod balances;
mod budgets;
mod builds;
mod compare;
pub mod cost_per_feature;
mod error;
pub mod events;
pub mod feed;
pub mod last_use;
mod oversight;
mod prices;
pub mod projection;
mod rebuild;
pub mod replay;
mod runtime;
pub mod seals;
mod status;
pub mod temporal;
mod views;

pub use compare::{Compared, changed_view, compare};
pub use error::RunError;
pub use feed::{Feed, FeedError, JetStreamFeed, PostgresFeed};
pub use projection::{Projection, ProjectionError, Registered, all, named};
pub use rebuild::{Progress, Rebuilt, rebuild};
pub use runtime::{Config, Projectors, catch_up};
pub use status::{
    Difference, Fingerprint, ProjectionStatus, TableFingerprint, fingerprint, status,
};
