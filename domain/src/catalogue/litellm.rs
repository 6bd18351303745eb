//! The format of LiteLLM's `model_prices_and_context_window.json`: one entry a model, with a key for
//! each price; service tier and context size stand at the key's end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use event_schemas::{MatchRule, Measure, ModelPrice, Rate, Rates, ServiceTierPrice, Unit};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::litellm_keys::{Key, Priced, key};
use super::{
    Catalogue, CatalogueError, CatalogueList, Raw, Skipped, Why, decimal, only_itself, set_above,
};
use crate::price_list::PriceTerms;

/// An entry that explains the file.
const EXPLANATION: &str = "sample_spec";

/// The provider of models that the file names none for.
const NO_PROVIDER: &str = "litellm";

/// What LiteLLM's gateway calls a provider that the file calls something narrower.
fn provider_of(said: &str) -> &str {
    match said {
        "bedrock_converse" => "bedrock",
        "text-completion-openai" => "openai",
        "text-completion-codestral" => "codestral",
        "azure_text" => "azure",
        "cohere_chat" => "cohere",
        "fireworks_ai-embedding-models" => "fireworks_ai",
        _ if said.starts_with("vertex_ai-") => "vertex_ai",
        _ => said,
    }
}

pub(super) fn read(text: &str) -> Result<Catalogue, CatalogueError> {
    let entries: BTreeMap<String, Raw<'_>> = serde_json::from_str(text)?;
    let (mut models, mut priced, mut skipped) = (0, 0, Vec::new());
    let mut lists: BTreeMap<String, Vec<(String, String, ModelPrice)>> = BTreeMap::new();
    for (id, entry) in &entries {
        models += 1;
        let said = text_of(entry, "litellm_provider").unwrap_or_else(|| NO_PROVIDER.to_owned());
        let provider = provider_of(&said).to_owned();
        let mut reading = Reading {
            provider: &provider,
            model: id,
            mode: text_of(entry, "mode").unwrap_or_default(),
            price: ModelPrice::plain(id.clone(), only_itself(id), Rates::NONE),
            skipped: &mut skipped,
        };
        if id == EXPLANATION {
            reading.skip(None, Why::NotAModel);
            continue;
        }
        reading.entry(entry);
        let price = reading.price;
        priced += u64::from(!price.rates.is_empty());
        lists.entry(provider).or_default().push((id.clone(), said, price));
    }
    let lists = lists.into_iter().map(|(provider, models)| list(provider, models)).collect();
    Ok(Catalogue { name: "litellm", lists, models, priced, skipped })
}

/// Models are known with and without the provider before their name.
fn list(provider: String, models: Vec<(String, String, ModelPrice)>) -> CatalogueList {
    let ids: BTreeSet<String> = models.iter().map(|(id, _, _)| id.to_lowercase()).collect();
    let models = models.into_iter().map(|(id, said, mut price)| {
        let without = [&provider, &said]
            .into_iter()
            .find_map(|name| id.strip_prefix(name.as_str())?.strip_prefix('/'));
        if let Some(name) = without.filter(|name| !ids.contains(&name.to_lowercase())) {
            price.matches = MatchRule::Equals(name.to_owned());
        }
        price
    });
    let terms = PriceTerms { models: models.collect(), ..PriceTerms::default() };
    CatalogueList { provider, terms }
}

fn text_of(entry: &Raw<'_>, key: &str) -> Option<String> {
    serde_json::from_str(entry.get(key)?.get()).ok()
}

/// One model's prices, as they are read.
struct Reading<'a> {
    provider: &'a str,
    model: &'a str,
    mode: String,
    price: ModelPrice,
    skipped: &'a mut Vec<Skipped>,
}

#[derive(Deserialize)]
struct SearchContext<'a> {
    #[serde(borrow, rename = "search_context_size_low")]
    low: Option<&'a RawValue>,
    #[serde(borrow, rename = "search_context_size_medium")]
    medium: Option<&'a RawValue>,
    #[serde(borrow, rename = "search_context_size_high")]
    high: Option<&'a RawValue>,
}

