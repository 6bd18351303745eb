//! What usage costs: pure arithmetic on the prices in force when it happened. Exact, and rounded
//! once, on the record's total.

mod applicable;
mod book;
mod chosen;
mod cost;
mod explain;
mod list;
mod matching;
mod quantities;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use event_schemas::{Currency, Measure, OrganizationId, PriceStatus, Units};

pub use book::{ANY_PROVIDER, OwnLater, PriceBook, UNKNOWN_PROVIDER};
pub use chosen::{ChosenList, ChosenPrices};
pub use explain::{Exact, ExplainedLine, Explanation, MarkUp, PricedBy};
pub(crate) use matching::invalid_regex;
pub use matching::matches;

/// The tokens of one record, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Input tokens, cached and written ones included.
    pub input: i64,
    /// Input tokens that came out of the provider's cache.
    pub cached_input: i64,
    /// Input tokens that were written to the provider's cache.
    pub cache_write: i64,
    /// Output tokens, reasoning included.
    pub output: i64,
    /// Output tokens that were reasoning.
    pub reasoning: i64,
}

/// What is priced: a record, as far as its cost hangs on it.
#[derive(Debug, Clone, Copy)]
pub struct Used<'a> {
    /// Whose usage it is: an organization may have prices of its own.
    pub organization_id: OrganizationId,
    /// Who served the model.
    pub provider: &'a str,
    /// The model, as the provider names it.
    pub model: &'a str,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Its tokens.
    pub tokens: Tokens,
    /// What else was used. A total includes its parts.
    pub units: &'a Units,
    /// The service tier; none for the plain one.
    pub service_tier: Option<&'a str>,
    /// Whether the request failed.
    pub failed: bool,
}

impl Used<'_> {
    /// Whether it failed and used nothing, so that there is nothing to price.
    fn nothing(&self) -> bool {
        self.failed && self.tokens == Tokens::default() && self.units.is_empty()
    }
}

/// Why no price is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnpricedReason {
    /// No list prices the provider.
    UnknownProvider,
    /// The provider's lists were not in force yet.
    NotYetInForce,
    /// The lists in force do not have the model.
    UnknownModel,
    /// The model has no rate for something that was used.
    NoRate(Measure),
}

/// What a record costs, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priced {
    /// Whether it has a cost.
    pub status: PriceStatus,
    /// The position of the `price_list.published` event that priced it.
    pub price_version: Option<i64>,
    /// The cost in pico-units (10⁻¹²) of the currency, rounded half to even.
    pub cost_pico: Option<i64>,
    /// The cost's currency.
    pub currency: Option<Currency>,
    /// Why it has no cost, where it has none.
    pub unpriced: Option<UnpricedReason>,
}

impl Priced {
    const NOT_BILLED: Self = Self {
        status: PriceStatus::NotBilled,
        price_version: None,
        cost_pico: None,
        currency: None,
        unpriced: None,
    };

    fn at(price_version: i64, currency: Currency, cost_pico: i64) -> Self {
        Self {
            status: PriceStatus::Priced,
            price_version: Some(price_version),
            cost_pico: Some(cost_pico),
            currency: Some(currency),
            unpriced: None,
        }
    }

    fn unpriced(reason: UnpricedReason) -> Self {
        Self { status: PriceStatus::Unpriced, unpriced: Some(reason), ..Self::NOT_BILLED }
    }
}

/// Why a record cannot be priced at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PricingError {
    /// The cost does not fit 64 bits of pico-units, about 9.2 million units of the currency.
    #[error("the cost of the record is too large")]
    CostTooLarge,
    /// A count is below zero, or a part is more than its whole;
    /// [`crate::usage::UsageRecord::check`] refuses such records first.
    #[error("the counts contradict each other")]
    ImpossibleCounts,
}
