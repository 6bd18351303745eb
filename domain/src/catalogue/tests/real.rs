//! The real catalogues, and real usage with what it cost. They are not part of the repository: where
//! `ORGLEDGER_REAL_DATA` does not name them, these tests say so and pass.

use std::io::Read as _;
use std::path::PathBuf;

use event_schemas::{Currency, PriceListEvent, PriceListId, Unit, Units};
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::pricing::{Exact, Explanation, PriceBook, Tokens, Used};
use crate::testing::{at, id};
use crate::usage::provider_usage::{ProviderUsage, UsageShape, provider_usage, usage_object};

const VARIABLE: &str = "ORGLEDGER_REAL_DATA";

/// The text of a file of the real data; none, said plainly, where there is none.
fn real_data(path: &str) -> Option<String> {
    let Some(directory) = std::env::var_os(VARIABLE) else {
        eprintln!("SKIPPED: {VARIABLE} is not set, so there is no {path} to test with");
        return None;
    };
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let bytes = std::fs::read(root.join(directory).join(path)).unwrap();
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    Some(text)
}

fn book(catalogue: &Catalogue) -> PriceBook {
    let mut book = PriceBook::default();
    for (list, position) in catalogue.lists.iter().zip(1..) {
        let terms = list.terms.clone();
        let event = PriceListEvent::Published {
            price_list_id: PriceListId::of(catalogue.name, &list.provider),
            version: 1,
            organization_id: None,
            provider: list.provider.clone(),
            provider_matches: terms.provider_matches,
            model_matches: terms.model_matches,
            fallback_providers: terms.fallback_providers,
            mark_up_percent: None,
            currency: Currency::USD,
            effective_from: at(0),
            source: None,
            models: terms.models,
        };
        book.published(position, &event);
    }
    book
}

/// A recorded answer of a provider, and what it cost.
#[derive(Deserialize)]
struct Row {
    provider: String,
    api_flavor: String,
    model: String,
    expected_input_usd: String,
    expected_output_usd: String,
    raw_usage: Value,
}

/// What the input and what the output cost, exactly.
fn by_side(explanation: &Explanation) -> (Exact, Exact) {
    let is_output = |measure: M| {
        matches!(measure, M::Output | M::Reasoning)
            || matches!(
                measure,
                M::Unit(
                    Unit::AudioOutputTokens
                        | Unit::ImageOutputTokens
                        | Unit::VideoOutputTokens
                        | Unit::CitationTokens
                )
            )
    };
    let sum = |output: bool| {
        let tokens = explanation.lines.iter().filter(|line| line.per == 1_000_000);
        let side = tokens.filter(|line| is_output(line.measure) == output);
        side.filter_map(|line| line.amount).sum()
    };
    (sum(false), sum(true))
}

/// A decimal with an exponent, written out.
fn plain(text: &str) -> String {
    decimal::rate(text, 0).unwrap().to_string()
}

/// The usage object of an answer, as it is read without the answer around it. Some of the rows read
/// an answer by another API's rules, as those for embeddings do with a chat's; no object says so.
fn alone(row: &Row, shape: UsageShape) -> Option<ProviderUsage> {
    let object = ["/usage", "/usageMetadata", "/response/usage", "/meta"]
        .iter()
        .find_map(|place| row.raw_usage.pointer(place)?.as_object())?;
    let known = UsageShape::of_object(&row.provider, object).unwrap();
    (known == shape).then(|| usage_object(&row.provider, object.clone()).unwrap())
}

/// What it costs, input and output apart.
fn cost(book: &PriceBook, row: &Row, read: &ProviderUsage) -> (String, String) {
    let used = Used {
        organization_id: id(1),
        provider: &row.provider,
        model: &row.model,
        // The catalogue is of this time; no price in it that begins later holds.
        occurred_at: "2026-07-29T12:00:00Z".parse().unwrap(),
        tokens: read.tokens,
        units: &read.units,
        service_tier: read.service_tier.as_deref(),
        failed: false,
    };
    let (input, output) = by_side(&book.explain(&used, i64::MAX).unwrap());
    (input.to_string(), output.to_string())
}

