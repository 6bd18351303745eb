//! The format of pydantic/genai-prices: prices for a million tokens or a thousand of others, tiers by
//! context size, prices that hold at times, rules for names.

use chrono::{NaiveDate, NaiveTime};
use event_schemas::{MatchRule, Measure, ModelPrice, Rates, RatesAbove, TimedPrice, Unit, When};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Catalogue, CatalogueError, CatalogueList, Raw, Skipped, Why, decimal, set_above};
use crate::price_list::PriceTerms;

#[derive(Deserialize)]
struct Provider {
    id: String,
    #[serde(rename = "provider_match")]
    also_called: Option<Rule>,
    #[serde(rename = "model_match")]
    recognises: Option<Rule>,
    #[serde(default)]
    fallback_model_providers: Vec<String>,
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    #[serde(rename = "match")]
    matches: Rule,
    prices: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rule {
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(String),
    Or(Vec<Rule>),
    And(Vec<Rule>),
}

impl From<Rule> for MatchRule {
    fn from(rule: Rule) -> Self {
        let all = |rules: Vec<Rule>| rules.into_iter().map(Self::from).collect();
        match rule {
            Rule::Equals(text) => Self::Equals(text),
            Rule::StartsWith(text) => Self::StartsWith(text),
            Rule::EndsWith(text) => Self::EndsWith(text),
            Rule::Contains(text) => Self::Contains(text),
            Rule::Regex(text) => Self::Regex(text),
            Rule::Or(rules) => Self::Or(all(rules)),
            Rule::And(rules) => Self::And(all(rules)),
        }
    }
}

#[derive(Deserialize)]
struct Conditional<'a> {
    constraint: Option<Constraint>,
    #[serde(borrow)]
    prices: Raw<'a>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Constraint {
    From { start_date: NaiveDate },
    Daily { start_time: String, end_time: String },
}

impl Constraint {
    /// None where its times are not of UTC.
    fn when(&self) -> Option<When> {
        let time = |text: &str| text.strip_suffix('Z')?.parse::<NaiveTime>().ok();
        match self {
            Self::From { start_date } => Some(When::FromDate(*start_date)),
            Self::Daily { start_time, end_time } => {
                Some(When::Daily { start: time(start_time)?, end: time(end_time)? })
            }
        }
    }
}

#[derive(Deserialize)]
struct Tiered<'a> {
    #[serde(borrow)]
    base: &'a RawValue,
    #[serde(borrow)]
    tiers: Vec<Tier<'a>>,
}

#[derive(Deserialize)]
struct Tier<'a> {
    start: i64,
    #[serde(borrow)]
    price: &'a RawValue,
}

/// What a key of the file prices. Its numbers are for as many as our rates are.
fn measure(key: &str) -> Option<Measure> {
    Some(match key {
        "input_mtok" => Measure::Input,
        "cache_read_mtok" => Measure::CachedInput,
        "cache_write_mtok" => Measure::CacheWrite,
        "output_mtok" => Measure::Output,
        "output_reasoning_mtok" => Measure::Reasoning,
        "cache_write_1h_mtok" => Measure::Unit(Unit::CacheWrite1hTokens),
        "input_audio_mtok" => Measure::Unit(Unit::AudioInputTokens),
        "cache_audio_read_mtok" => Measure::Unit(Unit::CachedAudioInputTokens),
        "output_audio_mtok" => Measure::Unit(Unit::AudioOutputTokens),
        "input_image_mtok" => Measure::Unit(Unit::ImageInputTokens),
        "cache_image_read_mtok" => Measure::Unit(Unit::CachedImageInputTokens),
        "output_image_mtok" => Measure::Unit(Unit::ImageOutputTokens),
        "input_video_mtok" => Measure::Unit(Unit::VideoInputTokens),
        "cache_video_read_mtok" => Measure::Unit(Unit::CachedVideoInputTokens),
        "output_video_mtok" => Measure::Unit(Unit::VideoOutputTokens),
        "output_citation_mtok" => Measure::Unit(Unit::CitationTokens),
        "web_searches_kcount" => Measure::Unit(Unit::WebSearches),
        "requests_kcount" => Measure::Unit(Unit::Requests),
        _ => return None,
    })
}

