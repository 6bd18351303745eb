//! Price lists.

pub(crate) mod publish;
pub(crate) mod publish_own;

pub use publish::{PriceListPublished, PublishPriceList};
pub use publish_own::{PublishOwnPrices, PublishOwnPricesRequest};