#[test]
fn real_usage_costs_what_it_cost() {
    let Some(prices) = real_data("prices/genai-prices.json") else { return };
    let Some(rows) = real_data("prices/priced_usage.jsonl.gz") else { return };
    let book = book(&read(&prices).unwrap());
    let (mut wrong, mut as_objects) = (Vec::new(), 0);
    let rows: Vec<Row> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for row in &rows {
        let shape = UsageShape::of(&row.provider, &row.api_flavor).unwrap();
        let read = provider_usage(shape, &row.raw_usage).unwrap();
        let expected = (plain(&row.expected_input_usd), plain(&row.expected_output_usd));
        let mut costs = vec![("answer", cost(&book, row, &read))];
        // The service tier may stand beside the object, where a record says it, too.
        if let Some(alone) = alone(row, shape) {
            let alone = ProviderUsage { service_tier: read.service_tier.clone(), ..alone };
            costs.push(("object", cost(&book, row, &alone)));
        }
        as_objects += costs.len() - 1;
        for (how, ours) in costs {
            if ours != expected {
                let Row { provider, api_flavor, model, raw_usage, .. } = row;
                wrong.push(format!(
                    "{provider} {api_flavor} {model}, {how}: {ours:?}, not {expected:?}: {raw_usage}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    assert!(rows.len() > 1_000 && as_objects > 600, "{} {as_objects}", rows.len());
}

#[test]
fn the_real_catalogues_are_taken_whole() {
    for (file, models_min) in
        [("prices/genai-prices.json", 1_400), ("prices/litellm_model_prices.json.gz", 4_500)]
    {
        let Some(text) = real_data(file) else { return };
        let catalogue = read(&text).unwrap();
        assert!(catalogue.models >= models_min, "{file}: {}", catalogue.models);
        let left_out = catalogue.skipped.iter().filter(|skipped| skipped.price.is_none());
        let left_out: Vec<_> = left_out.collect();
        assert_eq!(catalogue.models, catalogue.priced + left_out.len() as u64, "{file}");
        let mut whys: BTreeMap<(Why, Option<&str>), u64> = BTreeMap::new();
        for skipped in &catalogue.skipped {
            *whys.entry((skipped.why, skipped.price.as_deref())).or_default() += 1;
        }
        eprintln!("{file}: {} of {} models: {whys:#?}", catalogue.priced, catalogue.models);
        let not_prices = catalogue.skipped.iter().filter(|skipped| skipped.why == Why::NotAPrice);
        assert_eq!(not_prices.collect::<Vec<_>>(), Vec::<&Skipped>::new(), "{file}");
        // Every rule can be understood and every table priced by.
        for (list, version) in catalogue.lists.iter().zip(1..) {
            let publish = crate::price_list::PriceListCommand::Publish {
                price_list_id: PriceListId::of(catalogue.name, &list.provider),
                organization_id: None,
                provider: list.provider.clone(),
                currency: Currency::USD,
                effective_from: at(version),
                source: None,
                terms: list.terms.clone(),
            };
            let decided = crate::Decider::decide(&crate::price_list::PriceList::default(), publish);
            assert_eq!(decided.map(|events| events.len()), Ok(1), "{}", list.provider);
        }
    }
}

/// Of LiteLLM's own entries, one of each kind that is told apart, by hand.
#[test]
fn a_real_model_of_litellm_costs_what_its_entry_says() {
    let Some(text) = real_data("prices/litellm_model_prices.json.gz") else { return };
    let entries: BTreeMap<String, Raw<'_>> = serde_json::from_str(&text).unwrap();
    let book = book(&read(&text).unwrap());
    let mut checked = 0;
    for (name, entry) in &entries {
        let word = |key: &str| entry.get(key).map_or("", |value| value.get().trim_matches('"'));
        let provider = word("litellm_provider");
        if word("mode") != "chat" {
            continue;
        }
        let none = Units::NONE;
        let used = Used {
            organization_id: id(1),
            provider,
            model: name,
            occurred_at: at(1),
            tokens: Tokens { input: 1_000_000, ..Tokens::default() },
            units: &none,
            service_tier: None,
            failed: false,
        };
        let plain = entry.get("input_cost_per_token");
        let own_rules = ["tiered_pricing", "input_cost_per_request"];
        let has_threshold =
            entry.keys().any(|key| key.contains("above") || own_rules.contains(&key.as_str()));
        let Some(plain) = plain.filter(|_| !has_threshold) else { continue };
        let explanation = book.explain(&used, i64::MAX).unwrap();
        // A provider that the file calls by two names is one of them here.
        let Some(by) = explanation.by else { continue };
        assert_eq!(&by.model, name);
        let expected = decimal::rate(plain.get(), 6).unwrap().to_string();
        assert_eq!(explanation.subtotal.to_string(), expected, "{name}");
        checked += 1;
    }
    assert!(checked > 2_000, "{checked}");
}
