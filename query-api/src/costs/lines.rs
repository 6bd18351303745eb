//! The lines of a group: what is priced, by currency, what is not, and what has no price to have.

use std::collections::BTreeMap;

use event_schemas::{Amount, PriceStatus, Units};
use serde::Serialize;
use utoipa::ToSchema;

/// What was used, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Sums {
    /// Requests, priced or not, failed or not.
    pub requests: i64,
    /// Requests that failed.
    pub failed_requests: i64,
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
    /// What else was used, by unit; left out where there is nothing. A total includes its parts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Units, required = false)]
    pub units: BTreeMap<String, i64>,
    /// The exact cost of what is priced; null where nothing is.
    #[schema(value_type = Option<String>, example = "12.345678901234")]
    pub cost: Option<Amount>,
    /// Requests for whose model no price was known: they are in every sum but the cost.
    pub unpriced_requests: i64,
}

/// One line of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    /// What is known of the price.
    pub(super) price_status: PriceStatus,
    /// The currency, of what is priced.
    pub(super) currency: Option<String>,
}

/// As the tables have it: sums of one currency, or of none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stored {
    pub(super) sums: Sums,
    /// Requests that failed and used nothing, so that they have no cost to know.
    pub(super) unbilled_requests: i64,
}

/// The lines of what is stored under one currency. What is not billed used nothing, so that all
/// that has no price and was used is the unpriced line's.
pub(super) fn lines(currency: Option<String>, stored: Stored) -> Vec<(Line, Sums)> {
    let line = |currency, price_status| Line { price_status, currency };
    let Stored { sums, unbilled_requests } = stored;
    // All of it was priced again, and stands in another currency.
    if sums.requests == 0 {
        return Vec::new();
    }
    if currency.is_some() {
        return vec![(line(currency, PriceStatus::Priced), sums)];
    }
    let mut lines = Vec::with_capacity(2);
    if unbilled_requests > 0 {
        let unbilled = Sums {
            requests: unbilled_requests,
            failed_requests: unbilled_requests,
            ..Sums::default()
        };
        lines.push((line(None, PriceStatus::NotBilled), unbilled));
    }
    if sums.requests > unbilled_requests {
        let unpriced = Sums {
            requests: sums.requests - unbilled_requests,
            failed_requests: sums.failed_requests - unbilled_requests,
            ..sums
        };
        lines.push((line(None, PriceStatus::Unpriced), unpriced));
    }
    lines
}

impl Sums {
    /// Both together; nothing where a sum would not fit.
    pub(super) fn checked_add(&self, other: &Self) -> Option<Self> {
        let cost = match (self.cost, other.cost) {
            (Some(one), Some(two)) => Some(one.checked_add(two)?),
            (one, two) => one.or(two),
        };
        let mut units = self.units.clone();
        for (unit, quantity) in &other.units {
            let sum = units.entry(unit.clone()).or_default();
            *sum = sum.checked_add(*quantity)?;
        }
        Some(Self {
            requests: self.requests.checked_add(other.requests)?,
            failed_requests: self.failed_requests.checked_add(other.failed_requests)?,
            input_tokens: self.input_tokens.checked_add(other.input_tokens)?,
            cached_input_tokens: self.cached_input_tokens.checked_add(other.cached_input_tokens)?,
            cache_write_tokens: self.cache_write_tokens.checked_add(other.cache_write_tokens)?,
            output_tokens: self.output_tokens.checked_add(other.output_tokens)?,
            reasoning_tokens: self.reasoning_tokens.checked_add(other.reasoning_tokens)?,
            units,
            cost,
            unpriced_requests: self.unpriced_requests.checked_add(other.unpriced_requests)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_on_one_line() {
        let stored = |requests, failed_requests, unbilled_requests| Stored {
            sums: Sums {
                requests,
                failed_requests,
                unpriced_requests: requests - unbilled_requests,
                input_tokens: 7,
                ..Sums::default()
            },
            unbilled_requests,
        };
        let check = |currency: Option<&str>, given, expected: &[(PriceStatus, i64, i64, i64)]| {
            let lines = lines(currency.map(str::to_owned), given);
            let found: Vec<_> = lines
                .iter()
                .map(|(line, sums)| {
                    let numbers = (sums.requests, sums.failed_requests, sums.input_tokens);
                    (line.price_status, numbers.0, numbers.1, numbers.2)
                })
                .collect();
            assert_eq!(found, expected);
        };
        check(Some("USD"), stored(5, 2, 0), &[(PriceStatus::Priced, 5, 2, 7)]);
        check(Some("USD"), stored(0, 0, 0), &[]);
        check(None, stored(0, 0, 0), &[]);
        check(None, stored(5, 2, 0), &[(PriceStatus::Unpriced, 5, 2, 7)]);
        check(
            None,
            stored(5, 3, 1),
            &[(PriceStatus::NotBilled, 1, 1, 0), (PriceStatus::Unpriced, 4, 2, 7)],
        );
        check(None, stored(1, 1, 1), &[(PriceStatus::NotBilled, 1, 1, 0)]);
    }
}
