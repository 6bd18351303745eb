//! Credits.

pub(crate) mod grant;
pub(crate) mod purchase;

pub use grant::{GrantCredits, GrantCreditsRequest};
pub use purchase::{CreditsAdded, PurchaseCredits, PurchaseCreditsRequest};
