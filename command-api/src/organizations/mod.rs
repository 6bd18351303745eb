//! Organizations.

pub(crate) mod archive;
pub(crate) mod create;
pub(crate) mod security;
pub(crate) mod settings;
pub(crate) mod update;

pub use archive::ArchiveOrganization;
pub use create::{CreateOrganization, FirstOwner, FirstOwnerAdded, OrganizationCreated};
pub use security::{ReplaceSecurity, WrongIssuer};
pub use settings::ReplaceSettings;
pub use update::{UpdateOrganization, UpdateOrganizationRequest};
