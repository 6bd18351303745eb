//! Members of a project.

pub(crate) mod assign;
pub(crate) mod remove;

pub use assign::{AssignProjectMember, AssignProjectMemberRequest};
pub use remove::RemoveProjectMember;
