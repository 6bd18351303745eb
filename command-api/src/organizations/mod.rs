//! Organizations.

mod archive;
mod create;
mod update;

pub use archive::ArchiveOrganization;
pub use create::{CreateOrganization, OrganizationCreated};
pub use update::{UpdateOrganization, UpdateOrganizationRequest};
