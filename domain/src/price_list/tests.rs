use event_schemas::{
    Amount, Currency, MatchRule, ModelPrice, PriceListEvent as Was, PriceListId, Rates,
};
use proptest::prelude::*;

use super::{PriceList, PriceListCommand as Ask, PriceListError as Refused};
use crate::testing::{self, assert_replayable, at, step};
use crate::text::TextError;

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<PriceList>(given, when, then);
}

fn rates(pico: i128) -> Rates {
    Rates { input: Some(Amount::from_pico(pico)), ..Rates::default() }
}

fn models(pico: i128) -> Vec<ModelPrice> {
    let matches = MatchRule::StartsWith("gpt-5".to_owned());
    vec![ModelPrice { model: "gpt-5".to_owned(), matches, rates: rates(pico) }]
}

fn publish(models: Vec<ModelPrice>, effective: i64) -> Ask {
    Ask::Publish {
        price_list_id: PriceListId::of("genai-prices", "openai"),
        provider: "openai".to_owned(),
        currency: Currency::USD,
        effective_from: at(effective),
        source: Some("https://example.com/prices".to_owned()),
        models,
    }
}

fn by_provider(provider: &str, currency: &str) -> Ask {
    match publish(models(1), 5) {
        Ask::Publish { price_list_id, effective_from, source, models, .. } => Ask::Publish {
            price_list_id,
            provider: provider.to_owned(),
            currency: currency.parse().unwrap(),
            effective_from,
            source,
            models,
        },
    }
}

fn published(version: u32, pico: i128, effective: i64) -> Was {
    Was::Published {
        price_list_id: PriceListId::of("genai-prices", "openai"),
        version,
        provider: "openai".to_owned(),
        currency: Currency::USD,
        effective_from: at(effective),
        source: Some("https://example.com/prices".to_owned()),
        models: models(pico),
    }
}

#[test]
fn versions_follow_each_other() {
    check(&[], publish(models(1), 5), Ok(vec![published(1, 1, 5)]));
    let given = [published(1, 1, 5)];
    check(&given, publish(models(2), 6), Ok(vec![published(2, 2, 6)]));
    check(&given, publish(models(2), 5), Ok(vec![published(2, 2, 5)]));
    let before = Refused::EffectiveBeforeLatest { effective_from: at(4), latest: at(5) };
    check(&given, publish(models(2), 4), Err(before));
}

#[test]
fn the_same_prices_again_are_no_new_version() {
    let given = [published(1, 1, 5)];
    check(&given, publish(models(1), 5), Ok(vec![]));
    check(&given, publish(models(1), 6), Ok(vec![]));
    // To be in force earlier is a change, and one that is refused; silence would be an untruth.
    let before = Refused::EffectiveBeforeLatest { effective_from: at(4), latest: at(5) };
    check(&given, publish(models(1), 4), Err(before));
    let back = [published(1, 1, 5), published(2, 2, 6)];
    check(&back, publish(models(1), 7), Ok(vec![published(3, 1, 7)]));
}

#[test]
fn a_list_prices_one_provider() {
    let given = [published(1, 1, 5)];
    let mismatch =
        Refused::ProviderMismatch { list: "openai".to_owned(), asked: "anthropic".to_owned() };
    check(&given, by_provider("anthropic", "USD"), Err(mismatch));
    check(&given, by_provider("OpenAI", "USD"), Ok(vec![]));
    check(&[], by_provider(" ", "USD"), Err(Refused::Text(TextError::Empty { what: "name" })));
    let in_euro = testing::folded::<PriceList>(&given);
    let decided = crate::Decider::decide(&in_euro, by_provider("openai", "EUR")).unwrap();
    assert_eq!(decided.len(), 1, "another currency is another price");
}

#[test]
fn a_list_prices_something_and_nothing_below_zero() {
    check(&[], publish(vec![], 5), Err(Refused::NoModels));
    let kinds = [
        Rates { input: Some(Amount::from_pico(-1)), ..Rates::default() },
        Rates { cached_input: Some(Amount::from_pico(-1)), ..rates(1) },
        Rates { cache_write: Some(Amount::from_pico(-1)), ..rates(1) },
        Rates { output: Some(Amount::from_pico(-1)), ..rates(1) },
    ];
    for rates in kinds {
        let models = vec![ModelPrice { rates, ..models(1)[0].clone() }];
        let negative = Refused::NegativeRate { model: "gpt-5".to_owned() };
        check(&[], publish(models, 5), Err(negative));
    }
    check(&[], publish(models(0), 5), Ok(vec![published(1, 0, 5)]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn versions_count_up_and_their_dates_do_not_go_back(
        asked in prop::collection::vec((0..4_i128, 0..9_i64), 1..20),
    ) {
        let mut state = PriceList::default();
        let mut history = vec![];
        for (pico, effective) in asked {
            let _ = step(&mut state, &mut history, publish(models(pico), effective));
        }
        let versions: Vec<_> = history.iter().map(|event| match event {
            Was::Published { version, effective_from, models, .. } => {
                (*version, *effective_from, models.clone())
            }
        }).collect();
        prop_assert_eq!(state.version() as usize, versions.len());
        for pair in versions.windows(2) {
            prop_assert_eq!(pair[1].0, pair[0].0 + 1);
            prop_assert!(pair[1].1 >= pair[0].1);
            prop_assert_ne!(&pair[1].2, &pair[0].2);
        }
        assert_replayable(&state, &history);
    }
}
