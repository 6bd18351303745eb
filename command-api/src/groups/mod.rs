//! Groups, and who is in them.

pub(crate) mod add_member;
pub(crate) mod create;
pub(crate) mod remove;
pub(crate) mod remove_member;
pub(crate) mod update;

pub use add_member::AddGroupMember;
pub use create::{CreateGroup, CreateGroupRequest, GroupCreated};
pub use remove::RemoveGroup;
pub use remove_member::RemoveGroupMember;
pub use update::{UpdateGroup, UpdateGroupRequest};
