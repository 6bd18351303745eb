//! Service accounts.

pub(crate) mod create;
pub(crate) mod disable;
pub(crate) mod remove;
pub(crate) mod update;

pub use create::{CreateServiceAccount, CreateServiceAccountRequest, ServiceAccountCreated};
pub use disable::{DisableServiceAccount, DisableServiceAccountRequest};
pub use remove::RemoveServiceAccount;
pub use update::{UpdateServiceAccount, UpdateServiceAccountRequest};
