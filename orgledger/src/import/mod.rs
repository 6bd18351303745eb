//! Imports: bringing in histories, prices and usage from files.

pub(crate) mod lines;
pub(crate) mod membership;
pub(crate) mod prices;
pub(crate) mod usage;
