//! A price list: a catalogue's prices for one provider, version after version.

use chrono::{DateTime, Utc};
use event_schemas::{
    Currency, MatchRule, ModelPrice, OrganizationId, Percent, PriceListEvent, PriceListId,
    RatesAbove, ServiceTierPrice,
};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::pricing::invalid_regex;
use crate::text::{self, TextError, fold};

/// A price list; its first version makes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PriceList {
    /// Nothing was published.
    #[default]
    Absent,
    /// Its latest version.
    Published(LatestVersion),
}

/// The latest version of a price list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestVersion {
    /// The version, from 1.
    pub version: u32,
    /// The provider whose models it prices.
    pub provider: String,
    /// The currency of every price in it.
    pub currency: Currency,
    /// From when it is in force.
    pub effective_from: DateTime<Utc>,
    /// What it says.
    pub terms: PriceTerms,
    /// The latest date from which any version is in force.
    last_effective_from: DateTime<Utc>,
}

/// What a version of a price list says: of which models, at what price.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceTerms {
    /// The other names that mean the provider.
    pub provider_matches: Option<MatchRule>,
    /// The models that are this provider's where a record does not know its provider.
    pub model_matches: Option<MatchRule>,
    /// Providers of the same catalogue whose models this one serves, in order.
    pub fallback_providers: Vec<String>,
    /// What comes on top of the prices of all for models that are not in the list.
    pub mark_up_percent: Option<Percent>,
    /// The prices; the first entry that matches a model's name is its price.
    pub models: Vec<ModelPrice>,
}

/// What can be asked of a price list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceListCommand {
    /// Publish prices; the same prices again are no new version.
    Publish {
        /// The list.
        price_list_id: PriceListId,
        /// The organization whose own prices they are; none for those of all.
        organization_id: Option<OrganizationId>,
        /// The provider whose models it prices.
        provider: String,
        /// The currency of every price in it.
        currency: Currency,
        /// From when they are in force.
        effective_from: DateTime<Utc>,
        /// Where the prices were taken from.
        source: Option<String>,
        /// What it says.
        terms: PriceTerms,
    },
}

/// Why a price list refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceListError {
    /// It prices nothing.
    #[error("the price list has no models, and no mark-up either")]
    NoModels,
    /// The list is another provider's.
    #[error("the list prices the models of '{list}', not of '{asked}'")]
    ProviderMismatch {
        /// The list's provider.
        list: String,
        /// The provider asked for.
        asked: String,
    },
    /// Prices of all are what they are: only an organization puts something on top of them.
    #[error("a mark-up stands in an organization's own list, not in one of all")]
    MarkUpOfAll,
    /// The code is none of a currency that people pay with.
    #[error("{0} is no currency that is in use today, by ISO 4217; such as USD or EUR")]
    CurrencyNotInUse(Currency),
    /// A service tier would cost less than nothing.
    #[error("the model '{model}' has a service tier with a share below zero")]
    ShareBelowZero {
        /// The model.
        model: String,
    },
    /// A threshold of context size has no meaning.
    #[error("the model '{model}' has rates above {input_tokens} input tokens")]
    ThresholdBelowZero {
        /// The model.
        model: String,
        /// The threshold.
        input_tokens: i64,
    },
    /// A rule that recognises a model's name has no meaning.
    #[error("'{name}' is recognised by '{regex}', which is no regular expression")]
    InvalidRegex {
        /// The model or provider.
        name: String,
        /// The text.
        regex: String,
    },
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl Decider for PriceList {
    const STREAM: &'static str = "price_list";
    type Command = PriceListCommand;
    type Event = PriceListEvent;
    type Error = PriceListError;

    fn decide(&self, command: PriceListCommand) -> Result<Vec<PriceListEvent>, PriceListError> {
        match command {
            PriceListCommand::Publish {
                price_list_id,
                organization_id,
                provider,
                currency,
                effective_from,
                source,
                terms,
            } => {
                let provider = text::name(&provider)?;
                let source = text::reason(source.as_deref())?;
                sayable(&provider, organization_id, &terms)?;
                if let Self::Published(latest) = self {
                    latest.may_be_followed(&provider)?;
                    // A version can begin before one that is there, or replace one that has not
                    // begun; the same again from then on changes nothing only after the last of all.
                    let goes_on = latest.begins_last() && latest.effective_from <= effective_from;
                    if goes_on && latest.currency == currency && latest.terms == terms {
                        return Ok(vec![]);
                    }
                }
                if !currency.is_in_use() {
                    return Err(PriceListError::CurrencyNotInUse(currency));
                }
                Ok(vec![PriceListEvent::Published {
                    price_list_id,
                    version: self.version() + 1,
                    organization_id,
                    provider,
                    provider_matches: terms.provider_matches,
                    model_matches: terms.model_matches,
                    fallback_providers: terms.fallback_providers,
                    mark_up_percent: terms.mark_up_percent,
                    currency,
                    effective_from,
                    source,
                    models: terms.models,
                }])
            }
        }
    }

    fn evolve(&mut self, event: &PriceListEvent) {
        match event {
            PriceListEvent::Published {
                price_list_id: _,
                version,
                organization_id: _,
                provider,
                provider_matches,
                model_matches,
                fallback_providers,
                mark_up_percent,
                currency,
                effective_from,
                source: _,
                models,
            } => {
                let last = self.latest().map(|latest| latest.last_effective_from);
                let last = last.map_or(*effective_from, |last| last.max(*effective_from));
                *self = Self::Published(LatestVersion {
                    version: *version,
                    provider: provider.clone(),
                    currency: *currency,
                    effective_from: *effective_from,
                    terms: PriceTerms {
                        provider_matches: provider_matches.clone(),
                        model_matches: model_matches.clone(),
                        fallback_providers: fallback_providers.clone(),
                        mark_up_percent: *mark_up_percent,
                        models: models.clone(),
                    },
                    last_effective_from: last,
                });
            }
        }
    }
}

