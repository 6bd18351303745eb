use event_schemas::{BudgetEvent as Was, MemberId};
use proptest::prelude::*;

use super::{
    Amount, Budget, BudgetAction, BudgetCommand as Ask, BudgetCrossing, BudgetError as Refused,
    BudgetKeeper, BudgetPeriod, BudgetScope, BudgetSubject, BudgetTerms, Currency, NaiveDate,
};
use crate::testing::{
    self, acme, active_member, assert_replayable, at, id, open_organization, open_project, step,
};
use crate::text::TextError;

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<Budget>(given, when, then);
}

fn units(units: i128) -> Amount {
    Amount::from_pico(units * 1_000_000_000_000)
}

fn terms(amount: i128, thresholds: &[u16]) -> BudgetTerms {
    BudgetTerms {
        name: "Chat".to_owned(),
        amount: units(amount),
        thresholds: thresholds.to_vec(),
        action: BudgetAction::Block,
        time_zone: "Europe/Berlin".to_owned(),
    }
}

fn set_on(subject: BudgetSubject, terms: BudgetTerms) -> Ask {
    let (keeper, period) = (BudgetKeeper::Organization, BudgetPeriod::Monthly);
    Ask::Set { budget_id: id(1), subject, keeper, currency: Currency::USD, period, terms }
}

fn set(terms: BudgetTerms) -> Ask {
    set_on(BudgetSubject::Project(open_project(acme(), id(2))), terms)
}

fn was_set_on(scope: BudgetScope, terms: BudgetTerms) -> Was {
    let project_id = match &scope {
        BudgetScope::Project { project_id } => Some(*project_id),
        BudgetScope::ApiKey { .. } => Some(id(2)),
        BudgetScope::Organization {} | BudgetScope::Member { .. } | BudgetScope::Feature { .. } => {
            None
        }
    };
    Was::Set {
        budget_id: id(1),
        organization_id: acme(),
        scope,
        project_id,
        keeper: BudgetKeeper::Organization,
        name: terms.name,
        currency: Currency::USD,
        period: BudgetPeriod::Monthly,
        amount: terms.amount,
        thresholds: terms.thresholds,
        action: terms.action,
        time_zone: terms.time_zone,
    }
}

fn was_set() -> Was {
    was_set_on(BudgetScope::Project { project_id: id(2) }, terms(100, &[50, 80]))
}

fn changed(terms: BudgetTerms) -> Was {
    Was::Changed {
        budget_id: id(1),
        organization_id: acme(),
        name: terms.name,
        amount: terms.amount,
        thresholds: terms.thresholds,
        action: terms.action,
        time_zone: terms.time_zone,
    }
}

fn removed() -> Was {
    Was::Removed { budget_id: id(1), organization_id: acme() }
}

fn change(terms: BudgetTerms) -> Ask {
    Ask::Change { organization: open_organization(acme()), terms }
}

fn remove() -> Ask {
    Ask::Remove { organization: open_organization(acme()) }
}

fn june() -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(2026, 6, 1)
}

fn crossing(threshold: Option<u16>, amount: i128, spent: i128) -> BudgetCrossing {
    BudgetCrossing {
        period: june(),
        period_start: Some(at(0)),
        period_end: Some(at(720)),
        amount: units(amount),
        threshold,
        spent: units(spent),
        crossed_at: 77,
    }
}

fn was_crossed(threshold: Option<u16>, amount: i128, spent: i128) -> Was {
    let (name, scope) = ("Chat".to_owned(), BudgetScope::Project { project_id: id(2) });
    let (period_start, period_end) = (Some(at(0)), Some(at(720)));
    match threshold {
        Some(threshold) => Was::ThresholdReached {
            budget_id: id(1),
            organization_id: acme(),
            name,
            scope,
            period: june(),
            period_start,
            period_end,
            currency: Currency::USD,
            amount: units(amount),
            threshold,
            spent: units(spent),
            crossed_at: 77,
        },
        None => Was::Exhausted {
            budget_id: id(1),
            organization_id: acme(),
            name,
            scope,
            period: june(),
            period_start,
            period_end,
            currency: Currency::USD,
            amount: units(amount),
            action: BudgetAction::Block,
            spent: units(spent),
            crossed_at: 77,
        },
    }
}

#[test]
fn a_budget_is_in_a_currency_that_is_in_use() {
    let mark: Currency = "DEM".parse().unwrap();
    let ask = match set(terms(100, &[50])) {
        Ask::Set { budget_id, subject, keeper, period, terms, .. } => {
            Ask::Set { budget_id, subject, keeper, currency: mark, period, terms }
        }
        other => other,
    };
    check(&[], ask, Err(Refused::CurrencyNotInUse(mark)));
}

#[test]
fn a_budget_is_on_any_of_five_things() {
    let organization = open_organization(acme());
    let member: MemberId = id(5);
    let cases = [
        (BudgetSubject::Organization(organization), BudgetScope::Organization {}),
        (
            BudgetSubject::Project(open_project(acme(), id(2))),
            BudgetScope::Project { project_id: id(2) },
        ),
        (
            BudgetSubject::ApiKey { organization, api_key_id: id(3), project_id: Some(id(2)) },
            BudgetScope::ApiKey { api_key_id: id(3) },
        ),
        (
            BudgetSubject::Member(active_member(acme(), member)),
            BudgetScope::Member { member_id: member },
        ),
        (
            BudgetSubject::Feature { organization, feature: "search".to_owned() },
            BudgetScope::Feature { feature: "search".to_owned() },
        ),
    ];
    for (subject, scope) in cases {
        let then = was_set_on(scope, terms(100, &[]));
        check(&[], set_on(subject, terms(100, &[])), Ok(vec![then]));
    }
}

