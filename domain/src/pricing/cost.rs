//! The sum over what was used: exact in whole numbers, rounded once at its end.

use event_schemas::{Measure, Percent};

use super::applicable::{Applicable, Applied};
use super::quantities::{Demand, demand, each};
use super::{PricingError, Used};

/// Every [`Measure::per`] divides this.
pub(super) const PER_ALL: i128 = 1_000_000;

/// How many parts of a sum are a pico-unit: rates are in atto-units, for [`PER_ALL`] of something.
const PARTS_PER_PICO: i128 = 1_000_000 * PER_ALL;

/// A fraction in its lowest terms, so that sums stay small.
#[derive(Debug, Clone, Copy)]
struct Fraction {
    above: i128,
    below: i128,
}

impl Fraction {
    const ONE: Self = Self { above: 1, below: 1 };

    fn of_percent(hundredths: i128) -> Self {
        let common = common_divisor(hundredths, Percent::WHOLE);
        Self { above: hundredths / common, below: Percent::WHOLE / common }
    }
}

const fn common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

/// What a quantity costs at a rate before any share of it: in parts, [`PARTS_PER_PICO`] of which are
/// a pico-unit.
pub(super) fn parts(measure: Measure, count: i64, applied: &Applied) -> Option<i128> {
    debug_assert!(measure.per() == applied.of.per(), "what stands in is counted alike");
    let times = PER_ALL / i128::from(measure.per());
    applied.rate.atto().checked_mul(i128::from(count))?.checked_mul(times)
}

/// Which rates were missing, by how much that matters.
#[derive(Debug, Default)]
struct Missing {
    tokens: Option<Measure>,
    other: Option<Measure>,
    extra: Option<Measure>,
    /// Whether something has a rate that is not of tokens.
    other_priced: bool,
    any_priced: bool,
}

impl Missing {
    fn note(&mut self, measure: Measure, is_priced: bool) {
        let demand = demand(measure);
        if is_priced {
            self.any_priced = true;
            self.other_priced |= demand != Demand::Tokens && demand != Demand::Extra;
            return;
        }
        match demand {
            Demand::Tokens => self.tokens.get_or_insert(measure),
            Demand::OtherMeasure => self.other.get_or_insert(measure),
            Demand::Extra => self.extra.get_or_insert(measure),
            Demand::Request => return,
        };
    }

    /// What must have a rate and has none.
    fn needed(&self, applicable: &Applicable<'_>) -> Option<Measure> {
        if applicable.is_empty() {
            let first = self.tokens.or(self.other).or(self.extra);
            // Listed without any price: not even a request without tokens costs a known 0.
            return Some(first.unwrap_or(Measure::Input));
        }
        let excused = self.other_priced && !applicable.prices_tokens();
        let tokens = self.tokens.filter(|_| !excused);
        tokens.or(self.extra).or(self.other.filter(|_| !self.any_priced))
    }
}

/// The cost in pico-units, or the measure that has no rate.
pub(super) fn cost_pico(
    applicable: &Applicable<'_>,
    used: &Used<'_>,
    mark_up: Option<Percent>,
) -> Result<Result<i64, Measure>, PricingError> {
    let share = applicable
        .share()
        .map_or(Fraction::ONE, |percent| Fraction::of_percent(i128::from(percent.hundredths())));
    let mut sum: i128 = 0;
    let mut missing = Missing::default();
    each(used, |measure, count| {
        let applied = applicable.rate(measure);
        missing.note(measure, applied.is_some());
        let Some(applied) = applied else { return Ok(()) };
        // All lines over the share's denominator.
        let factor = if applied.share.is_some() { share.above } else { share.below };
        sum = parts(measure, count, &applied)
            .and_then(|line| line.checked_mul(factor))
            .and_then(|line| sum.checked_add(line))
            .ok_or(PricingError::CostTooLarge)?;
        Ok(())
    })?;
    if let Some(measure) = missing.needed(applicable) {
        return Ok(Err(measure));
    }
    let mark_up = mark_up.map_or(Fraction::ONE, |percent| {
        Fraction::of_percent(Percent::WHOLE + i128::from(percent.hundredths()))
    });
    let marked_up = sum.checked_mul(mark_up.above).ok_or(PricingError::CostTooLarge)?;
    let pico = divided_half_to_even(marked_up, PARTS_PER_PICO * share.below * mark_up.below);
    i64::try_from(pico).map(Ok).map_err(|_| PricingError::CostTooLarge)
}

/// The quotient rounded to the nearest whole, a half to the even one. Neither is below zero.
fn divided_half_to_even(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    match rest.cmp(&(divisor - rest)) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Equal => quotient + quotient % 2,
        std::cmp::Ordering::Greater => quotient + 1,
    }
}
