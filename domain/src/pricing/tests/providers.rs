//! Names of providers, and providers that serve the models of others.

use super::*;

struct List {
    provider: &'static str,
    also: Option<MatchRule>,
    models: Option<MatchRule>,
    fallbacks: &'static [&'static str],
    entries: &'static [(&'static str, &'static str)],
}

const PLAIN: List = List { provider: "", also: None, models: None, fallbacks: &[], entries: &[] };

fn event(catalogue: &str, list: List) -> PriceListEvent {
    let entries =
        list.entries.iter().map(|(name, input)| model(name, named(name), rates(input, "1")));
    PriceListEvent::Published {
        price_list_id: PriceListId::of(catalogue, list.provider),
        version: 1,
        organization_id: None,
        provider: list.provider.to_owned(),
        provider_matches: list.also,
        model_matches: list.models,
        fallback_providers: list.fallbacks.iter().map(|name| (*name).to_owned()).collect(),
        mark_up_percent: None,
        currency: Currency::USD,
        effective_from: at(0),
        source: None,
        models: entries.collect(),
    }
}

fn contains(text: &str) -> MatchRule {
    MatchRule::Contains(text.to_owned())
}

fn all() -> PriceBook {
    let azure = List {
        provider: "azure",
        fallbacks: &["openai", "anthropic"],
        entries: &[("gpt-5", "2")],
        ..PLAIN
    };
    let aws = List {
        provider: "aws",
        also: Some(contains("bedrock")),
        entries: &[("nova", "4")],
        ..PLAIN
    };
    let openai = List {
        provider: "openai",
        also: Some(contains("openai")),
        models: Some(starts("gpt-")),
        entries: &[("gpt-5", "1"), ("gpt-4-2025-12-11", "3")],
        ..PLAIN
    };
    let anthropic = List { provider: "anthropic", entries: &[("claude", "5")], ..PLAIN };
    let bedrock = List { provider: "bedrock", entries: &[("titan", "6")], ..PLAIN };
    book(&[
        (1, event("genai", azure)),
        (2, event("genai", aws)),
        (3, event("genai", openai)),
        (4, event("genai", anthropic)),
        (5, event("other", bedrock)),
    ])
}

#[test]
fn a_provider_is_known_by_other_names_and_serves_the_models_of_others() {
    let book = all();
    let price = |provider: &str, model: &str| {
        let priced = book.price(&used(provider, model, 0, plain(1))).unwrap();
        priced.cost_pico.map(|pico| (pico / 1_000_000, priced.price_version.unwrap()))
    };
    assert_eq!(price("azure", "gpt-5"), Some((2, 1)), "its own price comes first");
    assert_eq!(price("azure", "claude"), Some((5, 4)), "the second provider that it serves");
    assert_eq!(price("azure", "nova"), None);
    assert_eq!(price("anthropic", "gpt-5"), None, "it serves nobody else's");
    assert_eq!(price("Azure-OpenAI", "gpt-5"), Some((1, 3)));
    assert_eq!(price("aws_bedrock", "nova"), Some((4, 2)));
    // A name of its own in one catalogue, recognised by a rule in another.
    assert_eq!(price("bedrock", "titan"), Some((6, 5)));
    assert_eq!(price("bedrock", "nova"), Some((4, 2)));
    // And the same again, when the lists of these names are remembered.
    assert_eq!(price("bedrock", "nova"), Some((4, 2)));
    assert_eq!(price("aws_bedrock", "gpt-5"), None);
}

#[test]
fn opentelemetrys_names_of_providers_are_those_of_the_catalogues() {
    let book = all();
    let version = |provider: &str, model: &str| {
        book.price(&used(provider, model, 0, plain(1))).unwrap().price_version
    };
    // Not by the rule that finds "openai" in it.
    assert_eq!(version("azure.ai.openai", "gpt-5"), Some(1));
    assert_eq!(version("azure.ai.inference", "gpt-5"), Some(1));
    assert_eq!(version("aws.bedrock", "nova"), Some(2));
    assert_eq!(version("aws.bedrock", "titan"), Some(5), "of the other catalogue");
    assert_eq!(version("x_ai", "gpt-5"), None);
}

#[test]
fn a_provider_that_is_unknown_is_told_by_the_model() {
    let book = all();
    let price = |provider: &str, model: &str| {
        book.price(&used(provider, model, 0, plain(1))).unwrap().price_version
    };
    assert_eq!(price("unknown", "gpt-5"), Some(3));
    assert_eq!(price("unknown", "claude"), None, "the list has no rule for its models");
    assert_eq!(price("my-own-server", "gpt-5"), None, "a provider that is named is that one");
}

#[test]
fn a_date_without_dashes_is_the_same_date() {
    let book = all();
    for (model, is_known) in [
        ("gpt-4-20251211", true),
        ("GPT-4-20251211", true),
        ("gpt-4-2025-12-11", true),
        ("gpt-4-20251311", false),
        ("gpt-4-202512110", false),
    ] {
        let priced = book.price(&used("openai", model, 0, plain(1))).unwrap();
        assert_eq!(priced.cost_pico.is_some(), is_known, "{model}");
    }
}
