//! The repricings of an organization's recorded usage: what records cost from now on, where that is
//! something else than what they were recorded with.
//!
//! All of an organization's repricings are one stream, so that two at once meet in the log's conflict
//! check, and the second one is decided on what the first has left.

use std::collections::BTreeMap;

use event_schemas::{
    Amount, Currency, PriceListId, RepricedTotal, RepricingId, RepricingScope, UsageRepricingEvent,
};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::organization::OpenOrganization;
use crate::text::{self, TextError};

/// How many records one event corrects at most.
pub const CORRECTIONS_MAX: usize = 2_000;

/// The repricings of an organization.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRepricing {
    /// How many corrections were made, over all repricings.
    corrections: u64,
}

/// What a record costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordCost {
    /// Pico-units (10⁻¹²) of the currency.
    pub cost_pico: i64,
    /// The currency.
    pub currency: Currency,
}

/// A record that costs something else. A price never goes away, so that there is one afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Correction {
    /// What it cost until now; none where it had no price.
    pub before: Option<RecordCost>,
    /// What it costs from now on.
    pub after: RecordCost,
}

/// What can be asked of an organization's repricings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageRepricingCommand {
    /// Correct records; none at all is nothing to do.
    Correct {
        /// The organization.
        organization: OpenOrganization,
        /// The repricing that they are part of.
        repricing_id: RepricingId,
        /// Which records it looks at.
        scope: RepricingScope,
        /// The position up to which it knew published prices.
        prices_at: i64,
        /// The one list that it prices by.
        price_list_id: Option<PriceListId>,
        /// The version of that list.
        price_list_version: Option<u32>,
        /// Why.
        reason: Option<String>,
        /// The corrections, in the order of the records.
        corrections: Vec<Correction>,
        /// Their hash, as it is kept beside them.
        corrections_hash: String,
    },
}

/// Why a repricing is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageRepricingError {
    /// What is called a correction leaves the cost as it is.
    #[error("a correction leaves the cost as it is")]
    NothingCorrected,
    /// There are more than one event holds.
    #[error("{0} corrections are more than one event holds")]
    TooMany(usize),
    /// The span has no time in it.
    #[error("the span ends before it begins")]
    EmptySpan,
    /// The reason cannot be.
    #[error(transparent)]
    Reason(#[from] TextError),
}

impl Decider for UsageRepricing {
    const STREAM: &'static str = "usage";
    type Command = UsageRepricingCommand;
    type Event = UsageRepricingEvent;
    type Error = UsageRepricingError;

    fn decide(
        &self,
        command: UsageRepricingCommand,
    ) -> Result<Vec<UsageRepricingEvent>, UsageRepricingError> {
        match command {
            UsageRepricingCommand::Correct {
                organization: _,
                repricing_id,
                scope,
                prices_at,
                price_list_id,
                price_list_version,
                reason,
                corrections,
                corrections_hash,
            } => {
                if scope.from >= scope.to {
                    return Err(UsageRepricingError::EmptySpan);
                }
                let reason = text::reason(reason.as_deref())?;
                if corrections.iter().any(|correction| correction.before == Some(correction.after))
                {
                    return Err(UsageRepricingError::NothingCorrected);
                }
                let too_many = UsageRepricingError::TooMany(corrections.len());
                let count = u32::try_from(corrections.len()).map_err(|_| too_many.clone())?;
                if corrections.len() > CORRECTIONS_MAX {
                    return Err(too_many);
                }
                if count == 0 {
                    return Ok(vec![]);
                }
                Ok(vec![UsageRepricingEvent::Repriced {
                    repricing_id,
                    scope,
                    prices_at,
                    price_list_id,
                    price_list_version,
                    reason,
                    corrections: count,
                    corrections_hash,
                    totals: totals(&corrections),
                }])
            }
        }
    }

    fn evolve(&mut self, event: &UsageRepricingEvent) {
        match event {
            UsageRepricingEvent::Repriced { corrections, .. } => {
                self.corrections += u64::from(*corrections);
            }
        }
    }
}

impl UsageRepricing {
    /// How many corrections were made, over all repricings.
    pub fn corrections(&self) -> u64 {
        self.corrections
    }
}

/// What records cost before and after, by currency: exact.
pub fn totals(corrections: &[Correction]) -> Vec<RepricedTotal> {
    let mut totals: BTreeMap<Option<Currency>, RepricedTotal> = BTreeMap::new();
    for Correction { before, after } in corrections {
        let total = of(&mut totals, before.map(|cost| cost.currency));
        total.records_before += 1;
        total.cost_before = total.cost_before + before.map_or(Amount::ZERO, RecordCost::amount);
        let total = of(&mut totals, Some(after.currency));
        total.records_after += 1;
        total.cost_after = total.cost_after + after.amount();
    }
    totals.into_values().collect()
}

fn of(
    totals: &mut BTreeMap<Option<Currency>, RepricedTotal>,
    currency: Option<Currency>,
) -> &mut RepricedTotal {
    totals.entry(currency).or_insert_with(|| RepricedTotal {
        currency,
        records_before: 0,
        cost_before: Amount::ZERO,
        records_after: 0,
        cost_after: Amount::ZERO,
    })
}

impl RecordCost {
    /// As an amount.
    pub fn amount(self) -> Amount {
        Amount::from_pico(i128::from(self.cost_pico))
    }
}

#[cfg(test)]
mod tests;
