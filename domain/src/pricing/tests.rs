mod exactness;

mod model;
mod own;
mod providers;

use event_schemas::{
    MatchRule, Measure as M, ModelPrice, PriceListEvent, PriceListId, Rates, RecordedUsage,
};

use super::*;
use crate::testing::{at, id};

fn priced_at(rates: &[(M, &str)]) -> Rates {
    rates.iter().map(|(measure, text)| (*measure, text.parse().unwrap())).collect()
}

fn rates(input: &str, output: &str) -> Rates {
    priced_at(&[(M::Input, input), (M::Output, output)])
}

fn model(name: &str, matches: MatchRule, rates: Rates) -> ModelPrice {
    ModelPrice::plain(name.to_owned(), matches, rates)
}

fn named(name: &str) -> MatchRule {
    MatchRule::Equals(name.to_owned())
}

fn starts(text: &str) -> MatchRule {
    MatchRule::StartsWith(text.to_owned())
}

fn gpt(input: &str) -> Vec<ModelPrice> {
    vec![model("gpt-5", starts("gpt-5-"), rates(input, "10"))]
}

fn published(list: &str, effective: i64, models: Vec<ModelPrice>) -> PriceListEvent {
    PriceListEvent::Published {
        price_list_id: PriceListId::of(list, "openai"),
        version: 1,
        organization_id: None,
        provider: "OpenAI".to_owned(),
        provider_matches: None,
        model_matches: None,
        fallback_providers: vec![],
        mark_up_percent: None,
        currency: Currency::USD,
        effective_from: at(effective),
        source: None,
        models,
    }
}

fn book(events: &[(i64, PriceListEvent)]) -> PriceBook {
    let mut book = PriceBook::default();
    for (position, event) in events {
        book.published(*position, event);
    }
    book
}

static NO_UNITS: Units = Units::NONE;

fn used<'a>(provider: &'a str, model: &'a str, hour: i64, tokens: Tokens) -> Used<'a> {
    Used {
        organization_id: id(1),
        provider,
        model,
        occurred_at: at(hour),
        tokens,
        units: &NO_UNITS,
        service_tier: None,
        failed: false,
    }
}

fn plain(input: i64) -> Tokens {
    Tokens { input, ..Tokens::default() }
}

/// The price version that prices one input token of a model at an hour, or why none does.
fn version(book: &PriceBook, model: &str, hour: i64) -> Result<i64, UnpricedReason> {
    let priced = book.price(&used("openai", model, hour, plain(1))).unwrap();
    priced.price_version.ok_or_else(|| priced.unpriced.unwrap())
}

#[test]
fn a_record_costs_what_its_tokens_cost() {
    let full = priced_at(&[
        (M::Input, "5"),
        (M::CachedInput, "0.5"),
        (M::CacheWrite, "7"),
        (M::Output, "20"),
    ]);
    let book = book(&[(7, published("a", 0, vec![model("m", named("m"), full)]))]);
    let tokens =
        Tokens { input: 1_000, cached_input: 600, cache_write: 300, output: 50, reasoning: 40 };
    let cost = 100 * 5_000_000 + 600 * 500_000 + 300 * 7_000_000 + 50 * 20_000_000;
    let expected = Priced {
        status: PriceStatus::Priced,
        price_version: Some(7),
        cost_pico: Some(cost),
        currency: Some(Currency::USD),
        unpriced: None,
    };
    assert_eq!(book.price(&used("OPENAI", "M", 1, tokens)), Ok(expected));
}

#[test]
fn cached_and_written_input_costs_what_input_costs_unless_said_otherwise() {
    let list = [(1, published("a", 0, vec![model("m", named("m"), rates("3", "10"))]))];
    let tokens = Tokens { input: 10, cached_input: 4, cache_write: 5, ..Tokens::default() };
    let priced = book(&list).price(&used("openai", "m", 0, tokens)).unwrap();
    assert_eq!(priced.cost_pico, Some(10 * 3_000_000));
}

