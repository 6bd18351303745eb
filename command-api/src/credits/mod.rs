//! Credits.

pub(crate) mod cross;
pub(crate) mod expire;
pub(crate) mod grant;
mod left;
pub(crate) mod policy;
pub(crate) mod purchase;
pub(crate) mod refund;
pub(crate) mod transfer;

pub use cross::RecordCreditCrossing;
pub use expire::ExpireCredits;
pub use grant::{GrantCredits, GrantCreditsRequest};
pub use left::{LeftOfLot, LotsLeft};
pub use policy::{ChangeCreditPolicy, ChangeCreditPolicyRequest};
pub use purchase::{CreditsAdded, PurchaseCredits, PurchaseCreditsRequest};
pub use refund::{CreditsRefunded, RefundCredits, RefundCreditsRequest};
pub use transfer::{CreditsTransferred, TransferCredits, TransferCreditsRequest};
