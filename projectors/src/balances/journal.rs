//! The legs that entries post. What comes into an account of the journal is above zero.

use std::collections::{BTreeMap, BTreeSet};

use event_schemas::{Amount, Currency, OrganizationId};
use sqlx::types::chrono::NaiveDate;
use uuid::Uuid;

/// An account of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leg {
    /// What is there to be drawn, lot by lot.
    Lots,
    /// What was used when nothing was there: below zero.
    Overdraft,
    /// What corrections of prices gave back and no lot could take.
    Returned,
    /// Where purchases come from: below zero.
    Purchased,
    /// Where grants come from: below zero.
    Granted,
    /// Where transfers come from: below zero.
    TransferredIn,
    /// Where refunds go.
    Refunded,
    /// Where transfers go.
    TransferredOut,
    /// Where what was not used in time goes.
    Expired,
    /// Where usage goes. What a correction of prices takes back comes from here.
    Consumed,
}

impl Leg {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Lots => "lots",
            Self::Overdraft => "overdraft",
            Self::Returned => "returned",
            Self::Purchased => "purchased",
            Self::Granted => "granted",
            Self::TransferredIn => "transferred_in",
            Self::Refunded => "refunded",
            Self::TransferredOut => "transferred_out",
            Self::Expired => "expired",
            Self::Consumed => "consumed",
        }
    }
}

/// What an entry is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) organization_id: OrganizationId,
    pub(super) currency: Currency,
    /// The day on which the log learned of it, in UTC.
    pub(super) booked_on: NaiveDate,
    /// The event; none for the usage of that day.
    pub(super) position: Option<i64>,
}

/// The legs of a page, those of one entry and account summed up.
#[derive(Debug, Default)]
pub(super) struct Journal(BTreeMap<(Entry, Leg, Option<Uuid>), Amount>);

/// Where one entry posts its legs.
pub(super) struct Legs<'a> {
    journal: &'a mut Journal,
    entry: Entry,
    /// The lots that one of them is of.
    lots: BTreeSet<Uuid>,
}

impl Journal {
    pub(super) fn entry(&mut self, entry: Entry) -> Legs<'_> {
        Legs { journal: self, entry, lots: BTreeSet::new() }
    }

    /// Every leg that is not nothing.
    pub(super) fn legs(&self) -> Vec<(Entry, Leg, Option<Uuid>, Amount)> {
        let legs = self.0.iter().filter(|(_, amount)| **amount != Amount::ZERO);
        legs.map(|((entry, leg, lot_id), amount)| (*entry, *leg, *lot_id, *amount)).collect()
    }
}

impl Legs<'_> {
    pub(super) fn post(&mut self, leg: Leg, lot_id: Option<Uuid>, amount: Amount) {
        let sum = self.journal.0.entry((self.entry, leg, lot_id)).or_default();
        *sum = *sum + amount;
        self.lots.extend(lot_id.filter(|_| amount != Amount::ZERO));
    }

    /// The lots of which the entry changed what is left.
    pub(super) fn lots(self) -> BTreeSet<Uuid> {
        self.lots
    }
}
