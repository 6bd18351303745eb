//! What all commands go through.

mod access_reviews;
mod batches;
mod concurrency;
mod idempotency;
mod permissions;
mod preconditions;
mod processes;
mod secrets;
mod signed_in;
