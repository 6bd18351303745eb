use event_schemas::money::AMOUNT_MAX;
use event_schemas::{Amount, CreditAccountEvent as Was, Currency, OrganizationId};
use proptest::prelude::*;

use super::{
    Addition, CreditAccount, CreditAccountCommand as Ask, CreditAccountError as Refused, LotLeft,
    Outgoing,
};
use crate::testing::{self, acme, assert_replayable, at, folded, id, open_organization, step};
use crate::text::TextError;

mod leaving;

#[track_caller]
fn check(given: &[Was], when: Ask, then: Result<Vec<Was>, Refused>) {
    testing::check::<CreditAccount>(given, when, then);
}

fn euro() -> Currency {
    "EUR".parse().unwrap()
}

/// What a purchase and a grant have in common.
#[derive(Debug, Clone, Copy)]
struct Credit {
    of: OrganizationId,
    lot: u128,
    pico: i128,
    currency: Currency,
    expires: Option<i64>,
}

fn credit(lot: u128, pico: i128) -> Credit {
    Credit { of: acme(), lot, pico, currency: Currency::USD, expires: Some(24) }
}

impl Credit {
    fn addition(self) -> Addition {
        Addition {
            organization: open_organization(self.of),
            lot_id: id(self.lot),
            amount: Amount::from_pico(self.pico),
            currency: self.currency,
            expires_at: self.expires.map(at),
            priority: 7,
            now: at(0),
        }
    }

    fn purchase(self, reference: Option<&str>) -> Ask {
        Ask::Purchase { addition: self.addition(), reference: reference.map(str::to_owned) }
    }

    fn purchased(self, reference: Option<&str>) -> Was {
        Was::Purchased {
            organization_id: self.of,
            lot_id: id(self.lot),
            amount: Amount::from_pico(self.pico),
            currency: self.currency,
            expires_at: self.expires.map(at),
            priority: 7,
            reference: reference.map(str::to_owned),
        }
    }

    fn grant(self, reason: Option<&str>) -> Ask {
        Ask::Grant { addition: self.addition(), reason: reason.map(str::to_owned) }
    }

    fn granted(self, reason: Option<&str>) -> Was {
        Was::Granted {
            organization_id: self.of,
            lot_id: id(self.lot),
            amount: Amount::from_pico(self.pico),
            currency: self.currency,
            expires_at: self.expires.map(at),
            priority: 7,
            reason: reason.map(str::to_owned),
        }
    }
}

#[track_caller]
fn refused(given: &[Was], credit: Credit, reason: &Refused) {
    check(given, credit.purchase(None), Err(reason.clone()));
    check(given, credit.grant(None), Err(reason.clone()));
}

#[test]
fn credits_are_purchased_and_granted() {
    let (first, second) = (credit(1, 5), credit(2, 1));
    let for_ever = Credit { expires: None, ..second };
    let given = [first.purchased(Some("INV-1"))];
    check(&[], first.purchase(Some(" INV-1 ")), Ok(vec![first.purchased(Some("INV-1"))]));
    check(&given, second.purchase(None), Ok(vec![second.purchased(None)]));
    check(&[], first.grant(Some("trial")), Ok(vec![first.granted(Some("trial"))]));
    check(&given, for_ever.grant(Some(" ")), Ok(vec![for_ever.granted(None)]));
}

#[test]
fn credits_are_above_zero_and_in_the_future() {
    for pico in [0, -1] {
        let amount = Amount::from_pico(pico);
        refused(&[], credit(1, pico), &Refused::AmountNotPositive { amount });
    }
    let past = Credit { expires: Some(0), ..credit(1, 1) };
    refused(&[], past, &Refused::ExpiryInThePast { expires_at: at(0) });
    let long = "x".repeat(1001);
    let too_long = Refused::Text(TextError::TooLong { what: "reason", max: 1000 });
    check(&[], credit(1, 1).purchase(Some(&long)), Err(too_long.clone()));
    check(&[], credit(1, 1).grant(Some(&long)), Err(too_long));
}

#[test]
fn an_account_has_one_organization_one_currency_and_each_lot_once() {
    let given = [credit(1, 5).granted(None)];
    let foreign = Credit { of: id(0xbe), ..credit(2, 1) };
    refused(&given, foreign, &Refused::NotFound);
    let in_euro = Credit { currency: euro(), ..credit(2, 1) };
    let mismatch = Refused::CurrencyMismatch { account: Currency::USD, asked: euro() };
    refused(&given, in_euro, &mismatch);
    refused(&given, credit(1, 5), &Refused::LotAlreadyExists(id(1)));
}

