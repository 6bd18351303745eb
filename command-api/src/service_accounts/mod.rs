//! Service accounts.

mod create;
mod disable;
mod remove;

pub use create::{CreateServiceAccount, CreateServiceAccountRequest, ServiceAccountCreated};
pub use disable::{DisableServiceAccount, DisableServiceAccountRequest};
pub use remove::RemoveServiceAccount;
