//! Projects.

pub(crate) mod archive;
pub(crate) mod create;
pub(crate) mod update;

pub use archive::ArchiveProject;
pub use create::{CreateProject, CreateProjectRequest, ProjectCreated};
pub use update::{UpdateProject, UpdateProjectRequest};
