//! How a cost comes about: units × unit price = amount, line by line.

use std::fmt;

use event_schemas::{Measure, Percent, PriceListId, Rate, When};

use super::applicable::Applicable;
use super::book::Found;
use super::cost::parts;
use super::quantities::each;
use super::{Priced, PricingError, Used};

/// The places of an exact amount of a line: 18 of the rate, 6 for a million tokens, 4 of a
/// percentage.
const PLACES: usize = 28;

const SCALE: i128 = 10_i128.pow(28);

/// An exact amount of a line, before anything is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Exact(i128);

impl Exact {
    fn of(parts: i128, share: Option<Percent>) -> Option<Self> {
        let share = share.map_or(Percent::WHOLE, |percent| i128::from(percent.hundredths()));
        parts.checked_mul(share).map(Self)
    }

    fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl std::iter::Sum for Exact {
    /// Of lines of one record, which fit together.
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), |sum, one| Self(sum.0 + one.0))
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:0PLACES$}", self.0 / SCALE, self.0 % SCALE);
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// One line: so many units at a unit price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExplainedLine {
    /// What is counted. A total stands here without the parts that have lines of their own.
    pub measure: Measure,
    /// How many.
    pub count: i64,
    /// The unit price; none where there is none.
    pub rate: Option<Rate>,
    /// For how many the unit price is.
    pub per: i64,
    /// What the unit price is of, where it is not the line's own.
    pub rate_of: Option<Measure>,
    /// How much of the unit price is asked in the service tier.
    pub share: Option<Percent>,
    /// The amount; none where there is no price.
    pub amount: Option<Exact>,
}

/// The price that a record has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedBy {
    /// The list.
    pub price_list_id: PriceListId,
    /// The version of the list, from 1.
    pub version: u32,
    /// The position of the event that published it.
    pub position: i64,
    /// Whether it is the organization's own.
    pub is_own: bool,
    /// The entry that recognises the model.
    pub model: String,
    /// The service tier by whose price it was priced; none for the plain one.
    pub service_tier: Option<String>,
    /// The size of context above which its rates are for, in input tokens.
    pub above_input_tokens: Option<i64>,
    /// When these prices hold; none where they hold always.
    pub when: Option<When>,
}

/// What comes on top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkUp {
    /// How much.
    pub percent: Percent,
    /// The list that says so.
    pub price_list_id: PriceListId,
    /// The position of the event that published it.
    pub position: i64,
}

/// How the cost of a record comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What it costs.
    pub priced: Priced,
    /// By which price; none where none was found.
    pub by: Option<PricedBy>,
    /// The lines.
    pub lines: Vec<ExplainedLine>,
    /// The sum of the lines, exactly.
    pub subtotal: Exact,
    /// What comes on top of it.
    pub mark_up: Option<MarkUp>,
}

impl Explanation {
    pub(super) fn without_price(priced: Priced) -> Self {
        let subtotal = Exact::default();
        Self { priced, by: None, lines: Vec::new(), subtotal, mark_up: None }
    }
}

pub(super) fn explained(
    used: &Used<'_>,
    found: &Found<'_>,
    priced: Priced,
) -> Result<Explanation, PricingError> {
    let applicable = Applicable::new(found.model, used);
    let mut lines = Vec::new();
    let mut subtotal = Exact::default();
    each(used, |measure, count| {
        let line = line(&applicable, measure, count)?;
        let sum = subtotal.checked_add(line.amount.unwrap_or_default());
        subtotal = sum.ok_or(PricingError::CostTooLarge)?;
        // That a request was made is no line where it costs nothing by itself.
        let is_request = measure == Measure::Unit(event_schemas::Unit::Requests);
        if line.rate.is_some() || !is_request {
            lines.push(line);
        }
        Ok(())
    })?;
    let by = PricedBy {
        price_list_id: found.version.price_list_id.clone(),
        version: found.version.number,
        position: found.version.position,
        is_own: found.version.is_own,
        model: found.model.model.clone(),
        service_tier: applicable.tier_name().map(str::to_owned),
        above_input_tokens: applicable.above(),
        when: applicable.when().cloned(),
    };
    let mark_up = found.mark_up.map(|(version, percent)| MarkUp {
        percent,
        price_list_id: version.price_list_id.clone(),
        position: version.position,
    });
    Ok(Explanation { priced, by: Some(by), lines, subtotal, mark_up })
}

fn line(
    applicable: &Applicable<'_>,
    measure: Measure,
    count: i64,
) -> Result<ExplainedLine, PricingError> {
    let applied = applicable.rate(measure);
    let amount = applied.map(|applied| {
        let parts = parts(measure, count, &applied);
        let exact = parts.and_then(|parts| Exact::of(parts, applied.share));
        exact.ok_or(PricingError::CostTooLarge)
    });
    Ok(ExplainedLine {
        measure,
        count,
        rate: applied.map(|applied| applied.rate),
        per: measure.per(),
        rate_of: applied.map(|applied| applied.of).filter(|of| *of != measure),
        share: applied.and_then(|applied| applied.share),
        amount: amount.transpose()?,
    })
}
