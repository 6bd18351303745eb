use event_schemas::{Currency, RepricedTotal, UsageRepricingEvent as Was};

use super::{
    CORRECTIONS_MAX, Correction, RecordCost, UsageRepricing, UsageRepricingCommand as Ask,
    UsageRepricingError as Refused,
};
use crate::testing::{self, acme, at, folded, id, open_organization};
use event_schemas::{Amount, RepricingScope};

fn euro() -> Currency {
    "EUR".parse().unwrap()
}

fn cost(cost_pico: i64, currency: Currency) -> RecordCost {
    RecordCost { cost_pico, currency }
}

fn correction(before: Option<RecordCost>, after: RecordCost) -> Correction {
    Correction { before, after }
}

fn scope(from: i64, to: i64) -> RepricingScope {
    RepricingScope {
        from: at(from),
        to: at(to),
        project_id: None,
        provider: None,
        model: None,
        only_unpriced: false,
    }
}

fn ask(corrections: Vec<Correction>) -> Ask {
    Ask::Correct {
        organization: open_organization(acme()),
        repricing_id: id(1),
        scope: scope(0, 24),
        prices_at: 7,
        price_list_id: None,
        price_list_version: None,
        reason: Some("published late".to_owned()),
        corrections,
        corrections_hash: "ab".to_owned(),
    }
}

fn was(corrections: u32, totals: Vec<RepricedTotal>) -> Was {
    Was::Repriced {
        repricing_id: id(1),
        scope: scope(0, 24),
        prices_at: 7,
        price_list_id: None,
        price_list_version: None,
        reason: Some("published late".to_owned()),
        corrections,
        corrections_hash: "ab".to_owned(),
        totals,
    }
}

fn total(currency: Option<Currency>, before: (u32, i128), after: (u32, i128)) -> RepricedTotal {
    RepricedTotal {
        currency,
        records_before: before.0,
        cost_before: Amount::from_pico(before.1),
        records_after: after.0,
        cost_after: Amount::from_pico(after.1),
    }
}

#[track_caller]
fn check(when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<UsageRepricing>(&[], when, then);
}

#[test]
fn totals_are_by_currency_and_what_had_no_price_is_counted_by_itself() {
    let (usd, eur) = (Currency::USD, euro());
    let corrections = vec![
        correction(None, cost(5, usd)),
        correction(None, cost(0, eur)),
        correction(Some(cost(i64::MAX, usd)), cost(i64::MAX - 1, usd)),
        correction(Some(cost(7, eur)), cost(8, usd)),
        correction(Some(cost(9, usd)), cost(9, eur)),
    ];
    let most = i128::from(i64::MAX);
    let totals = vec![
        total(None, (2, 0), (0, 0)),
        total(Some(eur), (1, 7), (2, 9)),
        total(Some(usd), (2, most + 9), (3, most - 1 + 13)),
    ];
    check(ask(corrections), Ok(vec![was(5, totals)]));
}

#[test]
fn nothing_to_correct_is_no_event_and_no_correction_leaves_a_cost_as_it_is() {
    let same = cost(5, Currency::USD);
    check(ask(vec![]), Ok(vec![]));
    check(ask(vec![correction(Some(same), same)]), Err(Refused::NothingCorrected));
    // The same number in another currency is another cost.
    let other = vec![correction(Some(same), cost(5, euro()))];
    assert!(UsageRepricing::default().decide_one(other).is_ok());
}

#[test]
fn an_event_holds_so_many_and_a_span_has_time_in_it() {
    let one = correction(None, cost(5, Currency::USD));
    assert!(UsageRepricing::default().decide_one(vec![one; CORRECTIONS_MAX]).is_ok());
    let many = CORRECTIONS_MAX + 1;
    check(ask(vec![one; many]), Err(Refused::TooMany(many)));
    let Ask::Correct { organization, repricing_id, prices_at, corrections_hash, .. } = ask(vec![]);
    let empty = Ask::Correct {
        organization,
        repricing_id,
        scope: scope(24, 24),
        prices_at,
        price_list_id: None,
        price_list_version: None,
        reason: None,
        corrections: vec![one],
        corrections_hash,
    };
    check(empty, Err(Refused::EmptySpan));
}

#[test]
fn corrections_are_counted_over_all_repricings() {
    let given = [was(5, vec![]), was(2, vec![])];
    assert_eq!(folded::<UsageRepricing>(&given).corrections(), 7);
}

impl UsageRepricing {
    fn decide_one(&self, corrections: Vec<Correction>) -> Result<Vec<Was>, Refused> {
        crate::Decider::decide(self, ask(corrections))
    }
}
