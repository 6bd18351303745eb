//! A credit account: what an organization bought and was given in one currency, lot by lot, and what
//! left it again.
//!
//! What was used is not among it: usage is another lane of the log. What is left of a lot comes in as
//! [`LotLeft`], from the balances; see `docs/adr/0018-what-is-left-of-a-lot.md`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_schemas::{Amount, CreditAccountEvent, CreditPolicy, Currency, LotId, OrganizationId};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::organization::OpenOrganization;
use crate::text::TextError;

mod command;
mod decide;

pub use command::{Addition, CreditAccountCommand, Crossing, Incoming, LotLeft, Outgoing};

/// A credit account; its first event opens it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CreditAccount {
    /// Nothing was ever said of it.
    #[default]
    Absent,
    /// It has had credits, or was given a policy.
    Open(CreditAccountDetails),
}

/// What a credit account holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditAccountDetails {
    organization_id: OrganizationId,
    currency: Currency,
    lots: BTreeMap<LotId, Lot>,
    credited: Amount,
    policy: CreditPolicy,
    /// How many events the account has: its stream's sequence.
    events: i64,
    /// The last position at which it was crossed that it ran out, or no longer had.
    crossed_at: i64,
    exhausted: bool,
}

/// Where a lot came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LotOrigin {
    /// It was bought.
    Purchase,
    /// It was given.
    Grant,
    /// It came from another organization.
    Transfer,
}

/// A lot: one purchase, grant or transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// How much it was at first, in the account's currency.
    pub amount: Amount,
    /// How much of it was refunded or transferred.
    pub gone: Amount,
    /// Until when it can be used.
    pub expires_at: Option<DateTime<Utc>>,
    /// Which of two lots that expire at the same time is drawn first: the lower.
    pub priority: u16,
    /// Where it came from.
    pub origin: LotOrigin,
    /// Whether it is on record that its time is over.
    pub expired: bool,
}

/// Why a credit account refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreditAccountError {
    /// It belongs to another organization, or was never heard of.
    #[error("there is no such credit account")]
    NotFound,
    /// The account has no such lot.
    #[error("the account has no lot {0}")]
    LotNotFound(LotId),
    /// Nothing, or less, was to be moved.
    #[error("the amount {amount} is not above zero")]
    AmountNotPositive {
        /// The amount asked for.
        amount: Amount,
    },
    /// All credits together would not fit `numeric(38,12)`.
    #[error("the account's credits would be too large with {amount} more")]
    BalanceTooLarge {
        /// The amount asked for.
        amount: Amount,
    },
    /// The account has another currency.
    #[error("the account is in {account}, not in {asked}")]
    CurrencyMismatch {
        /// The account's currency.
        account: Currency,
        /// The currency asked for.
        asked: Currency,
    },
    /// The code is none of a currency that people pay with.
    #[error("{0} is no currency that is in use today, by ISO 4217; such as USD or EUR")]
    CurrencyNotInUse(Currency),
    /// The credits would be over before they begin.
    #[error("the expiry {expires_at} is not in the future")]
    ExpiryInThePast {
        /// The expiry asked for.
        expires_at: DateTime<Utc>,
    },
    /// The lot was credited before.
    #[error("the lot {0} exists already")]
    LotAlreadyExists(LotId),
    /// Only what was bought is paid back.
    #[error(
        "the lot {0} was not bought here; only what was bought is refunded, where it was bought"
    )]
    NotPurchased(LotId),
    /// The lot's time is over.
    #[error("the lot {0} has expired")]
    LotExpired(LotId),
    /// The lot's time is not over.
    #[error("the lot {0} has not expired")]
    LotNotYetExpired(LotId),
    /// Less is left of the lot.
    #[error("{left} is left of the lot, less than {asked}")]
    NotEnoughLeft {
        /// What is left.
        left: Amount,
        /// The amount asked for.
        asked: Amount,
    },
    /// Nothing is left of the lot.
    #[error("nothing is left of the lot")]
    NothingLeft,
    /// What was read of the lot is of another state of the account.
    #[error("the balances and the account are not of the same moment")]
    LotLeftOutdated,
    /// Credits go to another organization.
    #[error("a transfer goes to another organization")]
    TransferToItself,
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl CreditAccount {
    /// All that ever came in, expired lots included, in the account's currency.
    pub fn credited(&self) -> Amount {
        self.details().map_or(Amount::ZERO, |account| account.credited)
    }

    /// The organization, once there is something to say of it.
    pub fn organization_id(&self) -> Option<OrganizationId> {
        self.details().map(|account| account.organization_id)
    }

    /// The currency, once there is something to say of it.
    pub fn currency(&self) -> Option<Currency> {
        self.details().map(|account| account.currency)
    }

    /// What a gateway is told where it has run out.
    pub fn policy(&self) -> CreditPolicy {
        self.details().map_or(CreditPolicy::Allow, |account| account.policy)
    }

    /// How many events it has: what is read of its lots elsewhere must be of as many.
    pub fn events(&self) -> i64 {
        self.details().map_or(0, |account| account.events)
    }

    /// The lots, in order of id.
    pub fn lots(&self) -> impl Iterator<Item = (LotId, Lot)> {
        self.details()
            .into_iter()
            .flat_map(|account| account.lots.iter().map(|(id, lot)| (*id, *lot)))
    }

    /// The lot, where the account of that organization and currency has it.
    pub fn lot(
        &self,
        organization_id: OrganizationId,
        lot_id: LotId,
    ) -> Result<Lot, CreditAccountError> {
        let account = self.details().filter(|account| account.organization_id == organization_id);
        let lot = account.and_then(|account| account.lots.get(&lot_id));
        lot.copied().ok_or(CreditAccountError::LotNotFound(lot_id))
    }

    fn details(&self) -> Option<&CreditAccountDetails> {
        match self {
            Self::Absent => None,
            Self::Open(account) => Some(account),
        }
    }
}

#[cfg(test)]
mod tests;
