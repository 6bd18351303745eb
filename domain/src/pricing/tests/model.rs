//! Tiers, times, shares and units of one model.

use event_schemas::{Percent, RatesAbove, ServiceTierPrice, TimedPrice, Unit as U, When};

use super::*;

fn of(unit: U) -> M {
    M::Unit(unit)
}

fn above(input_tokens: i64, rates: &[(M, &str)]) -> RatesAbove {
    RatesAbove { input_tokens, rates: priced_at(rates) }
}

fn tier(name: &str, percent: Option<i32>, rates: &[(M, &str)]) -> ServiceTierPrice {
    ServiceTierPrice {
        tier: name.to_owned(),
        percent: percent.map(|hundredths| Percent::from_hundredths(hundredths).unwrap()),
        rates: priced_at(rates),
        above: vec![],
    }
}

fn only(price: ModelPrice) -> PriceBook {
    book(&[(1, published("a", 0, vec![price]))])
}

fn m(rates: &[(M, &str)]) -> ModelPrice {
    model("m", named("m"), priced_at(rates))
}

/// Micro-units: 10⁻⁶ of the currency.
#[track_caller]
fn costs(book: &PriceBook, used: &Used<'_>, micro: i64) {
    assert_eq!(book.price(used).unwrap().cost_pico, Some(micro * 1_000_000));
}

fn units(counts: &[(U, i64)]) -> Units {
    counts.iter().copied().collect()
}

#[test]
fn crossing_a_threshold_reprices_all_tokens() {
    let book = only(ModelPrice {
        above: vec![
            above(300, &[(M::Input, "9")]),
            above(200, &[(M::Input, "5"), (M::Output, "20")]),
        ],
        ..m(&[(M::Input, "3"), (M::CachedInput, "1"), (M::Output, "10")])
    });
    let tokens = |input| Tokens { input, cached_input: 100, output: 10, ..Tokens::default() };
    costs(&book, &used("openai", "m", 0, tokens(200)), 100 * 3 + 100 + 10 * 10);
    costs(&book, &used("openai", "m", 0, tokens(201)), 101 * 5 + 100 + 10 * 20);
    // What the highest threshold does not price has the price of the one below, or the plain one.
    costs(&book, &used("openai", "m", 0, tokens(301)), 201 * 9 + 100 + 10 * 20);
}

#[test]
fn a_service_tier_has_a_share_or_rates_of_its_own() {
    let flex = ServiceTierPrice {
        above: vec![above(100, &[(M::Input, "6")])],
        ..tier("flex", None, &[(M::Input, "2")])
    };
    let book = only(ModelPrice {
        above: vec![above(100, &[(M::Input, "8"), (M::Output, "16")])],
        service_tiers: vec![tier("batch", Some(5_000), &[(of(U::WebSearches), "10")]), flex],
        ..m(&[(M::Input, "4"), (M::Output, "10"), (of(U::WebSearches), "30")])
    });
    let searched = units(&[(U::WebSearches, 1)]);
    let asked = |tier, input| Used {
        service_tier: tier,
        units: &searched,
        ..used("openai", "m", 0, Tokens { output: 10, ..plain(input) })
    };
    let search = |per_thousand: i64| per_thousand * 1_000;
    costs(&book, &asked(None, 100), 400 + 100 + search(30));
    costs(&book, &asked(Some("standard"), 100), 400 + 100 + search(30));
    costs(&book, &asked(Some(" BATCH "), 100), 200 + 50 + search(10));
    costs(&book, &asked(Some("batch"), 101), 404 + 80 + search(10));
    costs(&book, &asked(Some("flex"), 100), 200 + 100 + search(30));
    costs(&book, &asked(Some("flex"), 101), 606 + 160 + search(30));
}

#[test]
fn prices_hold_from_a_day_or_at_times_of_day() {
    let timed = |when, input| TimedPrice {
        when,
        rates: priced_at(&[(M::Input, input)]),
        above: vec![],
        service_tiers: vec![],
    };
    let time = |text: &str| text.parse().unwrap();
    let book = only(ModelPrice {
        at_times: vec![
            timed(When::FromDate("2026-01-03".parse().unwrap()), "2"),
            timed(When::Daily { start: time("09:00:00"), end: time("10:00:00") }, "5"),
            timed(When::Daily { start: time("23:00:00"), end: time("01:00:00") }, "7"),
        ],
        ..m(&[(M::Input, "1")])
    });
    for (time, rate) in [
        ("2026-01-02T22:59:59Z", 1),
        ("2026-01-02T23:00:00Z", 7),
        ("2026-01-03T00:59:59Z", 7),
        ("2026-01-03T01:00:00Z", 2),
        ("2026-01-03T09:00:00Z", 5),
        ("2026-01-03T09:59:59.999Z", 5),
        ("2026-01-03T10:00:00Z", 2),
    ] {
        let occurred_at = time.parse().unwrap();
        let used = Used { occurred_at, ..used("openai", "m", 0, plain(1_000)) };
        // The list of these tests begins on the first of January 2026 or before.
        costs(&book, &used, rate * 1_000);
    }
}

