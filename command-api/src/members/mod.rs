//! Members.

pub(crate) mod add;
pub(crate) mod change_role;
pub(crate) mod reinstate;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod suspend;

pub use add::{AddMember, AddMemberRequest, MemberAdded};
pub use change_role::{ChangeMemberRole, ChangeMemberRoleRequest};
pub use reinstate::ReinstateMember;
pub use remove::{RemoveMember, RemoveMemberRequest};
pub use rename::{RenameMember, RenameMemberRequest};
pub use suspend::{SuspendMember, SuspendMemberRequest};
