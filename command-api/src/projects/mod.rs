//! Projects.

mod archive;
mod create;
mod update;

pub use archive::ArchiveProject;
pub use create::{CreateProject, CreateProjectRequest, ProjectCreated};
pub use update::{UpdateProject, UpdateProjectRequest};
