//! What usage costs: pure arithmetic on the prices in force when it happened. Exact, and rounded
//! once, on the record's total.

mod book;
mod matching;

#[cfg(test)]
mod tests;

use event_schemas::{Amount, Currency, PriceStatus, Rates};

pub use book::PriceBook;
pub(crate) use matching::invalid_regex;
pub use matching::matches;

/// Rates are for this many tokens.
pub const TOKENS_PER_RATE: i128 = 1_000_000;

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
    /// Output tokens that were reasoning; they cost what output costs.
    pub reasoning: i64,
}

/// What has a rate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Input that was neither read from nor written to the provider's cache.
    Input,
    /// Input out of the provider's cache.
    CachedInput,
    /// Input written to the provider's cache.
    CacheWrite,
    /// Output.
    Output,
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
    /// The model has no rate for tokens that were used.
    NoRate(TokenKind),
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
        Self {
            status: PriceStatus::Unpriced,
            price_version: None,
            cost_pico: None,
            currency: None,
            unpriced: Some(reason),
        }
    }
}

/// Why a record cannot be priced at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PricingError {
    /// The cost does not fit 64 bits of pico-units, about 9.2 million units of the currency.
    #[error("the cost of the record is too large")]
    CostTooLarge,
    /// A count is below zero, or more input is cached and written than there is;
    /// [`crate::usage::UsageRecord::check`] refuses such records first.
    #[error("the token counts contradict each other")]
    ImpossibleCounts,
}

/// The cost in pico-units, or the kind of tokens that has no rate.
fn cost_pico(rates: &Rates, tokens: &Tokens) -> Result<Result<i64, TokenKind>, PricingError> {
    let uncached = plain_input(tokens)?;
    let lines = [
        (TokenKind::Input, uncached, rates.input),
        (TokenKind::CachedInput, tokens.cached_input, rates.cached_input.or(rates.input)),
        (TokenKind::CacheWrite, tokens.cache_write, rates.cache_write.or(rates.input)),
        (TokenKind::Output, tokens.output, rates.output),
    ];
    let mut millionths: i128 = 0;
    for (kind, count, rate) in lines {
        if count == 0 {
            continue;
        }
        let Some(rate) = rate else { return Ok(Err(kind)) };
        millionths = line_cost(count, rate)
            .and_then(|line| millionths.checked_add(line))
            .ok_or(PricingError::CostTooLarge)?;
    }
    // A model that is listed without any price: not even a request without tokens costs a known 0.
    if *rates == Rates::default() {
        return Ok(Err(TokenKind::Input));
    }
    let pico = divided_half_to_even(millionths, TOKENS_PER_RATE);
    i64::try_from(pico).map(Ok).map_err(|_| PricingError::CostTooLarge)
}

/// Input that costs the plain rate: what was neither read from the cache nor written to it.
fn plain_input(tokens: &Tokens) -> Result<i64, PricingError> {
    let Tokens { input, cached_input, cache_write, output, reasoning: _ } = *tokens;
    let possible = [input, cached_input, cache_write, output].into_iter().all(|count| count >= 0);
    input
        .checked_sub(cached_input)
        .and_then(|rest| rest.checked_sub(cache_write))
        .filter(|rest| possible && *rest >= 0)
        .ok_or(PricingError::ImpossibleCounts)
}

/// In millionths of pico-units.
fn line_cost(count: i64, rate: Amount) -> Option<i128> {
    rate.pico().checked_mul(i128::from(count))
}

/// The quotient rounded to the nearest whole, a half to the even one. `divisor` is above zero.
fn divided_half_to_even(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
        std::cmp::Ordering::Greater => quotient + 1,
    }
}