impl Reading<'_> {
    fn skip(&mut self, price: Option<&str>, why: Why) {
        let (provider, model) = (self.provider.to_owned(), self.model.to_owned());
        let price = price.map(str::to_owned);
        self.skipped.push(Skipped { provider, model, price, why });
    }

    fn entry(&mut self, entry: &Raw<'_>) {
        for (word, value) in entry {
            match key(word, &self.mode) {
                Priced::Nothing => {}
                Priced::Skipped(why) => self.skip(Some(word), why),
                Priced::By(key) => self.take(word, &key, value.get()),
                Priced::SearchContext => self.searches(word, value.get()),
                Priced::Ranges => self.ranges(word, value.get()),
            }
        }
        self.other_names(entry);
        if self.price.rates.is_empty() {
            self.skip(None, Why::NoPrice);
        }
    }

    fn take(&mut self, word: &str, key: &Key, text: &str) {
        match decimal::rate(text, key.places) {
            Ok(rate) => self.set(key, rate),
            Err(why) => self.skip(Some(word), why),
        }
    }

    fn set(&mut self, key: &Key, rate: Rate) {
        let place = (key.measure, rate);
        match (&key.tier, key.above) {
            (None, None) => self.price.rates.set(key.measure, rate),
            (None, Some(above)) => set_above(&mut self.price.above, above, place),
            (Some(tier), None) => self.tier(tier).rates.set(key.measure, rate),
            (Some(tier), Some(above)) => set_above(&mut self.tier(tier).above, above, place),
        }
    }

    fn tier(&mut self, name: &str) -> &mut ServiceTierPrice {
        let tiers = &mut self.price.service_tiers;
        let place = tiers.iter().position(|tier| tier.tier == name).unwrap_or_else(|| {
            let (tier, rates, above) = (name.to_owned(), Rates::NONE, Vec::new());
            tiers.push(ServiceTierPrice { tier, percent: None, rates, above });
            tiers.len() - 1
        });
        &mut tiers[place]
    }

    /// Searches cost by the size of the context that they bring; the medium one is the plain one.
    fn searches(&mut self, word: &str, text: &str) {
        let Ok(sizes) = serde_json::from_str::<SearchContext<'_>>(text) else {
            return self.skip(Some(word), Why::NotAPrice);
        };
        for (unit, price) in [
            (Unit::WebSearches, sizes.medium),
            (Unit::LowContextWebSearches, sizes.low),
            (Unit::HighContextWebSearches, sizes.high),
        ] {
            let Some(price) = price else { continue };
            let plain = self.price.rates.get(Measure::Unit(Unit::WebSearches));
            match decimal::rate(price.get(), 3) {
                Ok(rate) if Some(rate) == plain => {}
                Ok(rate) => self.price.rates.set(Measure::Unit(unit), rate),
                Err(why) => self.skip(Some(word), why),
            }
        }
    }

    /// Prices by ranges of context size, each with keys of its own.
    fn ranges(&mut self, word: &str, text: &str) {
        let Ok(ranges) = serde_json::from_str::<Vec<HashMap<String, &RawValue>>>(text) else {
            return self.skip(Some(word), Why::NotAPrice);
        };
        for range in ranges {
            let bounds = range.get("range").map(|range| range.get());
            let bounds: Option<Vec<&RawValue>> =
                bounds.and_then(|bounds| serde_json::from_str(bounds).ok());
            let begin = bounds.and_then(|bounds| decimal::whole(bounds.first()?.get()));
            let Some(begin) = begin else {
                self.skip(Some(word), Why::UnknownCondition);
                continue;
            };
            let mut words: Vec<_> = range.into_iter().collect();
            words.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            for (inner, value) in words {
                if let Priced::By(key) = key(&inner, &self.mode) {
                    let above = (begin > 0).then_some(begin);
                    self.take(word, &Key { above, ..key }, value.get());
                }
            }
        }
    }

    /// Prices that older entries have by another name, where the newer one is not there.
    fn other_names(&mut self, entry: &Raw<'_>) {
        for (word, measure, places) in [
            ("input_cost_per_token_cache_hit", Measure::CachedInput, 6),
            // Transcription is priced by the audio in its input, and the file says it twice.
            ("output_cost_per_second", Measure::Unit(Unit::InputAudioMs), 3),
        ] {
            let is_audio = measure == Measure::Unit(Unit::InputAudioMs);
            let Some(value) = entry.get(word) else { continue };
            if is_audio && self.mode != "audio_transcription" {
                continue;
            }
            if self.price.rates.get(measure).is_some() {
                self.skip(Some(word), Why::SaidBefore);
                continue;
            }
            self.take(word, &Key { measure, places, tier: None, above: None }, value.get());
        }
    }
}