#[test]
fn tokens_without_a_rate_are_unpriced_and_no_tokens_need_none() {
    let only = |rates: Rates| book(&[(1, published("a", 0, vec![model("m", named("m"), rates)]))]);
    let one = Tokens { input: 3, cached_input: 1, cache_write: 1, output: 1, reasoning: 0 };
    for (rates, missing) in [
        (Rates::NONE, M::Input),
        (priced_at(&[(M::Input, "1")]), M::Output),
        (priced_at(&[(M::CachedInput, "1"), (M::Output, "1")]), M::Input),
    ] {
        let priced = only(rates).price(&used("openai", "m", 0, one)).unwrap();
        assert_eq!(priced, Priced::unpriced(UnpricedReason::NoRate(missing)));
        assert_eq!((priced.status, priced.cost_pico), (PriceStatus::Unpriced, None));
    }
    for (tokens, missing) in [
        (Tokens { input: 1, cached_input: 1, ..Tokens::default() }, M::CachedInput),
        (Tokens { input: 1, cache_write: 1, ..Tokens::default() }, M::CacheWrite),
    ] {
        let priced = only(Rates::NONE).price(&used("openai", "m", 0, tokens)).unwrap();
        assert_eq!(priced.unpriced, Some(UnpricedReason::NoRate(missing)));
    }
    let input = priced_at(&[(M::Input, "1")]);
    let free = only(input).price(&used("openai", "m", 0, Tokens::default())).unwrap();
    assert_eq!((free.status, free.cost_pico), (PriceStatus::Priced, Some(0)));
}

#[test]
fn the_version_in_force_when_it_happened_prices_it() {
    let book = book(&[
        (3, published("a", 10, gpt("1"))),
        (5, published("a", 20, gpt("2"))),
        (9, published("a", 20, gpt("3"))),
    ]);
    assert_eq!(version(&book, "gpt-5", 9), Err(UnpricedReason::NotYetInForce));
    assert_eq!(version(&book, "gpt-5", 10), Ok(3));
    assert_eq!(version(&book, "gpt-5", 19), Ok(3));
    assert_eq!(version(&book, "gpt-5", 20), Ok(9));
    assert_eq!(book.position(), 9);
}

#[test]
fn events_fold_in_any_order_and_twice() {
    let events = [
        (3, published("a", 10, gpt("1"))),
        (5, published("a", 20, gpt("2"))),
        (9, published("b", 15, gpt("3"))),
    ];
    let backwards: Vec<_> = events.iter().rev().chain(&events).cloned().collect();
    for hour in [9, 10, 15, 20] {
        let there = version(&book(&events), "gpt-5", hour);
        assert_eq!(there, version(&book(&backwards), "gpt-5", hour), "{hour}");
    }
    assert_eq!(book(&backwards).position(), 9);
}

#[test]
fn of_several_lists_the_later_published_one_that_has_the_model_prices_it() {
    let house = vec![model("house", named("house"), rates("1", "1"))];
    let book = book(&[
        (3, published("public", 0, gpt("1"))),
        (5, published("house", 0, house)),
        (9, published("contract", 10, gpt("2"))),
    ]);
    assert_eq!(version(&book, "gpt-5", 5), Ok(3));
    assert_eq!(version(&book, "gpt-5", 10), Ok(9));
    assert_eq!(version(&book, "house", 10), Ok(5));
    assert_eq!(version(&book, "gpt-4", 10), Err(UnpricedReason::UnknownModel));
    let elsewhere = book.price(&used("mistral", "gpt-5", 10, plain(1))).unwrap();
    assert_eq!(elsewhere.unpriced, Some(UnpricedReason::UnknownProvider));
}

#[test]
fn the_first_entry_that_matches_is_the_price() {
    let both = MatchRule::And(vec![starts("o3"), MatchRule::EndsWith("pro".to_owned())]);
    let either = MatchRule::Or(vec![named("o3-mini"), MatchRule::Contains("nano".to_owned())]);
    let models = vec![
        model("one", both, rates("1", "1")),
        model("two", either, rates("2", "1")),
        model("three", starts("o3"), rates("3", "1")),
        model("o3-pro", named("never"), rates("4", "1")),
    ];
    let book = book(&[(1, published("a", 0, models))]);
    for (name, units) in [
        ("O3-Pro", 1),
        ("o3-mini", 2),
        ("o3-nano", 2),
        ("o3", 3),
        ("o3-mini-pro", 1),
        ("one", 1),
        ("three", 3),
        ("never", 4),
    ] {
        let priced = book.price(&used("openai", name, 0, plain(1))).unwrap();
        assert_eq!(priced.cost_pico, Some(units * 1_000_000), "{name}");
    }
}

