//! Costs against a calculation of its own: decimal long multiplication on digits, as on paper.

use proptest::prelude::*;

use super::*;

/// A whole number as its decimal digits, the lowest first.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Digits(Vec<u8>);

impl Digits {
    fn of(number: i128) -> Self {
        Self(number.to_string().bytes().rev().map(|digit| digit - b'0').collect())
    }

    fn carried(columns: Vec<u32>) -> Self {
        let mut digits = Vec::new();
        let mut carry = 0;
        for column in columns {
            carry += column;
            digits.push(u8::try_from(carry % 10).unwrap());
            carry /= 10;
        }
        assert_eq!(carry, 0, "too few columns");
        Self(digits)
    }

    fn times(&self, other: &Self) -> Self {
        let mut columns = vec![0; self.0.len() + other.0.len() + 2];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                columns[i + j] += u32::from(*a) * u32::from(*b);
            }
        }
        Self::carried(columns)
    }

    fn plus(&self, other: &Self) -> Self {
        let width = self.0.len().max(other.0.len()) + 1;
        let at = |digits: &[u8], place: usize| u32::from(digits.get(place).copied().unwrap_or(0));
        Self::carried((0..width).map(|place| at(&self.0, place) + at(&other.0, place)).collect())
    }

    /// A millionth, rounded half to even by looking at the six digits that are cut off.
    fn millionth(&self) -> Self {
        let mut padded = self.0.clone();
        padded.resize(self.0.len().max(7), 0);
        let (cut, kept) = padded.split_at(6);
        let rest_is_zero = cut[..5].iter().all(|digit| *digit == 0);
        let up = match cut[5] {
            0..5 => false,
            5 => !rest_is_zero || kept[0] % 2 == 1,
            _ => true,
        };
        Self(kept.to_vec()).plus(&Self::of(i128::from(up)))
    }

    fn number(&self) -> Option<i64> {
        let text: String = self.0.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
        text.parse().ok()
    }
}

fn on_paper(rates: &Rates, tokens: &Tokens) -> Option<i64> {
    let rate = |own: Option<Amount>| Digits::of(own.or(rates.input).unwrap().pico());
    let count = |count: i64| Digits::of(i128::from(count));
    let uncached = tokens.input - tokens.cached_input - tokens.cache_write;
    count(uncached)
        .times(&rate(rates.input))
        .plus(&count(tokens.cached_input).times(&rate(rates.cached_input)))
        .plus(&count(tokens.cache_write).times(&rate(rates.cache_write)))
        .plus(&count(tokens.output).times(&rate(rates.output)))
        .millionth()
        .number()
}

/// From a pico-unit to a million units, with many that make ties.
fn rate() -> impl Strategy<Value = Amount> {
    let pico = prop_oneof![
        0..100_i128,
        (0..2_000_i128).prop_map(|halves| halves * 500_000),
        0..20_000_000_000_000_i128,
        Just(1_000_000_000_000_000_000),
    ];
    pico.prop_map(Amount::from_pico)
}

fn any_rates() -> impl Strategy<Value = Rates> {
    let optional = || prop::option::of(rate());
    (rate(), optional(), optional(), rate()).prop_map(
        |(input, cached_input, cache_write, output)| Rates {
            input: Some(input),
            cached_input,
            cache_write,
            output: Some(output),
        },
    )
}

fn any_tokens() -> impl Strategy<Value = Tokens> {
    let count = || prop_oneof![Just(0), 0..20_i64, 0..300_000_000_i64];
    (count(), count(), count(), count()).prop_map(|(plain, cached_input, cache_write, output)| {
        Tokens {
            input: plain + cached_input + cache_write,
            cached_input,
            cache_write,
            output,
            reasoning: 0,
        }
    })
}

fn both(a: &Tokens, b: &Tokens) -> Tokens {
    Tokens {
        input: a.input + b.input,
        cached_input: a.cached_input + b.cached_input,
        cache_write: a.cache_write + b.cache_write,
        output: a.output + b.output,
        reasoning: 0,
    }
}

fn cost(rates: &Rates, tokens: &Tokens) -> Option<i64> {
    let event = published("a", 0, vec![model("m", named("m"), *rates)]);
    match book(&[(1, event)]).price("openai", "m", at(0), tokens) {
        Ok(priced) => Some(priced.cost_pico.unwrap()),
        Err(refused) => {
            assert_eq!(refused, PricingError::CostTooLarge);
            None
        }
    }
}

#[test]
fn a_half_is_rounded_to_the_even_pico_unit() {
    for (half_picos, rounded) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (7, 4), (9, 4)] {
        let rates = Rates { input: Some(Amount::from_pico(500_000)), ..Rates::default() };
        assert_eq!(cost(&rates, &plain(half_picos)), Some(rounded), "{half_picos} halves");
    }
}

#[test]
fn rounding_is_on_the_total_not_on_each_kind() {
    let third = Some(Amount::from_pico(400_000));
    let rates = Rates { input: third, output: third, ..Rates::default() };
    assert_eq!(cost(&rates, &Tokens { output: 1, ..plain(1) }), Some(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_cost_is_what_it_is_on_paper(rates in any_rates(), tokens in any_tokens()) {
        prop_assert_eq!(cost(&rates, &tokens), on_paper(&rates, &tokens));
    }

    /// Two records cost what one with the tokens of both costs, but for the rounding of each.
    #[test]
    fn records_add_up(rates in any_rates(), a in any_tokens(), b in any_tokens()) {
        let costs = (cost(&rates, &a), cost(&rates, &b), cost(&rates, &both(&a, &b)));
        if let (Some(a), Some(b), Some(together)) = costs {
            let apart = i128::from(a) + i128::from(b);
            prop_assert!((apart - i128::from(together)).abs() <= 1);
        }
    }

    #[test]
    fn more_tokens_never_cost_less(rates in any_rates(), a in any_tokens(), more in any_tokens()) {
        let dearest = i64::MAX;
        let (less, more) = (cost(&rates, &a), cost(&rates, &both(&a, &more)));
        prop_assert!(less.unwrap_or(dearest) <= more.unwrap_or(dearest));
    }
}