impl PriceList {
    /// The latest version, from 1; 0 where nothing was published.
    pub fn version(&self) -> u32 {
        self.latest().map_or(0, |latest| latest.version)
    }

    /// The latest version.
    pub fn latest(&self) -> Option<&LatestVersion> {
        match self {
            Self::Absent => None,
            Self::Published(latest) => Some(latest),
        }
    }
}

impl LatestVersion {
    /// Whether no version begins after it.
    fn begins_last(&self) -> bool {
        self.last_effective_from <= self.effective_from
    }

    fn may_be_followed(&self, provider: &str) -> Result<(), PriceListError> {
        if fold(provider) != fold(&self.provider) {
            return Err(PriceListError::ProviderMismatch {
                list: self.provider.clone(),
                asked: provider.to_owned(),
            });
        }
        Ok(())
    }
}

/// Refuses what could not be priced by.
fn sayable(
    provider: &str,
    organization_id: Option<OrganizationId>,
    terms: &PriceTerms,
) -> Result<(), PriceListError> {
    let PriceTerms { provider_matches, model_matches, mark_up_percent, models, .. } = terms;
    if mark_up_percent.is_some() && organization_id.is_none() {
        return Err(PriceListError::MarkUpOfAll);
    }
    if models.is_empty() && mark_up_percent.is_none() {
        return Err(PriceListError::NoModels);
    }
    for rule in [provider_matches, model_matches].into_iter().flatten() {
        recognises(provider, rule)?;
    }
    for price in models {
        recognises(&price.model, &price.matches)?;
        tables(price)?;
    }
    Ok(())
}

fn recognises(name: &str, rule: &MatchRule) -> Result<(), PriceListError> {
    match invalid_regex(rule) {
        None => Ok(()),
        Some(regex) => {
            let (name, regex) = (name.to_owned(), regex.to_owned());
            Err(PriceListError::InvalidRegex { name, regex })
        }
    }
}

/// Every table of a model's prices.
fn tables(price: &ModelPrice) -> Result<(), PriceListError> {
    let timed = price.at_times.iter().map(|timed| (&timed.above, &timed.service_tiers));
    for (above, tiers) in timed.chain([(&price.above, &price.service_tiers)]) {
        thresholds(price, above)?;
        tiers.iter().try_for_each(|tier| service_tier(price, tier))?;
    }
    Ok(())
}

fn service_tier(price: &ModelPrice, tier: &ServiceTierPrice) -> Result<(), PriceListError> {
    text::name(&tier.tier)?;
    if tier.percent.is_some_and(|percent| percent.hundredths() < 0) {
        return Err(PriceListError::ShareBelowZero { model: price.model.clone() });
    }
    thresholds(price, &tier.above)
}

fn thresholds(price: &ModelPrice, above: &[RatesAbove]) -> Result<(), PriceListError> {
    match above.iter().find(|above| above.input_tokens < 0) {
        None => Ok(()),
        Some(RatesAbove { input_tokens, rates: _ }) => {
            let (model, input_tokens) = (price.model.clone(), *input_tokens);
            Err(PriceListError::ThresholdBelowZero { model, input_tokens })
        }
    }
}

#[cfg(test)]
mod tests;
