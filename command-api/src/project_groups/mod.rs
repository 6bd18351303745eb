//! Groups of a project.

pub(crate) mod assign;
pub(crate) mod remove;

pub use assign::AssignProjectGroup;
pub use remove::RemoveProjectGroup;
