//! What the two HTTP APIs share: problem responses, authentication, idempotency keys, entity tags,
//! paging, points in time, limits, health, signing in and serving.
//!
//! A binary builds its router from the APIs' routes, puts [`rate::limit`] around them, adds
//! [`health::routes`], wraps all of it in [`limits::apply`] and hands it to [`serve::serve`].

pub mod authentication;
pub mod etag;
pub mod extract;
pub mod health;
pub mod idempotency;
pub mod limits;
pub mod links;
pub mod observe;
pub mod paging;
pub mod permissions;
pub mod problem;
pub mod rate;
pub mod serve;
pub mod sign_in;
pub mod temporal;
pub mod words;

pub use authentication::{Authenticator, Caller, OperatorCredential};
pub use etag::{IfMatch, IfMatchRequired};
pub use extract::{Json, Path, Query};
pub use idempotency::IdempotencyKey;
pub use limits::Limits;
pub use paging::{Cursor, Limit, Page};
pub use problem::{Problem, ProblemKind};
pub use rate::{RateLimiter, RatePolicy};
pub use temporal::{AsOf, Position, TimeBound};

/// The response header that says which position of the log an answer reflects.
pub const POSITION_HEADER: &str = "orgledger-position";
