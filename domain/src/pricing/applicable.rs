//! Which of a model's rates a record is priced by: by when it happened, its service tier and the
//! size of its context.

use chrono::{DateTime, Utc};
use event_schemas::{
    Measure, ModelPrice, Percent, Rate, Rates, RatesAbove, ServiceTierPrice, TimedPrice, When,
};

use super::Used;
use super::quantities::stand_ins;

/// The rates that apply to one record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Applicable<'a> {
    plain: &'a Rates,
    above: &'a [RatesAbove],
    tier: Option<&'a ServiceTierPrice>,
    /// The size of the context, in tokens.
    input: i64,
    timed: Option<&'a TimedPrice>,
}

/// A rate that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Applied {
    pub(super) rate: Rate,
    /// What the rate is of: the measure itself, or one that stands in for it.
    pub(super) of: Measure,
    /// How much of the rate it costs, where the service tier says so.
    pub(super) share: Option<Percent>,
}

impl<'a> Applicable<'a> {
    pub(super) fn new(model: &'a ModelPrice, used: &Used<'_>) -> Self {
        let timed = model.at_times.iter().rev().find(|timed| holds(&timed.when, used.occurred_at));
        let (plain, above, tiers) = match timed {
            Some(timed) => (&timed.rates, &*timed.above, &timed.service_tiers),
            None => (&model.rates, &*model.above, &model.service_tiers),
        };
        let tier = used.service_tier.and_then(|asked| {
            tiers.iter().find(|tier| tier.tier.trim().eq_ignore_ascii_case(asked.trim()))
        });
        Self { plain, above, tier, input: used.tokens.input, timed }
    }

    /// The rate of a measure, or of what stands in for it.
    pub(super) fn rate(&self, measure: Measure) -> Option<Applied> {
        let own = self.own(measure);
        let stand_in = || stand_ins(measure).iter().find_map(|of| self.own(*of));
        own.or_else(stand_in)
    }

    fn own(&self, of: Measure) -> Option<Applied> {
        let share = self.tier.and_then(|tier| tier.percent);
        let large =
            |above: &[RatesAbove]| self.crossed(above, of).and_then(|above| above.rates.get(of));
        let its_own = |rate| Applied { rate, of, share: None };
        let shared = |rate| Applied { rate, of, share };
        self.tier
            .and_then(|tier| large(&tier.above))
            .map(its_own)
            .or_else(|| large(self.above).map(shared))
            .or_else(|| self.tier.and_then(|tier| tier.rates.get(of)).map(its_own))
            .or_else(|| self.plain.get(of).map(shared))
    }

    /// The rates of the greatest threshold that is crossed and has a rate of the measure.
    fn crossed<'b>(&self, above: &'b [RatesAbove], of: Measure) -> Option<&'b RatesAbove> {
        above
            .iter()
            .filter(|above| self.input > above.input_tokens && above.rates.get(of).is_some())
            .max_by_key(|above| above.input_tokens)
    }

    /// How much of the plain rates the service tier costs.
    pub(super) fn share(&self) -> Option<Percent> {
        self.tier.and_then(|tier| tier.percent)
    }

    /// Whether tokens have any price.
    pub(super) fn prices_tokens(&self) -> bool {
        use super::quantities::{Demand, demand};
        self.every().any(|measure| demand(measure) == Demand::Tokens)
    }

    /// Whether nothing has a price.
    pub(super) fn is_empty(&self) -> bool {
        self.every().next().is_none()
    }

    fn every(&self) -> impl Iterator<Item = Measure> + '_ {
        let tier = self.tier.map(|tier| &tier.rates);
        let all = self.thresholds().map(|above| &above.rates).chain(tier).chain([self.plain]);
        all.flat_map(|rates| rates.iter().map(|(measure, _)| measure))
    }

    /// Every threshold that is crossed.
    fn thresholds(&self) -> impl Iterator<Item = &'a RatesAbove> {
        let input = self.input;
        let of_tier = self.tier.map_or(&[][..], |tier| &tier.above);
        let all = of_tier.iter().chain(self.above);
        all.filter(move |above| input > above.input_tokens)
    }

    pub(super) fn tier_name(&self) -> Option<&'a str> {
        self.tier.map(|tier| tier.tier.as_str())
    }

    /// The size of context above which its rates are for.
    pub(super) fn above(&self) -> Option<i64> {
        self.thresholds().map(|above| above.input_tokens).max()
    }

    pub(super) fn when(&self) -> Option<&'a When> {
        self.timed.map(|timed| &timed.when)
    }
}

fn holds(when: &When, at: DateTime<Utc>) -> bool {
    match when {
        When::FromDate(date) => at.date_naive() >= *date,
        When::Daily { start, end } => {
            let time = at.time();
            if end < start { time >= *start || time < *end } else { *start <= time && time < *end }
        }
    }
}
