//! Putting unpriced usage where it belongs.

use std::collections::BTreeMap;

use event_schemas::Amount;
use serde::Serialize;
use utoipa::ToSchema;

/// What was used, and what it cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Sums {
    /// Requests, priced or not.
    pub requests: i64,
    /// Input tokens, cached and written ones included.
    pub input_tokens: i64,
    /// Input tokens that came out of the provider's cache.
    pub cached_input_tokens: i64,
    /// Input tokens that were written to the provider's cache.
    pub cache_write_tokens: i64,
    /// Output tokens, reasoning included.
    pub output_tokens: i64,
    /// Output tokens that were reasoning.
    pub reasoning_tokens: i64,
    /// The exact cost of what is priced; null where nothing is.
    #[schema(value_type = Option<String>, example = "12.345678901234")]
    pub cost: Option<Amount>,
    /// Requests for whose model no price was known: they are in every sum but the cost.
    pub unpriced_requests: i64,
}

impl Sums {
    /// Both together; nothing where a sum would not fit.
    pub(super) fn checked_add(self, other: Self) -> Option<Self> {
        let cost = match (self.cost, other.cost) {
            (Some(one), Some(two)) => Some(one.checked_add(two)?),
            (one, two) => one.or(two),
        };
        Some(Self {
            requests: self.requests.checked_add(other.requests)?,
            input_tokens: self.input_tokens.checked_add(other.input_tokens)?,
            cached_input_tokens: self.cached_input_tokens.checked_add(other.cached_input_tokens)?,
            cache_write_tokens: self.cache_write_tokens.checked_add(other.cache_write_tokens)?,
            output_tokens: self.output_tokens.checked_add(other.output_tokens)?,
            reasoning_tokens: self.reasoning_tokens.checked_add(other.reasoning_tokens)?,
            cost,
            unpriced_requests: self.unpriced_requests.checked_add(other.unpriced_requests)?,
        })
    }
}

/// The sums of one group, by currency. Usage without a price has no currency (null). Where the
/// group has one currency, it joins that row; where it has several or none, it is a row of its own,
/// since it belongs to none of them.
pub(super) fn fold_unpriced(
    mut by_currency: BTreeMap<Option<String>, Sums>,
) -> Option<BTreeMap<Option<String>, Sums>> {
    if by_currency.len() == 2
        && let Some(unpriced) = by_currency.remove(&None)
    {
        for sums in by_currency.values_mut() {
            *sums = sums.checked_add(unpriced)?;
        }
    }
    Some(by_currency)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(requests: i64, cost: Option<i128>) -> Sums {
        let unpriced_requests = if cost.is_none() { requests } else { 0 };
        Sums { requests, unpriced_requests, cost: cost.map(Amount::from_pico), ..Sums::default() }
    }

    #[test]
    fn unpriced_usage_joins_the_only_currency() {
        let check = |given: &[(Option<&str>, Sums)], expected: &[(Option<&str>, Sums)]| {
            let map = |rows: &[(Option<&str>, Sums)]| -> BTreeMap<_, _> {
                rows.iter().map(|(currency, sums)| (currency.map(str::to_owned), *sums)).collect()
            };
            assert_eq!(fold_unpriced(map(given)), Some(map(expected)));
        };
        let (usd, eur, unpriced) = (sums(2, Some(7)), sums(3, Some(8)), sums(5, None));
        let joined = Sums { requests: 7, unpriced_requests: 5, ..usd };
        check(&[(Some("USD"), usd)], &[(Some("USD"), usd)]);
        check(&[(None, unpriced), (Some("USD"), usd)], &[(Some("USD"), joined)]);
        check(&[(None, unpriced)], &[(None, unpriced)]);
        let all = [(None, unpriced), (Some("EUR"), eur), (Some("USD"), usd)];
        check(&all, &all);
        check(&all[1..], &all[1..]);
    }
}
