use event_schemas::{
    Currency, MatchRule, Measure, ModelPrice, OrganizationId, Percent, PriceListEvent as Was,
    PriceListId, Rate, Rates, RatesAbove, ServiceTierPrice,
};
use proptest::prelude::*;

use super::{PriceList, PriceListCommand as Ask, PriceListError as Refused, PriceTerms};
use crate::testing::{self, assert_replayable, at, id, step};
use crate::text::TextError;

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<PriceList>(given, when, then);
}

fn rates(atto: i128) -> Rates {
    [(Measure::Input, Rate::from_atto(atto).unwrap())].into_iter().collect()
}

fn models(pico: i128) -> Vec<ModelPrice> {
    let matches = MatchRule::StartsWith("gpt-5".to_owned());
    vec![ModelPrice::plain("gpt-5".to_owned(), matches, rates(pico))]
}

fn publish(models: Vec<ModelPrice>, effective: i64) -> Ask {
    asked(PriceTerms { models, ..PriceTerms::default() }, None, effective)
}

fn asked(terms: PriceTerms, organization_id: Option<OrganizationId>, effective: i64) -> Ask {
    Ask::Publish {
        price_list_id: PriceListId::of("genai-prices", "openai"),
        organization_id,
        provider: "openai".to_owned(),
        currency: Currency::USD,
        effective_from: at(effective),
        source: Some("https://example.com/prices".to_owned()),
        terms,
    }
}

fn by_provider(provider: &str, currency: &str) -> Ask {
    match publish(models(1), 5) {
        Ask::Publish { price_list_id, effective_from, source, terms, .. } => Ask::Publish {
            price_list_id,
            organization_id: None,
            provider: provider.to_owned(),
            currency: currency.parse().unwrap(),
            effective_from,
            source,
            terms,
        },
    }
}

fn published(version: u32, pico: i128, effective: i64) -> Was {
    Was::Published {
        price_list_id: PriceListId::of("genai-prices", "openai"),
        version,
        organization_id: None,
        provider: "openai".to_owned(),
        provider_matches: None,
        model_matches: None,
        fallback_providers: vec![],
        mark_up_percent: None,
        currency: Currency::USD,
        effective_from: at(effective),
        source: Some("https://example.com/prices".to_owned()),
        models: models(pico),
    }
}

#[test]
fn prices_are_in_a_currency_that_is_in_use() {
    let mark = "DEM".parse().unwrap();
    let refused = Err(Refused::CurrencyNotInUse(mark));
    check(&[], by_provider("openai", "DEM"), refused.clone());
    check(&[published(1, 1, 5)], by_provider("openai", "DEM"), refused);
}

#[test]
fn versions_follow_each_other() {
    check(&[], publish(models(1), 5), Ok(vec![published(1, 1, 5)]));
    let given = [published(1, 1, 5)];
    check(&given, publish(models(2), 6), Ok(vec![published(2, 2, 6)]));
    check(&given, publish(models(2), 5), Ok(vec![published(2, 2, 5)]));
    // A date that was a mistake does not hold up what comes before it, and can be replaced.
    check(&given, publish(models(2), 4), Ok(vec![published(2, 2, 4)]));
    let out_of_order = [published(1, 1, 9), published(2, 2, 4)];
    check(&out_of_order, publish(models(2), 9), Ok(vec![published(3, 2, 9)]));
    check(&out_of_order, publish(models(2), 5), Ok(vec![published(3, 2, 5)]));
}

#[test]
fn the_same_prices_again_are_no_new_version() {
    let given = [published(1, 1, 5)];
    check(&given, publish(models(1), 5), Ok(vec![]));
    check(&given, publish(models(1), 6), Ok(vec![]));
    // To be in force earlier is a change.
    check(&given, publish(models(1), 4), Ok(vec![published(2, 1, 4)]));
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
    check(&[], publish(models(0), 5), Ok(vec![published(1, 0, 5)]));
    let (model, percent) = ("gpt-5".to_owned(), Percent::from_hundredths(-1));
    let tier = |percent, above| ServiceTierPrice {
        tier: "batch".to_owned(),
        percent,
        rates: Rates::NONE,
        above,
    };
    let below = RatesAbove { input_tokens: -1, rates: rates(1) };
    let no_threshold = Refused::ThresholdBelowZero { model: model.clone(), input_tokens: -1 };
    for (change, refused) in [
        (tier(percent, vec![]), Refused::ShareBelowZero { model }),
        (tier(None, vec![below]), no_threshold),
    ] {
        let models = vec![ModelPrice { service_tiers: vec![change], ..models(1)[0].clone() }];
        check(&[], publish(models, 5), Err(refused));
    }
}

#[test]
fn a_mark_up_is_an_organizations_own_and_needs_no_models() {
    let percent = Percent::from_hundredths(1_250);
    let terms = || PriceTerms { mark_up_percent: percent, ..PriceTerms::default() };
    check(&[], asked(terms(), None, 5), Err(Refused::MarkUpOfAll));
    let own = crate::Decider::decide(&PriceList::default(), asked(terms(), Some(id(7)), 5));
    match own.unwrap().as_slice() {
        [Was::Published { organization_id, mark_up_percent, .. }] => {
            assert_eq!((*organization_id, *mark_up_percent), (Some(id(7)), percent));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rules_can_be_understood() {
    let regex = || MatchRule::And(vec![MatchRule::Regex("(".to_owned())]);
    let refused =
        |name: &str| Err(Refused::InvalidRegex { name: name.to_owned(), regex: "(".to_owned() });
    let models = |matches| vec![ModelPrice { matches, ..models(1)[0].clone() }];
    check(&[], publish(models(regex()), 5), refused("gpt-5"));
    let terms = PriceTerms {
        provider_matches: Some(regex()),
        models: models(MatchRule::Or(vec![])),
        ..PriceTerms::default()
    };
    check(&[], asked(terms, None, 5), refused("openai"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_was_asked_is_in_force_from_its_date_whether_it_was_news_or_not(
        asked in prop::collection::vec((0..4_i128, 0..9_i64), 1..20),
    ) {
        let mut state = PriceList::default();
        let mut history: Vec<Was> = vec![];
        for (pico, effective) in asked {
            let before = history.len();
            let _ = step(&mut state, &mut history, publish(models(pico), effective));
            // What is no news is in force from its date on without an end.
            let until = if history.len() == before { 10 } else { effective + 1 };
            for time in effective..until {
                prop_assert_eq!(in_force(&history, time), Some(models(pico)), "at {}", time);
            }
        }
        prop_assert_eq!(state.version() as usize, history.len());
        for (event, n) in history.iter().zip(1..) {
            let Was::Published { version, .. } = event;
            prop_assert_eq!(*version, n);
        }
        assert_replayable(&state, &history);
    }
}

/// Of the versions that have begun, the one that began last; of those that began then, the latest.
fn in_force(history: &[Was], time: i64) -> Option<Vec<ModelPrice>> {
    let begun = history.iter().filter_map(|event| match event {
        Was::Published { effective_from, models, .. } if *effective_from <= at(time) => {
            Some((*effective_from, models.clone()))
        }
        Was::Published { .. } => None,
    });
    begun.max_by_key(|(effective_from, _)| *effective_from).map(|(_, models)| models)
}
