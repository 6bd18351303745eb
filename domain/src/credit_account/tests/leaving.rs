//! What leaves an account, and what is said of it.

use event_schemas::CreditPolicy;

use super::{
    Amount, Ask, Currency, LotLeft, Outgoing, Refused, Was, acme, at, check, credit, euro, id,
    open_organization,
};
use crate::credit_account::{Crossing, Incoming};

pub(super) fn out(lot: u128, asked: Option<i128>, left: i128, events: i64) -> Outgoing {
    Outgoing {
        organization: open_organization(acme()),
        lot_id: id(lot),
        amount: asked.map(Amount::from_pico),
        left: LotLeft { amount: Amount::from_pico(left), events, position: 40 },
        now: at(0),
    }
}

pub(super) fn transfer(outgoing: Outgoing) -> Ask {
    Ask::TransferOut {
        outgoing,
        to: open_organization(id(0xbe)),
        to_lot_id: id(0x77),
        reason: None,
    }
}

pub(super) fn cross(exhausted: bool, crossed_at: i64) -> Ask {
    Ask::Cross(Crossing { exhausted, balance: Amount::ZERO, crossed_at })
}

/// The same, where the balances know that many events of the account.
pub(super) fn knowing(command: Ask, events: i64) -> Ask {
    match command {
        Ask::Refund { mut outgoing, reference } => {
            outgoing.left.events = events;
            Ask::Refund { outgoing, reference }
        }
        Ask::TransferOut { mut outgoing, to, to_lot_id, reason } => {
            outgoing.left.events = events;
            Ask::TransferOut { outgoing, to, to_lot_id, reason }
        }
        Ask::Purchase { .. }
        | Ask::Grant { .. }
        | Ask::TransferIn { .. }
        | Ask::Expire { .. }
        | Ask::ChangePolicy { .. }
        | Ask::Cross(_) => command,
    }
}

fn refund(outgoing: Outgoing) -> Ask {
    Ask::Refund { outgoing, reference: Some(" CN-1 ".to_owned()) }
}

fn refunded(lot: u128, pico: i128, left: i128) -> Was {
    Was::Refunded {
        organization_id: acme(),
        lot_id: id(lot),
        amount: Amount::from_pico(pico),
        currency: Currency::USD,
        left_before: Amount::from_pico(left),
        known_at: 40,
        reference: Some("CN-1".to_owned()),
    }
}

fn expired(lot: u128) -> Was {
    Was::Expired {
        organization_id: acme(),
        lot_id: id(lot),
        currency: Currency::USD,
        expires_at: at(24),
    }
}

#[test]
fn what_is_left_of_a_purchase_is_refunded() {
    let given = [credit(1, 10).purchased(None)];
    check(&given, refund(out(1, Some(4), 7, 1)), Ok(vec![refunded(1, 4, 7)]));
    check(&given, refund(out(1, None, 7, 1)), Ok(vec![refunded(1, 7, 7)]));
    let (left, asked) = (Amount::from_pico(7), Amount::from_pico(8));
    check(&given, refund(out(1, Some(8), 7, 1)), Err(Refused::NotEnoughLeft { left, asked }));
    check(&given, refund(out(1, None, 0, 1)), Err(Refused::NothingLeft));
    for pico in [0, -1] {
        let amount = Amount::from_pico(pico);
        let refused = Refused::AmountNotPositive { amount };
        check(&given, refund(out(1, Some(pico), 7, 1)), Err(refused));
    }
}

#[test]
fn a_refund_goes_back_where_it_came_from() {
    let given = [credit(1, 10).granted(None), credit(2, 10).purchased(None), moved_in(3, 10)];
    check(&given, refund(out(1, None, 7, 3)), Err(Refused::NotPurchased(id(1))));
    check(&given, refund(out(3, None, 7, 3)), Err(Refused::NotPurchased(id(3))));
    check(&given, refund(out(4, None, 7, 3)), Err(Refused::LotNotFound(id(4))));
    let foreign = Outgoing { organization: open_organization(id(0xbe)), ..out(2, None, 7, 3) };
    check(&given, refund(foreign), Err(Refused::LotNotFound(id(2))));
}

#[test]
fn what_the_balances_say_holds_for_the_account_they_knew() {
    let given = [credit(1, 10).purchased(None), refunded(1, 4, 10)];
    check(&given, refund(out(1, Some(1), 6, 1)), Err(Refused::LotLeftOutdated));
    check(&given, refund(out(1, Some(1), 6, 3)), Err(Refused::LotLeftOutdated));
    check(&given, refund(out(1, Some(6), 6, 2)), Ok(vec![refunded(1, 6, 6)]));
    // Whatever the balances say, no more leaves than came.
    let (left, asked) = (Amount::from_pico(6), Amount::from_pico(7));
    let refused = Refused::NotEnoughLeft { left, asked };
    check(&given, refund(out(1, Some(7), 100, 2)), Err(refused));
}