#[test]
fn a_part_has_its_own_price_or_that_of_the_whole() {
    let book = only(m(&[
        (M::Input, "1"),
        (M::CachedInput, "2"),
        (M::CacheWrite, "3"),
        (of(U::CacheWrite1hTokens), "4"),
        (of(U::AudioInputTokens), "5"),
        (of(U::CachedAudioInputTokens), "6"),
        (M::Output, "7"),
        (M::Reasoning, "8"),
        (of(U::AudioOutputTokens), "9"),
    ]));
    let tokens =
        Tokens { input: 1_000, cached_input: 300, cache_write: 200, output: 100, reasoning: 10 };
    let all = units(&[
        (U::CacheWrite1hTokens, 50),
        (U::AudioInputTokens, 90),
        (U::CachedAudioInputTokens, 40),
        (U::ImageInputTokens, 30),
        (U::AudioOutputTokens, 20),
        (U::CitationTokens, 5),
    ]);
    let input = (1_000 - 300 - 200 - 50) + 260 * 2 + 150 * 3 + 50 * 4 + 50 * 5 + 40 * 6;
    let output = 70 * 7 + 10 * 8 + 20 * 9;
    costs(&book, &Used { units: &all, ..used("openai", "m", 0, tokens) }, input + output);
    costs(&book, &used("openai", "m", 0, tokens), 500 + 600 + 600 + 90 * 7 + 80);
}

#[test]
fn units_are_priced_by_the_one_or_the_thousand_or_the_million() {
    let book = only(m(&[
        (M::Input, "1"),
        (of(U::Requests), "5"),
        (of(U::WebSearches), "10"),
        (of(U::LowContextWebSearches), "4"),
        (of(U::OutputImages), "0.04"),
        (of(U::OutputCharacters), "15"),
        (of(U::InputAudioMs), "0.1"),
        (of(U::AnnotatedPages), "0.003"),
        (of(U::Pages), "0.001"),
    ]));
    for (counts, micro) in [
        (vec![], 5_000),
        (vec![(U::Requests, 0)], 0),
        (vec![(U::Requests, 3)], 15_000),
        (vec![(U::WebSearches, 3), (U::LowContextWebSearches, 1)], 5_000 + 20_000 + 4_000),
        (vec![(U::OutputImages, 2)], 5_000 + 80_000),
        (vec![(U::OutputCharacters, 100)], 5_000 + 1_500),
        (vec![(U::InputAudioMs, 60_000)], 5_000 + 6_000),
        (vec![(U::Pages, 3), (U::AnnotatedPages, 2)], 5_000 + 1_000 + 6_000),
    ] {
        let counts = units(&counts);
        costs(&book, &Used { units: &counts, ..used("openai", "m", 0, plain(0)) }, micro);
    }
}

#[test]
fn what_must_have_a_price_is_not_passed_over() {
    let by_token = only(m(&[(M::Input, "1"), (M::Output, "1")]));
    let by_image = only(m(&[(of(U::OutputImages), "0.04")]));
    let none = |measure| Some(UnpricedReason::NoRate(measure));
    for (book, counts, tokens, unpriced) in [
        (&by_token, vec![(U::WebSearches, 1)], 5, none(of(U::WebSearches))),
        // Images that are tokens as well.
        (&by_token, vec![(U::InputImages, 1)], 5, None),
        (&by_token, vec![(U::InputImages, 1)], 0, none(of(U::InputImages))),
        (&by_image, vec![(U::OutputImages, 1)], 5, None),
        (&by_image, vec![(U::OutputPixels, 1)], 5, none(M::Input)),
    ] {
        let counts = units(&counts);
        let used = Used { units: &counts, ..used("openai", "m", 0, plain(tokens)) };
        assert_eq!(book.price(&used).unwrap().unpriced, unpriced, "{counts:?} {tokens}");
    }
}

#[test]
fn what_failed_costs_what_it_used_and_nothing_for_being_asked() {
    let book = only(m(&[(M::Input, "1"), (of(U::Requests), "5")]));
    let failed = |tokens| Used { failed: true, ..used("openai", "m", 0, tokens) };
    let nothing = book.price(&failed(plain(0))).unwrap();
    assert_eq!((nothing.status, nothing.cost_pico), (PriceStatus::NotBilled, None));
    costs(&book, &failed(plain(1_000)), 1_000);
    costs(&book, &used("openai", "m", 0, plain(0)), 5_000);
    let unknown = Used { model: "other", ..failed(plain(0)) };
    assert_eq!(book.price(&unknown).unwrap().status, PriceStatus::NotBilled);
}

#[test]
fn an_explanation_adds_up_to_the_cost() {
    let book = only(ModelPrice {
        service_tiers: vec![tier("batch", Some(5_000), &[])],
        above: vec![above(100, &[(M::Input, "0.000000000000000001")])],
        ..m(&[(M::Input, "3"), (M::Output, "15")])
    });
    let tokens = Tokens { cached_input: 1, output: 4, reasoning: 2, ..plain(101) };
    let used = Used { service_tier: Some("batch"), ..used("openai", "M", 0, tokens) };
    let explanation = book.explain(&used, i64::MAX).unwrap();
    let by = explanation.by.unwrap();
    assert_eq!((&*by.model, by.service_tier.as_deref()), ("m", Some("batch")));
    assert_eq!((by.above_input_tokens, by.position), (Some(100), 1));
    let lines: Vec<_> = explanation
        .lines
        .iter()
        .map(|line| (line.measure, line.count, line.rate_of, line.amount.unwrap().to_string()))
        .collect();
    assert_eq!(
        lines,
        [
            (M::Input, 100, None, "0.00000000000000000000005".to_owned()),
            (M::CachedInput, 1, Some(M::Input), "0.0000000000000000000000005".to_owned()),
            (M::Output, 2, None, "0.000015".to_owned()),
            (M::Reasoning, 2, Some(M::Output), "0.000015".to_owned()),
        ]
    );
    assert_eq!(explanation.subtotal.to_string(), "0.0000300000000000000000505");
    assert_eq!(explanation.priced.cost_pico, Some(30_000_000));
}
