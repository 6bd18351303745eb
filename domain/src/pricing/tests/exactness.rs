//! Costs against a calculation of its own: decimal long multiplication on digits, as on paper.

use event_schemas::{Percent, Rate, RatesAbove, ServiceTierPrice, Unit, Whole};
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

    /// Without its last digits, rounded half to even by looking at those that are cut off.
    fn cut(&self, places: usize) -> Self {
        let mut padded = self.0.clone();
        padded.resize(self.0.len().max(places + 1), 0);
        let (cut, kept) = padded.split_at(places);
        let (last, rest) = cut.split_last().unwrap();
        let rest_is_zero = rest.iter().all(|digit| *digit == 0);
        let up = match last {
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

/// What was used, each thing once: totals follow from it.
type Atoms = Vec<(M, i64)>;

/// What a measure is in, and what that is in.
fn wholes(measure: M) -> Vec<M> {
    let within = match measure {
        M::Input | M::Output => vec![],
        M::CachedInput | M::CacheWrite => vec![M::Input],
        M::Reasoning => vec![M::Output],
        M::Unit(unit) => unit
            .part_of()
            .iter()
            .map(|whole| match whole {
                Whole::Input => M::Input,
                Whole::CachedInput => M::CachedInput,
                Whole::CacheWrite => M::CacheWrite,
                Whole::Output => M::Output,
                Whole::Unit(unit) => M::Unit(*unit),
            })
            .collect(),
    };
    let further: Vec<M> = within.iter().flat_map(|whole| wholes(*whole)).collect();
    let mut all = [within, further].concat();
    all.sort_unstable();
    all.dedup();
    all
}

fn totals(atoms: &Atoms) -> (Tokens, Units) {
    let total = |measure: M| -> i64 {
        let counts = |atom: &M| *atom == measure || wholes(*atom).contains(&measure);
        atoms.iter().filter(|(atom, _)| counts(atom)).map(|(_, count)| count).sum()
    };
    let tokens = Tokens {
        input: total(M::Input),
        cached_input: total(M::CachedInput),
        cache_write: total(M::CacheWrite),
        output: total(M::Output),
        reasoning: total(M::Reasoning),
    };
    (tokens, Unit::ALL.iter().map(|unit| (*unit, total(M::Unit(*unit)))).collect())
}

/// The rate of a measure and how much of it is asked, in hundredths of a percent: the nearest
/// table that has it, or else what stands in for the measure.
fn rate_on_paper(price: &ModelPrice, tier: bool, input: i64, measure: M) -> (i128, i128) {
    let large = |above: &[RatesAbove], of: M| {
        let mut crossed: Vec<_> = above.iter().filter(|above| above.input_tokens < input).collect();
        crossed.sort_by_key(|above| above.input_tokens);
        crossed.into_iter().rev().find_map(|above| above.rates.get(of))
    };
    let tier = price.service_tiers.first().filter(|_| tier);
    let share = tier.and_then(|tier| tier.percent).map_or(10_000, Percent::hundredths);
    let own = |of: M| {
        tier.and_then(|tier| large(&tier.above, of))
            .map(|rate| (rate, 10_000))
            .or_else(|| large(&price.above, of).map(|rate| (rate, share)))
            .or_else(|| tier.and_then(|tier| tier.rates.get(of)).map(|rate| (rate, 10_000)))
            .or_else(|| price.rates.get(of).map(|rate| (rate, share)))
    };
    // The cached before the kind of input: what was cached is cheaper whatever it is.
    let mut stand_ins = vec![measure];
    let mut within = wholes(measure);
    within.sort_by_key(|whole| match whole {
        M::CachedInput | M::CacheWrite => 0,
        M::Input | M::Output => 2,
        M::Reasoning | M::Unit(_) => 1,
    });
    if measure == M::Unit(Unit::CacheWrite12hTokens) {
        stand_ins.push(M::Unit(Unit::CacheWrite1hTokens));
    }
    stand_ins.extend(within);
    let (rate, share) = stand_ins.into_iter().find_map(own).unwrap();
    (rate.atto(), i128::from(share))
}

fn on_paper(
    price: &ModelPrice,
    tier: bool,
    mark_up: Option<Percent>,
    atoms: &Atoms,
) -> Option<i64> {
    let (tokens, _) = totals(atoms);
    let mut sum = Digits::of(0);
    for (measure, count) in atoms {
        let (atto, share) = rate_on_paper(price, tier, tokens.input, *measure);
        let times = 1_000_000 / i128::from(measure.per());
        let factors = [i128::from(*count), atto, times, share].map(Digits::of);
        let line = factors.iter().skip(1).fold(factors[0].clone(), |line, one| line.times(one));
        sum = sum.plus(&line);
    }
    let whole = 10_000 + mark_up.map_or(0, |percent| i128::from(percent.hundredths()));
    // 10⁻¹⁸ units for a million, and two percentages in hundredths, to 10⁻¹² units.
    sum.times(&Digits::of(whole)).cut(6 + 6 + 4 + 4).number()
}

/// From nothing to a million units, with many that make ties.
fn rate() -> impl Strategy<Value = Rate> {
    let atto = prop_oneof![
        0..100_i128,
        (0..2_000_i128).prop_map(|halves| halves * 500_000_000_000),
        0..20_000_000_000_000_000_000_i128,
        Just(1_000_000_000_000_000_000_000_000),
    ];
    atto.prop_map(|atto| Rate::from_atto(atto).unwrap())
}

fn any_measure() -> impl Strategy<Value = M> {
    prop::sample::select(M::all().collect::<Vec<_>>())
}

fn some_rates() -> impl Strategy<Value = Rates> {
    prop::collection::vec((any_measure(), rate()), 0..6)
        .prop_map(|rates| rates.into_iter().collect())
}

/// Everything has a price, if only through what it is in.
fn all_rates() -> impl Strategy<Value = Rates> {
    let roots: Vec<M> = M::all().filter(|measure| wholes(*measure).is_empty()).collect();
    let each = prop::collection::vec(rate(), roots.len());
    (each, some_rates())
        .prop_map(move |(each, some)| roots.iter().copied().zip(each).chain(some.iter()).collect())
}

fn any_above() -> impl Strategy<Value = Vec<RatesAbove>> {
    let above = (prop_oneof![0..20_i64, 0..1_000_000_i64], some_rates())
        .prop_map(|(input_tokens, rates)| RatesAbove { input_tokens, rates });
    prop::collection::vec(above, 0..3)
}

fn any_percent(lowest: i32) -> impl Strategy<Value = Option<Percent>> {
    prop::option::of(prop_oneof![Just(5_000), lowest..30_000_i32])
        .prop_map(|percent| percent.and_then(Percent::from_hundredths))
}

fn any_price() -> impl Strategy<Value = ModelPrice> {
    let tier = (any_percent(0), some_rates(), any_above()).prop_map(|(percent, rates, above)| {
        ServiceTierPrice { tier: "batch".to_owned(), percent, rates, above }
    });
    (all_rates(), any_above(), tier).prop_map(|(rates, above, tier)| ModelPrice {
        above,
        service_tiers: vec![tier],
        ..model("m", named("m"), rates)
    })
}

fn any_atoms() -> impl Strategy<Value = Atoms> {
    let count = prop_oneof![0..20_i64, 0..300_000_i64, 0..100_000_000_i64];
    let atoms = prop::collection::btree_map(any_measure(), count, 0..8);
    // Of requests silence would be one.
    (atoms, 0..3_i64).prop_map(|(mut atoms, requests)| {
        atoms.insert(M::Unit(Unit::Requests), requests);
        atoms.into_iter().collect()
    })
}

fn tokens_alone() -> impl Strategy<Value = Atoms> {
    let count = || prop_oneof![Just(0), 0..20_i64, 0..300_000_000_i64];
    (count(), count(), count(), count(), count()).prop_map(|(a, b, c, d, e)| {
        let tokens = [M::Input, M::CachedInput, M::CacheWrite, M::Output, M::Reasoning];
        // Of requests silence would be one.
        tokens.into_iter().zip([a, b, c, d, e]).chain([(M::Unit(Unit::Requests), 0)]).collect()
    })
}

fn both(a: &Atoms, b: &Atoms) -> Atoms {
    let mut all: std::collections::BTreeMap<M, i64> = a.iter().copied().collect();
    for (measure, count) in b {
        *all.entry(*measure).or_default() += count;
    }
    all.into_iter().collect()
}

fn priced(price: &ModelPrice, tier: bool, mark_up: Option<Percent>, atoms: &Atoms) -> Option<i64> {
    let mut book = book(&[(1, published("a", 0, vec![price.clone()]))]);
    if let Some(percent) = mark_up {
        let own = super::own::own(1, "*", 0, Some(percent.hundredths()), vec![]);
        book.published(2, &own);
    }
    let (tokens, units) = totals(atoms);
    let used = Used {
        units: &units,
        service_tier: tier.then_some("batch"),
        ..used("openai", "m", 0, tokens)
    };
    match book.price(&used) {
        Ok(priced) => Some(priced.cost_pico.unwrap()),
        Err(refused) => {
            assert_eq!(refused, PricingError::CostTooLarge);
            None
        }
    }
}

fn cost(rates: &Rates, atoms: &Atoms) -> Option<i64> {
    priced(&model("m", named("m"), rates.clone()), false, None, atoms)
}

#[test]
fn a_half_is_rounded_to_the_even_pico_unit() {
    for (half_picos, rounded) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (7, 4), (9, 4)] {
        let rates = priced_at(&[(M::Input, "0.0000005")]);
        assert_eq!(
            cost(&rates, &vec![(M::Input, half_picos)]),
            Some(rounded),
            "{half_picos} halves"
        );
    }
}

#[test]
fn rounding_is_on_the_total_not_on_each_line() {
    let rates = priced_at(&[(M::Input, "0.0000004"), (M::Output, "0.0000004")]);
    assert_eq!(cost(&rates, &vec![(M::Input, 1), (M::Output, 1)]), Some(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_cost_is_what_it_is_on_paper(
        price in any_price(),
        tier in any::<bool>(),
        mark_up in any_percent(-10_000),
        atoms in any_atoms(),
    ) {
        let on_paper = on_paper(&price, tier, mark_up, &atoms);
        // A sum may leave 128 bits where a mark-up or a discount would bring it back.
        match priced(&price, tier, mark_up, &atoms) {
            Some(cost) => prop_assert_eq!(Some(cost), on_paper),
            None => prop_assert!(on_paper.is_none_or(|cost| cost > 1_000_000_000_000_000_000)),
        }
    }

    /// Two records cost what one with the tokens of both costs, but for the rounding of each.
    #[test]
    fn records_add_up(rates in all_rates(), a in tokens_alone(), b in tokens_alone()) {
        let costs = (cost(&rates, &a), cost(&rates, &b), cost(&rates, &both(&a, &b)));
        if let (Some(a), Some(b), Some(together)) = costs {
            let apart = i128::from(a) + i128::from(b);
            prop_assert!((apart - i128::from(together)).abs() <= 1);
        }
    }

    #[test]
    fn more_tokens_never_cost_less(rates in all_rates(), a in tokens_alone(), more in tokens_alone()) {
        let dearest = i64::MAX;
        let (less, more) = (cost(&rates, &a), cost(&rates, &both(&a, &more)));
        prop_assert!(less.unwrap_or(dearest) <= more.unwrap_or(dearest));
    }
}
