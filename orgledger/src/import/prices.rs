//! Import a catalogue of model prices in the format of pydantic/genai-prices.
//!
//! Prices are read as the decimal text that stands in the file, never through a float. What a price
//! list cannot express is counted and reported, never guessed: a model whose plain token prices
//! depend on context size or date, or that has prices for requests or reasoning beside those for
//! tokens, is left out whole; other units (audio, images, searches) of a model that is taken are
//! named.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Utc};
use command_api::price_lists::PublishPriceList;
use command_api::{CommandContext, Executor};
use event_schemas::{Amount, Currency, MatchRule, ModelPrice, Rates};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::lines::open;

/// The catalogue's name in price list ids.
const CATALOGUE: &str = "genai-prices";

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What an import came to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PricesReport {
    /// Providers in the file.
    pub providers: u64,
    /// Models in the file.
    pub models: u64,
    /// Models whose prices were taken.
    pub priced: u64,
    /// Price lists of which a new version was published.
    pub published: u64,
    /// Price lists that were so already.
    pub unchanged: u64,
    /// Models that were left out, by why.
    pub left_out: BTreeMap<String, u64>,
    /// Prices of models that were taken, which no price list can express yet, by unit.
    pub prices_not_taken: BTreeMap<String, u64>,
    /// Providers whose list was refused, and why.
    pub rejected: Vec<RejectedProvider>,
}

/// A provider whose list was refused.
#[derive(Debug, Serialize)]
pub(crate) struct RejectedProvider {
    /// The provider.
    pub provider: String,
    /// Why.
    pub reason: String,
}

#[derive(Deserialize)]
struct Provider {
    id: String,
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

/// Why a model is left out.
enum LeftOut {
    ByDate,
    ByContextSize,
    ByRequest,
    ByReasoning,
    NoTokenPrice,
    TooManyPlaces,
}

impl LeftOut {
    fn why(&self) -> &'static str {
        match self {
            Self::ByDate => "prices depend on date or time",
            Self::ByContextSize => "prices depend on context size",
            Self::ByRequest => "a price for each request, too",
            Self::ByReasoning => "a price of its own for reasoning",
            Self::NoTokenPrice => "no price for input or output tokens",
            Self::TooManyPlaces => "a price has more than 12 decimal places",
        }
    }
}