#[test]
fn rules_recognise_names_without_case() {
    let no_rule = || vec![];
    for (rule, name, recognised) in [
        (named("GPT-5"), "gpt-5", true),
        (named("gpt-5"), "gpt-5-mini", false),
        (starts("GPT"), "gpt-5", true),
        (MatchRule::EndsWith("-Mini".to_owned()), "GPT-5-MINI", true),
        (MatchRule::Contains("5".to_owned()), "gpt-4", false),
        (MatchRule::Regex(r"^gpt-5\.6-sol-\d{4}$".to_owned()), "GPT-5.6-sol-2026", true),
        (MatchRule::Regex(r"^gpt-5\.6-sol-\d{4}$".to_owned()), "gpt-5x6-sol-2026", false),
        (MatchRule::Regex("(".to_owned()), "(", false),
        (MatchRule::Or(no_rule()), "gpt-5", false),
        (MatchRule::And(no_rule()), "gpt-5", true),
        (MatchRule::And(vec![starts("gpt"), named("x")]), "gpt-5", false),
    ] {
        assert_eq!(matches(&rule, name), recognised, "{rule:?} {name}");
    }
}

#[test]
fn impossible_counts_and_costs_are_refused() {
    let book = book(&[(1, published("a", 0, gpt("1000000000")))]);
    let price = |tokens| book.price(&used("openai", "gpt-5", 0, tokens));
    assert_eq!(price(plain(1_000_000_000)), Err(PricingError::CostTooLarge));
    for tokens in [
        plain(-1),
        Tokens { output: -1, ..plain(1) },
        Tokens { cached_input: 2, ..plain(1) },
        Tokens { cache_write: 2, ..plain(1) },
        Tokens { cached_input: 2, cache_write: -1, ..plain(1) },
        Tokens { cached_input: i64::MAX, cache_write: i64::MAX, ..plain(1) },
        Tokens { output: 1, reasoning: 2, ..plain(1) },
        Tokens { reasoning: -1, ..plain(1) },
    ] {
        assert_eq!(price(tokens), Err(PricingError::ImpossibleCounts), "{tokens:?}");
    }
}

/// The published samples of a price list and of a usage record belong together.
#[test]
fn the_published_sample_of_usage_costs_what_the_published_sample_of_prices_says() {
    let sample = |event_type: &str| {
        let mut events = event_schemas::published::published().into_iter();
        events.find(|event| event.event_type == event_type).unwrap().sample
    };
    let prices: PriceListEvent = serde_json::from_value(sample("price_list.published")).unwrap();
    let usage: RecordedUsage = serde_json::from_value(sample("usage.recorded")).unwrap();
    let tokens = Tokens {
        input: usage.input_tokens,
        cached_input: usage.cached_input_tokens,
        cache_write: usage.cache_write_tokens,
        output: usage.output_tokens,
        reasoning: usage.reasoning_tokens,
    };
    let book = book(&[(usage.price_version.unwrap(), prices)]);
    let used = Used {
        occurred_at: usage.occurred_at,
        units: &usage.units,
        ..used(&usage.provider, &usage.model, 0, tokens)
    };
    let priced = book.price(&used).unwrap();
    assert_eq!(priced.status, usage.price_status);
    assert_eq!(priced.price_version, usage.price_version);
    assert_eq!(priced.cost_pico, usage.cost_pico);
    assert_eq!(priced.currency, usage.currency);
}

#[test]
fn a_model_listed_without_a_price_is_unpriced_even_without_tokens() {
    let listed = model("gpt-5", named("gpt-5"), Rates::NONE);
    let book = book(&[(1, published("a", 0, vec![listed]))]);
    let priced = book.price(&used("openai", "gpt-5", 0, plain(0))).unwrap();
    assert_eq!((priced.status, priced.cost_pico), (PriceStatus::Unpriced, None));
}
