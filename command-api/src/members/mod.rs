//! Members.

mod add;
mod change_role;
mod reinstate;
mod remove;
mod rename;
mod suspend;

pub use add::{AddMember, AddMemberRequest, MemberAdded};
pub use change_role::{ChangeMemberRole, ChangeMemberRoleRequest};
pub use reinstate::ReinstateMember;
pub use remove::{RemoveMember, RemoveMemberRequest};
pub use rename::{RenameMember, RenameMemberRequest};
pub use suspend::{SuspendMember, SuspendMemberRequest};