#[test]
fn nothing_comes_in_in_a_currency_that_is_not_in_use() {
    let mark: Currency = "DEM".parse().unwrap();
    let in_marks = |lot| Credit { currency: mark, ..credit(lot, 5) };
    let policy = |currency| Ask::ChangePolicy {
        organization: open_organization(acme()),
        currency,
        policy: event_schemas::CreditPolicy::Block,
    };
    refused(&[], in_marks(1), &Refused::CurrencyNotInUse(mark));
    check(&[], policy(mark), Err(Refused::CurrencyNotInUse(mark)));
    // What is there from before loads, and its policy may change.
    let given = [in_marks(1).granted(None)];
    refused(&given, in_marks(2), &Refused::CurrencyNotInUse(mark));
    let changed = Was::PolicyChanged {
        organization_id: acme(),
        currency: mark,
        policy: event_schemas::CreditPolicy::Block,
    };
    check(&given, policy(mark), Ok(vec![changed]));
}

#[test]
fn credits_fit_the_column_that_they_are_kept_in() {
    let full = credit(1, AMOUNT_MAX);
    check(&[], full.grant(None), Ok(vec![full.granted(None)]));
    let too_large = |pico| Refused::BalanceTooLarge { amount: Amount::from_pico(pico) };
    refused(&[full.granted(None)], credit(2, 1), &too_large(1));
    refused(&[], credit(1, AMOUNT_MAX + 1), &too_large(AMOUNT_MAX + 1));
    refused(&[], credit(1, i128::MAX), &too_large(i128::MAX));
}

#[test]
fn an_account_says_what_it_holds() {
    let account: CreditAccount =
        folded(&[credit(1, 5).granted(None), credit(2, 7).purchased(None)]);
    assert_eq!(account.credited(), Amount::from_pico(12));
    assert_eq!(account.organization_id(), Some(acme()));
    assert_eq!(account.currency(), Some(Currency::USD));
    let lots: Vec<_> = account.lots().map(|(lot_id, lot)| (lot_id, lot.amount.pico())).collect();
    assert_eq!(lots, [(id(1), 5), (id(2), 7)]);
    assert_eq!(CreditAccount::default().credited(), Amount::ZERO);
}

/// What is asked, with evidence of a run of the account that knows it well or badly.
fn any_command() -> impl Strategy<Value = (Ask, i128)> {
    let pico = prop_oneof![
        8 => 1..i128::from(u64::MAX),
        1 => Just(0),
        2 => AMOUNT_MAX / 3..AMOUNT_MAX,
    ];
    let of = prop_oneof![8 => Just(acme()), 1 => Just(id(0xbe))];
    let currency = prop_oneof![8 => Just(Currency::USD), 1 => Just(euro())];
    let expires = prop::option::of(0..9_i64);
    (of, 1..9_u128, pico, currency, expires, 0..7_u8, any::<bool>()).prop_map(
        |(of, lot, pico, currency, expires, kind, whole)| {
            let credit = Credit { of, lot, pico, currency, expires };
            let ask = match kind {
                0 => credit.purchase(None),
                1 => credit.grant(None),
                2 => Ask::Expire { lot_id: id(lot), now: at(expires.unwrap_or(9)) },
                3 | 4 => Ask::Refund {
                    outgoing: leaving::out(lot, (!whole).then_some(pico), pico, 0),
                    reference: None,
                },
                5 => leaving::transfer(leaving::out(lot, (!whole).then_some(pico), pico, 0)),
                _ => leaving::cross(whole, i64::try_from(lot).unwrap()),
            };
            (ask, pico)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is asked, and whatever the balances are said to know: no lot is over-drawn, no
    /// crossing is told twice, and what has come in is the sum of the lots.
    #[test]
    fn any_history_holds(asked in prop::collection::vec(any_command(), 1..40)) {
        let mut state = CreditAccount::default();
        let mut history = vec![];
        for (command, _) in asked {
            let before = state.clone();
            let command = leaving::knowing(command, state.events());
            let caused = step(&mut state, &mut history, command).unwrap_or(0);
            prop_assert_eq!(caused == 0, state == before);
            prop_assert_eq!(state.events(), i64::try_from(history.len()).unwrap());
            prop_assert_eq!(state.lots().map(|(_, lot)| lot.amount).sum::<Amount>(), state.credited());
            prop_assert!(state.credited().pico() <= AMOUNT_MAX);
            for (_, lot) in state.lots() {
                prop_assert!(lot.gone <= lot.amount, "{lot:?}");
            }
            let crossings: Vec<_> = history.iter().filter_map(|event| match event {
                Was::Exhausted { crossed_at, .. } => Some((true, *crossed_at)),
                Was::Restored { crossed_at, .. } => Some((false, *crossed_at)),
                Was::Purchased { .. } | Was::Granted { .. } | Was::Refunded { .. }
                | Was::TransferredOut { .. } | Was::TransferredIn { .. } | Was::Expired { .. }
                | Was::PolicyChanged { .. } => None,
            }).collect();
            prop_assert!(crossings.first().is_none_or(|(exhausted, _)| *exhausted));
            for pair in crossings.windows(2) {
                prop_assert!(pair[0].0 != pair[1].0 && pair[0].1 < pair[1].1, "{crossings:?}");
            }
        }
        assert_replayable(&state, &history);
    }
}
