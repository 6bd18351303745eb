//! How long it takes to price a record: by a book of both public catalogues where the real data is
//! there, else of made-up lists of their size.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use domain::catalogue;
use domain::pricing::{PriceBook, Tokens, Used};
use event_schemas::{
    Currency, MatchRule, Measure, ModelPrice, PriceListEvent, PriceListId, Rate, Unit, Units,
};
use uuid::Uuid;

use crate::figure::Figures;

/// How the real data is named.
const VARIABLE: &str = "ORGLEDGER_REAL_DATA";

/// Providers, and models of each, of a made-up book.
const PROVIDERS: usize = 60;
const MODELS: usize = 100;

/// How many records take turns.
const RECORDS: usize = 1_000;

/// A record's part that is named.
struct Named {
    provider: String,
    model: String,
}

/// Prices one record after another, in one task.
pub(crate) fn measure(figures: &mut Figures, seconds: f64) -> anyhow::Result<()> {
    let lists = match std::env::var_os(VARIABLE) {
        Some(folder) => real(Path::new(&folder))?,
        None => made_up(),
    };
    let (mut book, mut named) = (PriceBook::default(), Vec::new());
    for (event, position) in lists.iter().zip(1..) {
        book.published(position, event);
        let PriceListEvent::Published { provider, models, .. } = event;
        let names = models.iter().filter(|model| model.rates.get(Measure::Output).is_some());
        named.extend(names.map(|price| {
            let (provider, model) = (provider.clone(), price.model.clone());
            Named { provider, model }
        }));
    }
    // Spread over all of them, as the models of many organizations are.
    let step = (named.len() / RECORDS).max(1);
    let named: Vec<Named> = named.into_iter().step_by(step).take(RECORDS).collect();
    let units = [Units::NONE, [(Unit::CacheWrite1hTokens, 50)].into_iter().collect()];
    let records: Vec<Used<'_>> =
        named.iter().enumerate().map(|(number, named)| record(number, named, &units)).collect();
    let (mut priced, mut with_cost, mut spent) = (0_u32, 0_u32, Duration::ZERO);
    while spent.as_secs_f64() < seconds {
        let begun = Instant::now();
        for record in &records {
            let answer = book.price(std::hint::black_box(record))?;
            with_cost += u32::from(answer.cost_pico.is_some());
            priced += 1;
        }
        spent += begun.elapsed();
    }
    anyhow::ensure!(with_cost > priced / 2, "most records found no price");
    let each = spent.as_secs_f64() * 1e6 / f64::from(priced);
    figures.alone("price_record", each, "µs", "< 2");
    Ok(())
}

fn record<'a>(number: usize, named: &'a Named, units: &'a [Units; 2]) -> Used<'a> {
    let number = i64::try_from(number).unwrap_or(0);
    let tokens = Tokens {
        input: 1_000 + number,
        cached_input: 300,
        cache_write: 100,
        output: 200,
        reasoning: 50,
    };
    // One in ten says more than tokens, one in twenty a tier.
    let (units, service_tier) = (&units[usize::from(number % 10 == 0)], number % 20 == 0);
    Used {
        organization_id: Uuid::nil().into(),
        provider: &named.provider,
        model: &named.model,
        occurred_at: now(),
        tokens,
        units,
        service_tier: service_tier.then_some("batch"),
        failed: false,
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000, 0).unwrap_or_default()
}

fn real(folder: &Path) -> anyhow::Result<Vec<PriceListEvent>> {
    let mut events = Vec::new();
    for file in ["prices/genai-prices.json", "prices/litellm_model_prices.json.gz"] {
        let path = folder.join(file);
        let bytes =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut text = String::new();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            flate2::read::MultiGzDecoder::new(&*bytes).read_to_string(&mut text)?;
        } else {
            text = String::from_utf8(bytes)?;
        }
        let catalogue = catalogue::read(&text)?;
        for list in catalogue.lists {
            events.push(published(catalogue.name, &list.provider, list.terms.models));
        }
    }
    Ok(events)
}

fn made_up() -> Vec<PriceListEvent> {
    let rate = |cents: i128| Rate::from_atto(cents * 10_000_000_000_000_000).unwrap_or_default();
    let model = |number: usize| {
        let name = format!("model-{number}");
        let rates = [(Measure::Input, rate(300)), (Measure::Output, rate(1_500))];
        let matches = MatchRule::StartsWith(format!("{name}-2"));
        ModelPrice::plain(name, matches, rates.into_iter().collect())
    };
    let models: Vec<ModelPrice> = (0..MODELS).map(model).collect();
    (0..PROVIDERS)
        .map(|number| published("made up", &format!("provider-{number}"), models.clone()))
        .collect()
}

fn published(catalogue: &str, provider: &str, models: Vec<ModelPrice>) -> PriceListEvent {
    PriceListEvent::Published {
        price_list_id: PriceListId::of(catalogue, provider),
        version: 1,
        organization_id: None,
        provider: provider.to_owned(),
        provider_matches: None,
        model_matches: None,
        fallback_providers: Vec::new(),
        mark_up_percent: None,
        currency: Currency::USD,
        effective_from: DateTime::UNIX_EPOCH,
        source: None,
        models,
    }
}
