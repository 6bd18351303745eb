//! Import a catalogue of model prices: pydantic/genai-prices' or LiteLLM's. What is read of which is
//! told in `domain::catalogue`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Utc};
use command_api::price_lists::PublishPriceList;
use command_api::{CommandContext, ExecuteError, Executor};
use domain::catalogue::{self, Catalogue, CatalogueList};
use event_schemas::Currency;
use serde::Serialize;

use super::lines::open;

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// What an import came to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PricesReport {
    /// The catalogue.
    pub catalogue: &'static str,
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
    pub left_out: BTreeMap<&'static str, u64>,
    /// Prices that were not taken, of how many models, by price and why.
    pub prices_not_taken: BTreeMap<String, u64>,
    /// Each thing that was left out or not taken.
    pub skipped: Vec<SkippedPrice>,
    /// Providers whose list was refused, and why.
    pub rejected: Vec<RejectedProvider>,
}

/// Something that was left out.
#[derive(Debug, Serialize)]
pub(crate) struct SkippedPrice {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The price, in the file's word; none where it is the whole model.
    pub price: Option<String>,
    /// Why.
    pub why: &'static str,
}

/// A provider whose list was refused.
#[derive(Debug, Serialize)]
pub(crate) struct RejectedProvider {
    /// The provider.
    pub provider: String,
    /// Why.
    pub reason: String,
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
    let catalogue =
        catalogue::read(&text).with_context(|| format!("cannot import {}", path.display()))?;
    let source = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut report = PricesReport::of(&catalogue);
    for CatalogueList { provider, terms } in catalogue.lists {
        if terms.models.iter().all(|model| model.rates.is_empty()) {
            continue;
        }
        let publish = PublishPriceList {
            catalogue: catalogue.name.to_owned(),
            provider: provider.clone(),
            currency: Currency::USD,
            effective_from,
            source: source.clone(),
            provider_matches: terms.provider_matches,
            model_matches: terms.model_matches,
            fallback_providers: terms.fallback_providers,
            models: terms.models,
        };
        match executor.execute(context, &publish).await {
            Ok(answer) if answer.outcome.published => report.published += 1,
            Ok(_) => report.unchanged += 1,
            Err(ExecuteError::Refused(refusal)) => {
                report.rejected.push(RejectedProvider { provider, reason: refusal.to_string() });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(report)
}

impl PricesReport {
    /// What the file has, before any of it is published.
    fn of(catalogue: &Catalogue) -> Self {
        let mut report = Self {
            catalogue: catalogue.name,
            providers: catalogue.lists.len() as u64,
            models: catalogue.models,
            priced: catalogue.priced,
            ..Self::default()
        };
        for skipped in &catalogue.skipped {
            let why = skipped.why.words();
            let count = match &skipped.price {
                None => report.left_out.entry(why).or_default(),
                Some(price) => {
                    report.prices_not_taken.entry(format!("{price}: {why}")).or_default()
                }
            };
            *count += 1;
            report.skipped.push(SkippedPrice {
                provider: skipped.provider.clone(),
                model: skipped.model.clone(),
                price: skipped.price.clone(),
                why,
            });
        }
        report
    }
}
