//! An organization's own prices, and what it puts on top of those of all.

use event_schemas::Percent;

use super::*;

/// An organization's list: its models, and a mark-up in hundredths of a percent.
pub(super) fn own(
    organization: u128,
    provider: &str,
    effective: i64,
    mark_up: Option<i32>,
    models: Vec<ModelPrice>,
) -> PriceListEvent {
    let PriceListEvent::Published { version, currency, effective_from, .. } =
        published("a", effective, vec![]);
    PriceListEvent::Published {
        price_list_id: PriceListId(format!("{organization}/{provider}")),
        version,
        organization_id: Some(id(organization)),
        provider: provider.to_owned(),
        provider_matches: None,
        model_matches: None,
        fallback_providers: vec![],
        mark_up_percent: mark_up.and_then(Percent::from_hundredths),
        currency,
        effective_from,
        source: None,
        models,
    }
}

fn of(organization: u128, model: &str, hour: i64) -> Used<'_> {
    Used { organization_id: id(organization), ..used("openai", model, hour, plain(1_000_000)) }
}

/// Of a million input tokens, in millionths; with the position of the price.
fn cost(book: &PriceBook, used: &Used<'_>) -> (i64, i64) {
    let priced = book.price(used).unwrap();
    (priced.cost_pico.unwrap() / 1_000_000, priced.price_version.unwrap())
}

#[test]
fn an_organizations_own_prices_come_first_and_are_nobody_elses() {
    let book = book(&[(1, own(1, "openai", 10, None, gpt("1"))), (2, published("a", 0, gpt("4")))]);
    assert_eq!(cost(&book, &of(1, "gpt-5", 9)), (4_000_000, 2));
    assert_eq!(cost(&book, &of(1, "gpt-5", 10)), (1_000_000, 1), "published before, and its own");
    assert_eq!(cost(&book, &of(2, "gpt-5", 10)), (4_000_000, 2));
}

#[test]
fn a_mark_up_is_on_the_prices_of_all_and_not_on_its_own() {
    let house = vec![model("house", named("house"), rates("1", "1"))];
    let book = book(&[
        (1, published("a", 0, gpt("4"))),
        (2, own(1, "openai", 10, Some(1_250), house)),
        (3, own(1, "*", 5, Some(-5_000), vec![])),
        (4, own(2, "*", 5, Some(-5_000), vec![])),
    ]);
    assert_eq!(cost(&book, &of(1, "gpt-5", 4)), (4_000_000, 1));
    assert_eq!(cost(&book, &of(1, "gpt-5", 5)), (2_000_000, 1));
    assert_eq!(cost(&book, &of(1, "gpt-5", 10)), (4_500_000, 1), "the provider's own comes first");
    assert_eq!(cost(&book, &of(1, "house", 10)), (1_000_000, 2));
    assert_eq!(cost(&book, &of(2, "gpt-5", 10)), (2_000_000, 1));
    let explanation = book.explain(&of(1, "gpt-5", 10), i64::MAX).unwrap();
    let mark_up = explanation.mark_up.unwrap();
    assert_eq!((mark_up.percent.to_string(), mark_up.position), ("12.5".to_owned(), 2));
    assert_eq!(explanation.subtotal.to_string(), "4");
    assert_eq!(explanation.priced.cost_pico, Some(4_500_000_000_000));
}

#[test]
fn a_mark_up_is_exact_and_rounded_with_the_total() {
    // 3 tokens at 1 pico-unit each, and 50 %: 4.5 pico-units, to the even 4.
    let book =
        book(&[(1, published("a", 0, gpt("0.000001"))), (2, own(1, "*", 0, Some(5_000), vec![]))]);
    let price = |input| {
        let used = Used { organization_id: id(1), ..used("openai", "gpt-5", 0, plain(input)) };
        book.price(&used).unwrap().cost_pico
    };
    assert_eq!((price(3), price(5), price(4)), (Some(4), Some(8), Some(6)));
}

#[test]
fn what_was_known_then_explains_what_was_priced_then() {
    let book = book(&[
        (1, published("a", 0, gpt("4"))),
        (5, published("a", 0, gpt("3"))),
        (7, own(1, "*", 0, Some(10_000), vec![])),
    ]);
    for (known, cost) in [(1, 4), (4, 4), (5, 3), (6, 3), (7, 6), (i64::MAX, 6)] {
        let explanation = book.explain(&of(1, "gpt-5", 0), known).unwrap();
        assert_eq!(explanation.priced.cost_pico, Some(cost * 1_000_000_000_000), "{known}");
    }
    let before = book.explain(&of(1, "gpt-5", 0), 0).unwrap();
    assert_eq!(before.priced.unpriced, Some(UnpricedReason::UnknownProvider));
}
