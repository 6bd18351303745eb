//! Price lists.

pub(crate) mod publish;

pub use publish::{PriceListPublished, PublishPriceList};
