//! Why projections do not go on.

use crate::feed::FeedError;
use crate::projection::ProjectionError;

/// Why a projection was not brought up to date or rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such projection.
    #[error("there is no projection '{name}': it is one of {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// All there are.
        known: String,
    },
    /// The log could not be read.
    #[error("reading the log: {0}")]
    Feed(#[from] FeedError),
    /// A page could not be applied.
    #[error("applying the log: {0}")]
    Projection(#[from] ProjectionError),
    /// A newer program has built the tables that are in service.
    #[error(
        "the read model {projection} is of version {serving}, and this program knows {known}: use \
         the newer program"
    )]
    Newer {
        /// The projection.
        projection: &'static str,
        /// The version in service.
        serving: i32,
        /// This program's.
        known: i32,
    },
    /// What a build holds does not agree with itself. It does not go into service.
    #[error("the new build of {projection} does not go into service: {what}")]
    Disagrees {
        /// The projection.
        projection: &'static str,
        /// The first disagreement.
        what: String,
    },
    /// The build was replaced or given up by another process meanwhile.
    #[error("another process has replaced the build of {projection}")]
    Replaced {
        /// The projection.
        projection: &'static str,
    },
}

impl From<sqlx::Error> for RunError {
    fn from(error: sqlx::Error) -> Self {
        Self::Projection(error.into())
    }
}
