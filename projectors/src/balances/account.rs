//! One account, as the log leaves it: lots in the order in which they are drawn, what was used beyond
//! them, and the legs that each entry posts.
//!
//! A record draws what had not ended when the request was made, and whose end is not on record. Between
//! two events of an account the order of its lots stays, and an earlier record may draw what a later
//! one may and lots before those: what it lacks there it takes from the same lots in the same order. So
//! what is drawn of each lot follows from sums alone, in whichever order records come and wherever a
//! page ends.

use std::collections::BTreeMap;

use event_schemas::{Amount, CreditAccountEvent, CreditPolicy, LotId};
use sqlx::types::chrono::{DateTime, Utc};
use uuid::Uuid;

use super::journal::{Leg, Legs};

/// What came in and went out of an account since its beginning, none of it below zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) purchased: Amount,
    pub(super) granted: Amount,
    pub(super) transferred_in: Amount,
    pub(super) refunded: Amount,
    pub(super) transferred_out: Amount,
    pub(super) expired: Amount,
    pub(super) consumed: Amount,
}

/// A lot, and where what is not left of it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lot {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) amount: Amount,
    pub(super) remaining: Amount,
    pub(super) drawn: Amount,
    pub(super) refunded: Amount,
    pub(super) transferred_out: Amount,
    pub(super) expired: Amount,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) priority: i32,
    pub(super) position: i64,
    pub(super) occurred_at: DateTime<Utc>,
}

/// The soonest to expire comes first, then the lower priority, then the older.
type DrawOrder = (bool, Option<DateTime<Utc>>, i32, i64);

impl Lot {
    fn order(&self) -> DrawOrder {
        (self.expires_at.is_none(), self.expires_at, self.priority, self.position)
    }

    /// Whether something of it can be drawn for what happened at that time.
    fn is_open(&self, at: DateTime<Utc>) -> bool {
        self.remaining.is_positive() && self.expires_at.is_none_or(|end| end > at)
    }

    /// Whether what was drawn of it can go back at that time: not once it has ended.
    fn takes_back(&self, at: DateTime<Utc>) -> bool {
        self.expires_at.is_none_or(|end| end > at) && !self.expired.is_positive()
    }

    /// Takes at most that much out of it; answers how much.
    fn take(&mut self, most: Amount) -> Amount {
        let taken = most.min(self.remaining);
        self.remaining = self.remaining - taken;
        taken
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) totals: Totals,
    pub(super) overdraft: Amount,
    /// What corrections of prices gave back and no lot could take.
    pub(super) returned: Amount,
    pub(super) balance: Amount,
    pub(super) policy: CreditPolicy,
    pub(super) exhausted: bool,
    pub(super) sequence: i64,
    /// Those of which something is left, and those that a page names.
    lots: BTreeMap<DrawOrder, Lot>,
}

/// Usage while the same lots had not ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// When the last of it was.
    pub(super) at: DateTime<Utc>,
    /// What it cost.
    pub(super) amount: Amount,
}

/// Where and when an event stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entered {
    pub(super) position: i64,
    pub(super) sequence: i64,
    pub(super) occurred_at: DateTime<Utc>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            totals: Totals::default(),
            overdraft: Amount::ZERO,
            returned: Amount::ZERO,
            balance: Amount::ZERO,
            policy: CreditPolicy::Allow,
            exhausted: false,
            sequence: 0,
            lots: BTreeMap::new(),
        }
    }
}

impl Account {
    pub(super) fn add(&mut self, lot: Lot) {
        self.lots.insert(lot.order(), lot);
    }

    pub(super) fn lots(&self) -> impl Iterator<Item = &Lot> {
        self.lots.values()
    }

    /// What was used while the same lots had not ended.
    pub(super) fn consume(&mut self, part: Part, legs: &mut Legs) {
        self.totals.consumed = self.totals.consumed + part.amount;
        legs.post(Leg::Consumed, None, part.amount);
        self.draw(part.amount, part.at, legs);
    }

    /// What cost more than it should have goes back where it came from, the last first: it makes up for
    /// what was used when no lot was there; then the lots that were drawn last take it. A lot that has
    /// ended takes nothing; what no lot takes stays in the account, without an end.
    pub(super) fn give_back(&mut self, amount: Amount, at: DateTime<Utc>, legs: &mut Legs) {
        self.totals.consumed = self.totals.consumed - amount;
        self.balance = self.balance + amount;
        legs.post(Leg::Consumed, None, -amount);
        let owed = amount.min(self.overdraft);
        self.overdraft = self.overdraft - owed;
        legs.post(Leg::Overdraft, None, owed);
        let mut rest = amount - owed;
        for lot in self.lots.values_mut().rev().filter(|lot| lot.takes_back(at)) {
            let taken = rest.min(lot.drawn);
            lot.drawn = lot.drawn - taken;
            lot.remaining = lot.remaining + taken;
            rest = rest - taken;
            legs.post(Leg::Lots, Some(lot.id), taken);
        }
        self.returned = self.returned + rest;
        legs.post(Leg::Returned, None, rest);
    }

