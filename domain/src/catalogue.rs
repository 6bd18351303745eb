//! Catalogues of model prices that others collect: pydantic/genai-prices and LiteLLM's.
//!
//! Prices are read as the decimal text that stands in the file, never through a float. What a price
//! list cannot express is named, never guessed.

mod decimal;
mod genai;
mod litellm;
mod litellm_keys;

use std::collections::BTreeMap;

use event_schemas::{MatchRule, Rate, Rates, RatesAbove};
use serde_json::value::RawValue;

use crate::price_list::PriceTerms;

/// A catalogue as price lists, one for each provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    /// Its name in the ids of price lists.
    pub name: &'static str,
    /// The lists, in the file's order.
    pub lists: Vec<CatalogueList>,
    /// How many models the file has.
    pub models: u64,
    /// How many of them have a price now.
    pub priced: u64,
    /// What was not taken.
    pub skipped: Vec<Skipped>,
}

/// The price list of one provider.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogueList {
    /// The provider.
    pub provider: String,
    /// What the list says.
    pub terms: PriceTerms,
}

/// Something that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The price, in the file's word; none where it is the whole model.
    pub price: Option<String>,
    /// Why.
    pub why: Why,
}

/// Why a price was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// It is for something that usage records do not count.
    NoUnit,
    /// It depends on something that usage records do not say.
    UnknownCondition,
    /// It has more decimal places than a rate has.
    TooManyPlaces,
    /// It is no price: below zero, too large, or not a number.
    NotAPrice,
    /// Another price says the same.
    SaidBefore,
    /// The model has no price at all.
    NoPrice,
    /// The entry is an explanation of the file.
    NotAModel,
}

impl Why {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoUnit => "for something that usage records do not count",
            Self::UnknownCondition => "depends on something that usage records do not say",
            Self::TooManyPlaces => "more decimal places than a rate has",
            Self::NotAPrice => "not a price",
            Self::SaidBefore => "another price says the same",
            Self::NoPrice => "no price that could be taken",
            Self::NotAModel => "not a model",
        }
    }
}

/// Why a file is no catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It is in neither format.
    #[error("it is not a price catalogue in the format of genai-prices or of LiteLLM: {0}")]
    NotACatalogue(#[from] serde_json::Error),
    /// It has no models.
    #[error("it is not a price catalogue: there are no models in it")]
    Empty,
}

/// Reads a catalogue: a JSON array is genai-prices', an object LiteLLM's.
pub fn read(text: &str) -> Result<Catalogue, CatalogueError> {
    let is_array = text.trim_start().starts_with('[');
    let catalogue = if is_array { genai::read(text)? } else { litellm::read(text)? };
    if catalogue.models == 0 { Err(CatalogueError::Empty) } else { Ok(catalogue) }
}

/// A JSON object's values as they stand in the file.
type Raw<'a> = BTreeMap<String, &'a RawValue>;

/// Sets a rate of a table by threshold of context size.
fn set_above(above: &mut Vec<RatesAbove>, input_tokens: i64, rate: (event_schemas::Measure, Rate)) {
    let place = above.iter().position(|known| known.input_tokens == input_tokens);
    let place = place.unwrap_or_else(|| {
        let at = above.partition_point(|known| known.input_tokens < input_tokens);
        above.insert(at, RatesAbove { input_tokens, rates: Rates::NONE });
        at
    });
    above[place].rates.set(rate.0, rate.1);
}

/// A rule that recognises nothing more than the model's own id.
fn only_itself(model: &str) -> MatchRule {
    MatchRule::Equals(model.to_owned())
}

#[cfg(test)]
mod tests;
