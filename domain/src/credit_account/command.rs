//! What can be asked of a credit account.

use super::{
    Amount, CreditPolicy, Currency, DateTime, LotId, OpenOrganization, OrganizationId, Utc,
};

/// What can be asked of a credit account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditAccountCommand {
    /// Buy credits.
    Purchase {
        /// What is bought.
        addition: Addition,
        /// The invoice or order.
        reference: Option<String>,
    },
    /// Give credits.
    Grant {
        /// What is given.
        addition: Addition,
        /// Why.
        reason: Option<String>,
    },
    /// Pay back what was bought and is left.
    Refund {
        /// What is paid back.
        outgoing: Outgoing,
        /// The credit note.
        reference: Option<String>,
    },
    /// Let credits go to another organization.
    TransferOut {
        /// What goes.
        outgoing: Outgoing,
        /// Where to.
        to: OpenOrganization,
        /// The lot that it will be there.
        to_lot_id: LotId,
        /// Why.
        reason: Option<String>,
    },
    /// Take credits from another organization in. What lets them go is decided beside it.
    TransferIn {
        /// What comes.
        incoming: Incoming,
        /// Why.
        reason: Option<String>,
    },
    /// Put on record that a lot's time is over.
    Expire {
        /// The lot.
        lot_id: LotId,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Say what a gateway is told where the account has run out.
    ChangePolicy {
        /// The organization.
        organization: OpenOrganization,
        /// The account's currency.
        currency: Currency,
        /// What it is told.
        policy: CreditPolicy,
    },
    /// Put on record that the account has run out, or no longer has.
    Cross(Crossing),
}

/// Credits to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// The organization.
    pub organization: OpenOrganization,
    /// The lot that it will be.
    pub lot_id: LotId,
    /// How much, in units of the currency; above zero.
    pub amount: Amount,
    /// The account's currency.
    pub currency: Currency,
    /// Until when they can be used.
    pub expires_at: Option<DateTime<Utc>>,
    /// Which of two lots that expire at the same time is drawn first: the lower.
    pub priority: u16,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Credits to take out of a lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The organization.
    pub organization: OpenOrganization,
    /// The lot.
    pub lot_id: LotId,
    /// How much, above zero; none for all that is left.
    pub amount: Option<Amount>,
    /// What is left of it.
    pub left: LotLeft,
    /// The time.
    pub now: DateTime<Utc>,
}

/// What is left of a lot, as the balances know it: evidence of another lane than the account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotLeft {
    /// How much, in the account's currency.
    pub amount: Amount,
    /// How many events of the account the balances knew.
    pub events: i64,
    /// The position of the log up to which they knew it.
    pub position: i64,
}

/// Credits that come from another organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The organization.
    pub organization: OpenOrganization,
    /// The lot that they will be.
    pub lot_id: LotId,
    /// How much, above zero.
    pub amount: Amount,
    /// The account's currency.
    pub currency: Currency,
    /// Until when they can be used: as before.
    pub expires_at: Option<DateTime<Utc>>,
    /// Which of two lots that expire at the same time is drawn first: as before.
    pub priority: u16,
    /// Where they come from.
    pub from_organization_id: OrganizationId,
    /// The lot that they were there.
    pub from_lot_id: LotId,
}

/// A balance came to zero or below, or back above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossing {
    /// Whether it has run out.
    pub exhausted: bool,
    /// The balance after what crossed it.
    pub balance: Amount,
    /// The position of what crossed it.
    pub crossed_at: i64,
}