    /// What an event does; answers what that is to the balance, where it is a movement.
    pub(super) fn apply(
        &mut self,
        event: &CreditAccountEvent,
        at: Entered,
        legs: &mut Legs,
    ) -> Option<Amount> {
        self.sequence = at.sequence;
        match event {
            CreditAccountEvent::Purchased { lot_id, amount, expires_at, priority, .. } => {
                self.totals.purchased = self.totals.purchased + *amount;
                let lot = lot("purchased", *lot_id, *amount, *expires_at, *priority, at);
                Some(self.credit(Leg::Purchased, lot, legs))
            }
            CreditAccountEvent::Granted { lot_id, amount, expires_at, priority, .. } => {
                self.totals.granted = self.totals.granted + *amount;
                let lot = lot("granted", *lot_id, *amount, *expires_at, *priority, at);
                Some(self.credit(Leg::Granted, lot, legs))
            }
            CreditAccountEvent::TransferredIn { lot_id, amount, expires_at, priority, .. } => {
                self.totals.transferred_in = self.totals.transferred_in + *amount;
                let lot = lot("transferred_in", *lot_id, *amount, *expires_at, *priority, at);
                Some(self.credit(Leg::TransferredIn, lot, legs))
            }
            CreditAccountEvent::Refunded { lot_id, amount, .. } => {
                self.totals.refunded = self.totals.refunded + *amount;
                legs.post(Leg::Refunded, None, *amount);
                let taken = self.take(*lot_id, *amount, at.occurred_at, legs);
                if let Some(lot) = self.lot(*lot_id) {
                    lot.refunded = lot.refunded + taken;
                }
                Some(-*amount)
            }
            CreditAccountEvent::TransferredOut { lot_id, amount, .. } => {
                self.totals.transferred_out = self.totals.transferred_out + *amount;
                legs.post(Leg::TransferredOut, None, *amount);
                let taken = self.take(*lot_id, *amount, at.occurred_at, legs);
                if let Some(lot) = self.lot(*lot_id) {
                    lot.transferred_out = lot.transferred_out + taken;
                }
                Some(-*amount)
            }
            CreditAccountEvent::Expired { lot_id, .. } => Some(-self.expire(*lot_id, legs)),
            CreditAccountEvent::PolicyChanged { policy, .. } => {
                self.policy = *policy;
                None
            }
            CreditAccountEvent::Exhausted { .. } | CreditAccountEvent::Restored { .. } => None,
        }
    }

    /// Whether the balance, which was `before`, has come to zero or below (true) or back above it. An
    /// account that never had any credits runs out of them where its policy is to block.
    pub(super) fn crossed(&self, before: Amount) -> Option<bool> {
        if self.exhausted {
            return self.balance.is_positive().then_some(false);
        }
        let had_any = before.is_positive() && !self.balance.is_positive();
        let had_none = before >= Amount::ZERO && self.balance < Amount::ZERO;
        (had_any || (had_none && self.policy == CreditPolicy::Block)).then_some(true)
    }

    fn lot(&mut self, LotId(lot_id): LotId) -> Option<&mut Lot> {
        self.lots.values_mut().find(|lot| lot.id == lot_id)
    }

    /// A new lot, which first makes up for what was used when none was there.
    fn credit(&mut self, source: Leg, mut lot: Lot, legs: &mut Legs) -> Amount {
        let amount = lot.amount;
        legs.post(source, None, -amount);
        legs.post(Leg::Lots, Some(lot.id), amount);
        self.balance = self.balance + amount;
        let settled = lot.take(self.overdraft);
        lot.drawn = lot.drawn + settled;
        self.overdraft = self.overdraft - settled;
        legs.post(Leg::Lots, Some(lot.id), -settled);
        legs.post(Leg::Overdraft, None, settled);
        self.add(lot);
        amount
    }

    /// Takes what leaves with a lot out of it. Usage that was recorded since the decision may have
    /// drawn it; what it lacks is taken like usage. Answers how much came from the lot.
    fn take(
        &mut self,
        lot_id: LotId,
        amount: Amount,
        at: DateTime<Utc>,
        legs: &mut Legs,
    ) -> Amount {
        let taken = self.lot(lot_id).map_or(Amount::ZERO, |lot| lot.take(amount));
        legs.post(Leg::Lots, Some(lot_id.0), -taken);
        self.balance = self.balance - taken;
        self.draw(amount - taken, at, legs);
        taken
    }

    fn expire(&mut self, lot_id: LotId, legs: &mut Legs) -> Amount {
        let Some(lot) = self.lot(lot_id) else { return Amount::ZERO };
        let gone = lot.take(lot.remaining);
        lot.expired = lot.expired + gone;
        self.totals.expired = self.totals.expired + gone;
        self.balance = self.balance - gone;
        legs.post(Leg::Lots, Some(lot_id.0), -gone);
        legs.post(Leg::Expired, None, gone);
        gone
    }

    fn draw(&mut self, amount: Amount, at: DateTime<Utc>, legs: &mut Legs) {
        self.balance = self.balance - amount;
        let returned = amount.min(self.returned);
        self.returned = self.returned - returned;
        legs.post(Leg::Returned, None, -returned);
        let mut rest = amount - returned;
        for lot in self.lots.values_mut().filter(|lot| lot.is_open(at)) {
            if !rest.is_positive() {
                return;
            }
            let drawn = lot.take(rest);
            lot.drawn = lot.drawn + drawn;
            rest = rest - drawn;
            legs.post(Leg::Lots, Some(lot.id), -drawn);
        }
        self.overdraft = self.overdraft + rest;
        legs.post(Leg::Overdraft, None, -rest);
    }
}

fn lot(
    kind: &str,
    lot_id: LotId,
    amount: Amount,
    expires_at: Option<DateTime<Utc>>,
    priority: u16,
    at: Entered,
) -> Lot {
    Lot {
        id: lot_id.0,
        kind: kind.to_owned(),
        amount,
        remaining: amount,
        drawn: Amount::ZERO,
        refunded: Amount::ZERO,
        transferred_out: Amount::ZERO,
        expired: Amount::ZERO,
        expires_at,
        priority: i32::from(priority),
        position: at.position,
        occurred_at: at.occurred_at,
    }
}
