//! Service accounts.

pub(crate) mod create;
pub(crate) mod disable;
pub(crate) mod remove;

pub use create::{CreateServiceAccount, CreateServiceAccountRequest, ServiceAccountCreated};
pub use disable::{DisableServiceAccount, DisableServiceAccountRequest};
pub use remove::RemoveServiceAccount;
