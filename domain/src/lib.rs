//! The rules of orgledger: one decider a file, pure. Nothing here knows of Postgres, HTTP, the
//! clock or randomness; ids, times and secrets come in with the command.
//!
//! A rule that spans two streams is enforced by *evidence*: the roster hands out an
//! [`organization::ActiveMember`] that only it can make, and a project's decider asks for one.
//! Whoever decides has therefore read the roster, and the append names the roster's sequence, so
//! the evidence still holds when the decision commits.

pub mod decider;

pub mod access_review;
pub mod api_key;
pub mod approval;
pub mod budget;
pub mod catalogue;
pub mod credit_account;
pub mod name;
pub mod organization;
pub mod person;
pub mod price_list;
pub mod pricing;
pub mod project;
pub mod service_account;
pub mod text;
pub mod usage;
pub mod usage_month;
pub mod usage_repricing;
pub mod webhook;

#[cfg(test)]
mod testing;

pub use decider::{Decider, Root};
