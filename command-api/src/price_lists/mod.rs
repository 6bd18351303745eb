//! Price lists.

mod publish;

pub use publish::{PriceListPublished, PublishPriceList};