pub(super) fn read(text: &str) -> Result<Catalogue, CatalogueError> {
    let providers: Vec<Provider> = serde_json::from_str(text)?;
    let (mut lists, mut models, mut priced, mut skipped) = (Vec::new(), 0, 0, Vec::new());
    for provider in providers {
        let mut prices = Vec::with_capacity(provider.models.len());
        for model in provider.models {
            models += 1;
            let mut reading =
                Reading { provider: &provider.id, model: &model.id, skipped: &mut skipped };
            let price = reading.model(&model.id, model.matches.into(), &model.prices);
            // It keeps its place without a price: its usage is unpriced, and not by mistake priced
            // as a model further down whose rule is broader.
            priced += u64::from(!price.rates.is_empty());
            prices.push(price);
        }
        let terms = PriceTerms {
            provider_matches: provider.also_called.map(MatchRule::from),
            model_matches: provider.recognises.map(MatchRule::from),
            fallback_providers: provider.fallback_model_providers,
            mark_up_percent: None,
            models: prices,
        };
        lists.push(CatalogueList { provider: provider.id, terms });
    }
    Ok(Catalogue { name: "genai-prices", lists, models, priced, skipped })
}

/// One model's prices, as they are read.
struct Reading<'a> {
    provider: &'a str,
    model: &'a str,
    skipped: &'a mut Vec<Skipped>,
}

impl Reading<'_> {
    fn skip(&mut self, price: Option<&str>, why: Why) {
        let (provider, model) = (self.provider.to_owned(), self.model.to_owned());
        let price = price.map(str::to_owned);
        self.skipped.push(Skipped { provider, model, price, why });
    }

    fn model(&mut self, id: &str, matches: MatchRule, prices: &RawValue) -> ModelPrice {
        let mut price = ModelPrice::plain(id.to_owned(), matches, Rates::NONE);
        if let Ok(plain) = serde_json::from_str::<Raw<'_>>(prices.get()) {
            (price.rates, price.above) = self.table(&plain);
        } else if let Ok(all) = serde_json::from_str::<Vec<Conditional<'_>>>(prices.get()) {
            self.conditional(&all, &mut price);
        }
        if price.rates.is_empty() {
            self.skip(None, Why::NoPrice);
        }
        price
    }

    /// The last whose condition holds is the price, and the first where none does.
    fn conditional(&mut self, all: &[Conditional<'_>], price: &mut ModelPrice) {
        for (place, one) in all.iter().enumerate() {
            let (rates, above) = self.table(&one.prices);
            if place == 0 {
                (price.rates, price.above) = (rates.clone(), above.clone());
            }
            match one.constraint.as_ref().map(Constraint::when) {
                None => {
                    // It holds always, and hides all before it.
                    (price.rates, price.above) = (rates, above);
                    price.at_times.clear();
                }
                Some(None) => self.skip(Some("constraint"), Why::UnknownCondition),
                Some(Some(when)) => {
                    let service_tiers = Vec::new();
                    price.at_times.push(TimedPrice { when, rates, above, service_tiers });
                }
            }
        }
    }

    fn table(&mut self, prices: &Raw<'_>) -> (Rates, Vec<RatesAbove>) {
        let (mut rates, mut above) = (Rates::NONE, Vec::new());
        for (key, price) in prices {
            let Some(measure) = measure(key) else {
                self.skip(Some(key), Why::NoUnit);
                continue;
            };
            let tiered = serde_json::from_str::<Tiered<'_>>(price.get());
            let base = tiered.as_ref().map_or(price.get(), |tiered| tiered.base.get());
            match decimal::rate(base, 0) {
                Ok(rate) => rates.set(measure, rate),
                Err(why) => self.skip(Some(key), why),
            }
            for tier in tiered.iter().flat_map(|tiered| &tiered.tiers) {
                match decimal::rate(tier.price.get(), 0) {
                    Ok(rate) => set_above(&mut above, tier.start, (measure, rate)),
                    Err(why) => self.skip(Some(key), why),
                }
            }
        }
        (rates, above)
    }
}
