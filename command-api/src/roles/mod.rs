//! Custom roles, and who has them.

pub(crate) mod define;
pub(crate) mod grant;
pub(crate) mod remove;
pub(crate) mod update;
pub(crate) mod withdraw;

pub use define::{DefineRole, DefineRoleRequest, RoleDefined};
pub use grant::{GrantRole, RoleGrantRequest};
pub use remove::RemoveRole;
pub use update::{UpdateRole, UpdateRoleRequest};
pub use withdraw::WithdrawRole;
