//! Members of a project.

mod assign;
mod remove;

pub use assign::{AssignProjectMember, AssignProjectMemberRequest};
pub use remove::RemoveProjectMember;