#[test]
fn thresholds_are_kept_once_each_in_order() {
    check(&[], set(terms(100, &[80, 50, 80])), Ok(vec![was_set()]));
}

#[test]
fn what_cannot_be_a_budget_is_refused() {
    for amount in [units(0), units(-1), units(1_000_000_000_001)] {
        check(&[], set(BudgetTerms { amount, ..terms(1, &[]) }), Err(Refused::Amount { amount }));
    }
    for threshold in [0, 1_001] {
        check(&[], set(terms(1, &[threshold])), Err(Refused::Threshold { threshold }));
    }
    let many: Vec<u16> = (1..=101).collect();
    check(&[], set(terms(1, &many)), Err(Refused::TooManyThresholds));
    let zone = BudgetTerms { time_zone: "CET".to_owned(), ..terms(1, &[]) };
    check(&[], set(zone), Err(Refused::TimeZone("CET".to_owned())));
    let nameless = BudgetTerms { name: " ".to_owned(), ..terms(1, &[]) };
    check(&[], set(nameless), Err(Refused::Text(TextError::Empty { what: "name" })));
    for feature in [String::new(), "a".repeat(201), "a\nb".to_owned()] {
        let subject = BudgetSubject::Feature { organization: open_organization(acme()), feature };
        check(&[], set_on(subject, terms(1, &[])), Err(Refused::Feature { max: 200 }));
    }
    check(&[was_set()], set(terms(1, &[])), Err(Refused::AlreadyExists));
}

#[test]
fn it_is_changed_as_a_whole_and_by_its_own_organization_alone() {
    let wanted = || terms(200, &[90]);
    check(&[was_set()], change(wanted()), Ok(vec![changed(wanted())]));
    check(&[was_set(), changed(wanted())], change(wanted()), Ok(vec![]));
    check(&[was_set(), removed()], change(wanted()), Err(Refused::Removed));
    check(&[], change(wanted()), Err(Refused::NotFound));
    let elsewhere = open_organization(id(0xbe));
    let theirs = Ask::Change { organization: elsewhere, terms: wanted() };
    check(&[was_set()], theirs, Err(Refused::NotFound));
    check(&[was_set()], Ask::Remove { organization: elsewhere }, Err(Refused::NotFound));
    check(&[was_set()], remove(), Ok(vec![removed()]));
    check(&[was_set(), removed()], remove(), Ok(vec![]));
}

#[test]
fn a_threshold_is_crossed_once_for_each_period_and_amount() {
    let cross = |threshold, amount| Ask::Cross(crossing(threshold, amount, 85));
    let was = |threshold, amount| was_crossed(threshold, amount, 85);
    check(&[was_set()], cross(Some(80), 100), Ok(vec![was(Some(80), 100)]));
    let crossed = [was_set(), was(Some(80), 100)];
    check(&crossed, cross(Some(80), 100), Ok(vec![]));
    check(&crossed, cross(Some(50), 100), Ok(vec![was(Some(50), 100)]));
    // All of it is not the same as a threshold of 100 %.
    check(&[was_set(), was(Some(100), 100)], cross(None, 100), Ok(vec![was(None, 100)]));
    check(&[was_set(), was(None, 100)], cross(None, 100), Ok(vec![]));
    // The same share of another amount is another threshold.
    check(&crossed, cross(Some(80), 200), Ok(vec![was(Some(80), 200)]));
    let july = NaiveDate::from_ymd_opt(2026, 7, 1);
    let next = BudgetCrossing { period: july, ..crossing(Some(80), 100, 85) };
    let decided = testing::folded::<Budget>(&crossed);
    let decided = crate::Decider::decide(&decided, Ask::Cross(next)).unwrap();
    assert_eq!(decided.len(), 1, "another period");
    check(&[], cross(None, 100), Err(Refused::NotFound));
    check(&[was_set(), removed()], cross(None, 100), Ok(vec![]));
}

fn anything() -> impl Strategy<Value = Ask> {
    let threshold = prop::option::of(prop::sample::select(vec![50_u16, 80, 100]));
    prop_oneof![
        (1..3_i128, prop::collection::vec(1..5_u16, 0..3)).prop_map(|(n, t)| set(terms(n, &t))),
        (1..3_i128, prop::collection::vec(1..5_u16, 0..3)).prop_map(|(n, t)| change(terms(n, &t))),
        Just(remove()),
        (threshold, 1..3_i128).prop_map(|(t, amount)| Ask::Cross(crossing(t, amount, 9))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_alert_is_given_twice_whatever_is_asked(asked in prop::collection::vec(anything(), 0..40)) {
        let (mut state, mut history) = (Budget::default(), Vec::new());
        for ask in asked {
            let _ = step(&mut state, &mut history, ask);
        }
        assert_replayable(&state, &history);
        let mut given: Vec<String> = history
            .iter()
            .filter_map(|event| match event {
                Was::ThresholdReached { period, amount, threshold, .. } => {
                    Some(format!("{period:?} {amount} {threshold}"))
                }
                Was::Exhausted { period, amount, .. } => Some(format!("{period:?} {amount} all")),
                Was::Set { .. } | Was::Changed { .. } | Was::Removed { .. } => None,
            })
            .collect();
        let all = given.len();
        given.sort();
        given.dedup();
        prop_assert_eq!(given.len(), all);
    }
}
