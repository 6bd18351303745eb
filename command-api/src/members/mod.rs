//! Members.

pub(crate) mod add;
pub(crate) mod change_role;
pub(crate) mod leave;
pub(crate) mod reinstate;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod suspend;
pub(crate) mod transfer_ownership;

pub use add::{AddMember, AddMemberRequest, MemberAdded};
pub use change_role::{ChangeMemberRole, ChangeMemberRoleRequest};
pub use leave::LeaveOrganization;
pub use reinstate::ReinstateMember;
pub use remove::{RemoveMember, RemoveMemberRequest};
pub use rename::{RenameMember, RenameMemberRequest};
pub use suspend::{SuspendMember, SuspendMemberRequest};
pub use transfer_ownership::TransferOwnership;
