//! Organizations.

pub(crate) mod archive;
pub(crate) mod create;
pub(crate) mod update;

pub use archive::ArchiveOrganization;
pub use create::{CreateOrganization, OrganizationCreated};
pub use update::{UpdateOrganization, UpdateOrganizationRequest};
