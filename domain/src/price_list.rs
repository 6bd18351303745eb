//! A price list: a catalogue's prices for one provider, version after version.

use chrono::{DateTime, Utc};
use event_schemas::{Amount, Currency, ModelPrice, PriceListEvent, PriceListId, Rates};
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
    /// The prices.
    pub models: Vec<ModelPrice>,
    /// The latest date from which any version is in force.
    last_effective_from: DateTime<Utc>,
}

/// What can be asked of a price list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceListCommand {
    /// Publish prices; the same prices again are no new version.
    Publish {
        /// The list.
        price_list_id: PriceListId,
        /// The provider whose models it prices.
        provider: String,
        /// The currency of every price in it.
        currency: Currency,
        /// From when they are in force.
        effective_from: DateTime<Utc>,
        /// Where the prices were taken from.
        source: Option<String>,
        /// The prices; the first entry that matches a model's name is its price.
        models: Vec<ModelPrice>,
    },
}

/// Why a price list refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceListError {
    /// It prices nothing.
    #[error("the price list has no models")]
    NoModels,
    /// The list is another provider's.
    #[error("the list prices the models of '{list}', not of '{asked}'")]
    ProviderMismatch {
        /// The list's provider.
        list: String,
        /// The provider asked for.
        asked: String,
    },
    /// A price is below zero.
    #[error("the model '{model}' has a price below zero")]
    NegativeRate {
        /// The model.
        model: String,
    },
    /// A rule that recognises a model's name has no meaning.
    #[error("the model '{model}' is recognised by '{regex}', which is no regular expression")]
    InvalidRegex {
        /// The model.
        model: String,
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
                provider,
                currency,
                effective_from,
                source,
                models,
            } => {
                let provider = text::name(&provider)?;
                let source = text::reason(source.as_deref())?;
                prices_something(&models)?;
                if let Self::Published(latest) = self {
                    latest.may_be_followed(&provider)?;
                    // A version can begin before one that is there, or replace one that has not
                    // begun; the same again from then on changes nothing only after the last of all.
                    let goes_on = latest.begins_last() && latest.effective_from <= effective_from;
                    if goes_on && latest.currency == currency && latest.models == models {
                        return Ok(vec![]);
                    }
                }
                Ok(vec![PriceListEvent::Published {
                    price_list_id,
                    version: self.version() + 1,
                    provider,
                    currency,
                    effective_from,
                    source,
                    models,
                }])
            }
        }
    }

    fn evolve(&mut self, event: &PriceListEvent) {
        match event {
            PriceListEvent::Published {
                price_list_id: _,
                version,
                provider,
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
                    models: models.clone(),
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

fn prices_something(models: &[ModelPrice]) -> Result<(), PriceListError> {
    if models.is_empty() {
        return Err(PriceListError::NoModels);
    }
    for price in models {
        if has_negative(&price.rates) {
            return Err(PriceListError::NegativeRate { model: price.model.clone() });
        }
        if let Some(regex) = invalid_regex(&price.matches) {
            let (model, regex) = (price.model.clone(), regex.to_owned());
            return Err(PriceListError::InvalidRegex { model, regex });
        }
    }
    Ok(())
}

fn has_negative(rates: &Rates) -> bool {
    let Rates { input, cached_input, cache_write, output } = *rates;
    [input, cached_input, cache_write, output].into_iter().flatten().any(|rate| rate < Amount::ZERO)
}

#[cfg(test)]
mod tests;