/// Imports a file.
pub(crate) async fn import(
    executor: &Executor,
    path: &Path,
    effective_from: Option<DateTime<Utc>>,
    context: &CommandContext,
) -> anyhow::Result<PricesReport> {
    let mut text = String::new();
    let mut limited = std::io::Read::take(open(path)?, FILE_BYTES_MAX);
    std::io::Read::read_to_string(&mut limited, &mut text)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let providers: Vec<Provider> = serde_json::from_str(&text).with_context(|| {
        format!("{} is not a price catalogue in the format of genai-prices", path.display())
    })?;
    let mut report = PricesReport::default();
    for provider in providers {
        report.providers += 1;
        let models = convert(&provider, &mut report);
        if models.is_empty() {
            continue;
        }
        let publish = PublishPriceList {
            catalogue: CATALOGUE.to_owned(),
            provider: provider.id.clone(),
            currency: Currency::USD,
            effective_from,
            source: path.file_name().map(|name| name.to_string_lossy().into_owned()),
            models,
        };
        match executor.execute(context, &publish).await {
            Ok(answer) if answer.outcome.published => report.published += 1,
            Ok(_) => report.unchanged += 1,
            Err(command_api::ExecuteError::Refused(refusal)) => {
                let reason = refusal.to_string();
                report.rejected.push(RejectedProvider { provider: provider.id, reason });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(report)
}

fn convert(provider: &Provider, report: &mut PricesReport) -> Vec<ModelPrice> {
    let mut models = Vec::new();
    for model in &provider.models {
        report.models += 1;
        match model_price(model, &mut report.prices_not_taken) {
            Ok(price) => {
                report.priced += 1;
                models.push(price);
            }
            Err(left_out) => {
                *report.left_out.entry(left_out.why().to_owned()).or_default() += 1;
                // It keeps its place without a price: its usage is unpriced, and not by mistake
                // priced as a model further down whose rule is broader.
                let (matches, rates) = (rule(&model.matches), Rates::default());
                models.push(ModelPrice { model: model.id.clone(), matches, rates });
            }
        }
    }
    models
}

fn model_price(
    model: &Model,
    not_taken: &mut BTreeMap<String, u64>,
) -> Result<ModelPrice, LeftOut> {
    let Ok(prices) = serde_json::from_str::<BTreeMap<String, &RawValue>>(model.prices.get()) else {
        return Err(LeftOut::ByDate);
    };
    let mut rates = Rates::default();
    let mut others = Vec::new();
    for (unit, price) in prices {
        let rate = match unit.as_str() {
            "input_mtok" => &mut rates.input,
            "cache_read_mtok" => &mut rates.cached_input,
            "cache_write_mtok" => &mut rates.cache_write,
            "output_mtok" => &mut rates.output,
            // Part of what plain usage costs: without it every cost would be wrong.
            "requests_kcount" => return Err(LeftOut::ByRequest),
            "output_reasoning_mtok" => return Err(LeftOut::ByReasoning),
            _ => {
                others.push(unit);
                continue;
            }
        };
        *rate = Some(decimal(price.get())?);
    }
    if rates.input.is_none() && rates.output.is_none() {
        return Err(LeftOut::NoTokenPrice);
    }
    for unit in others {
        *not_taken.entry(unit).or_default() += 1;
    }
    Ok(ModelPrice { model: model.id.clone(), matches: rule(&model.matches), rates })
}

/// A price as it stands in the file. JSON's exponents are written out; nothing is rounded.
fn decimal(text: &str) -> Result<Amount, LeftOut> {
    if text.starts_with('{') {
        return Err(LeftOut::ByContextSize);
    }
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => {
            (digits, exponent.parse::<i32>().map_err(|_| LeftOut::TooManyPlaces)?)
        }
        None => (text, 0),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if !(-24..=24).contains(&exponent) {
        return Err(LeftOut::TooManyPlaces);
    }
    let point = i32::try_from(whole.len()).map_err(|_| LeftOut::TooManyPlaces)? + exponent;
    let all = format!("{whole}{part}");
    let plain = match usize::try_from(point) {
        Ok(point) if point >= all.len() => format!("{all:0<point$}"),
        Ok(0) => format!("0.{all}"),
        Ok(point) => format!("{}.{}", &all[..point], &all[point..]),
        Err(_) => format!("0.{}{all}", "0".repeat(usize::try_from(-point).unwrap_or(0))),
    };
    plain.parse().map_err(|_| LeftOut::TooManyPlaces)
}

fn rule(from: &Rule) -> MatchRule {
    let all = |rules: &[Rule]| rules.iter().map(rule).collect();
    match from {
        Rule::Equals(text) => MatchRule::Equals(text.clone()),
        Rule::StartsWith(text) => MatchRule::StartsWith(text.clone()),
        Rule::EndsWith(text) => MatchRule::EndsWith(text.clone()),
        Rule::Contains(text) => MatchRule::Contains(text.clone()),
        Rule::Or(rules) => MatchRule::Or(all(rules)),
        Rule::And(rules) => MatchRule::And(all(rules)),
        Rule::Regex(text) => MatchRule::Regex(text.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_as_it_stands_in_the_file() {
        for (text, amount) in [
            ("2.5", "2.500000000000"),
            ("15", "15.000000000000"),
            ("1e-07", "0.000000100000"),
            ("1.25E-3", "0.001250000000"),
            ("12.5e1", "125.000000000000"),
            ("3e2", "300.000000000000"),
            ("0.1", "0.100000000000"),
            ("0.0000000000010", "0.000000000001"),
        ] {
            assert_eq!(
                decimal(text).ok().map(|a| a.to_string()).as_deref(),
                Some(amount),
                "{text}"
            );
        }
        assert!(matches!(decimal("1e-13"), Err(LeftOut::TooManyPlaces)));
        assert!(matches!(decimal(r#"{"base": 1}"#), Err(LeftOut::ByContextSize)));
    }
}
