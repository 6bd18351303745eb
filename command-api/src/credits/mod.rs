//! Credits.

mod grant;
mod purchase;

pub use grant::{GrantCredits, GrantCreditsRequest};
pub use purchase::{CreditsAdded, PurchaseCredits, PurchaseCreditsRequest};