#[test]
fn what_has_expired_is_gone() {
    let lot = credit(1, 10).purchased(None);
    let late = |outgoing: Outgoing| Outgoing { now: at(24), ..outgoing };
    check(
        std::slice::from_ref(&lot),
        refund(late(out(1, None, 7, 1))),
        Err(Refused::LotExpired(id(1))),
    );
    let given = [lot.clone(), expired(1)];
    check(&given, refund(out(1, None, 7, 2)), Err(Refused::LotExpired(id(1))));
    check(&given, transfer(out(1, None, 7, 2)), Err(Refused::LotExpired(id(1))));
}

#[test]
fn a_lot_expires_once_and_not_before_its_time() {
    let lot = credit(1, 10).purchased(None);
    let expire = |lot, hour| Ask::Expire { lot_id: id(lot), now: at(hour) };
    check(std::slice::from_ref(&lot), expire(1, 24), Ok(vec![expired(1)]));
    check(std::slice::from_ref(&lot), expire(1, 23), Err(Refused::LotNotYetExpired(id(1))));
    check(std::slice::from_ref(&lot), expire(2, 24), Err(Refused::LotNotFound(id(2))));
    check(&[lot, expired(1)], expire(1, 30), Ok(vec![]));
    check(&[], expire(1, 24), Err(Refused::NotFound));
    let for_ever = super::Credit { expires: None, ..credit(1, 10) }.purchased(None);
    check(&[for_ever], expire(1, 1_000_000), Err(Refused::LotNotYetExpired(id(1))));
}

fn moved_in(lot: u128, pico: i128) -> Was {
    Was::TransferredIn {
        organization_id: acme(),
        lot_id: id(lot),
        amount: Amount::from_pico(pico),
        currency: Currency::USD,
        expires_at: Some(at(24)),
        priority: 3,
        from_organization_id: id(0xbe),
        from_lot_id: id(9),
        reason: Some("half".to_owned()),
    }
}

#[test]
fn a_transfer_is_told_on_both_sides() {
    let given = [credit(1, 10).granted(None)];
    let moved_out = Was::TransferredOut {
        organization_id: acme(),
        lot_id: id(1),
        amount: Amount::from_pico(4),
        currency: Currency::USD,
        to_organization_id: id(0xbe),
        to_lot_id: id(0x77),
        left_before: Amount::from_pico(7),
        known_at: 40,
        reason: None,
    };
    check(&given, transfer(out(1, Some(4), 7, 1)), Ok(vec![moved_out]));
    let to_itself = Ask::TransferOut {
        outgoing: out(1, Some(4), 7, 1),
        to: open_organization(acme()),
        to_lot_id: id(2),
        reason: None,
    };
    check(&given, to_itself, Err(Refused::TransferToItself));
    let transfer_in = |lot, pico, currency| Ask::TransferIn {
        incoming: Incoming {
            organization: open_organization(acme()),
            lot_id: id(lot),
            amount: Amount::from_pico(pico),
            currency,
            expires_at: Some(at(24)),
            priority: 3,
            from_organization_id: id(0xbe),
            from_lot_id: id(9),
        },
        reason: Some("half".to_owned()),
    };
    check(&given, transfer_in(2, 4, Currency::USD), Ok(vec![moved_in(2, 4)]));
    check(&given, transfer_in(1, 4, Currency::USD), Err(Refused::LotAlreadyExists(id(1))));
    let mismatch = Refused::CurrencyMismatch { account: Currency::USD, asked: euro() };
    check(&given, transfer_in(2, 4, euro()), Err(mismatch));
}

#[test]
fn a_policy_is_changed_once() {
    let change = |policy| Ask::ChangePolicy {
        organization: open_organization(acme()),
        currency: Currency::USD,
        policy,
    };
    let changed =
        |policy| Was::PolicyChanged { organization_id: acme(), currency: Currency::USD, policy };
    check(&[], change(CreditPolicy::Allow), Ok(vec![]));
    check(&[], change(CreditPolicy::Block), Ok(vec![changed(CreditPolicy::Block)]));
    let blocks = [changed(CreditPolicy::Block)];
    check(&blocks, change(CreditPolicy::Block), Ok(vec![]));
    check(&blocks, change(CreditPolicy::Allow), Ok(vec![changed(CreditPolicy::Allow)]));
}

#[test]
fn each_crossing_is_told_once() {
    let crossed = |exhausted, crossed_at| {
        let (organization_id, currency, balance) = (acme(), Currency::USD, Amount::ZERO);
        if exhausted {
            Was::Exhausted { organization_id, currency, balance, crossed_at }
        } else {
            Was::Restored { organization_id, currency, balance, crossed_at }
        }
    };
    let lot = credit(1, 10).purchased(None);
    check(&[], cross(true, 5), Err(Refused::NotFound));
    check(std::slice::from_ref(&lot), cross(true, 5), Ok(vec![crossed(true, 5)]));
    check(std::slice::from_ref(&lot), cross(false, 5), Ok(vec![]));
    let out = [lot.clone(), crossed(true, 5)];
    check(&out, cross(true, 5), Ok(vec![]));
    check(&out, cross(false, 4), Ok(vec![]));
    check(&out, cross(false, 9), Ok(vec![crossed(false, 9)]));
    let back = [lot, crossed(true, 5), crossed(false, 9)];
    check(&back, cross(true, 5), Ok(vec![]));
    check(&back, cross(true, 12), Ok(vec![crossed(true, 12)]));
}
