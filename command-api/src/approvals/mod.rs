//! Approvals: what is sensitive waits for a second person, where the organization has set it so.

pub(crate) mod approve;
pub(crate) mod decline;
mod sensitive;
pub(crate) mod withdraw;

pub use approve::ApproveApproval;
pub use decline::{DeclineApproval, DeclineApprovalRequest};
pub use sensitive::Sensitive;
pub use withdraw::WithdrawApproval;
