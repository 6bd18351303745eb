//! A credit account: what an organization bought and was given in one currency, lot by lot.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_schemas::money::AMOUNT_MAX;
use event_schemas::{Amount, CreditAccountEvent, Currency, LotId, OrganizationId};
use serde::{Deserialize, Serialize};

use crate::Decider;
use crate::organization::OpenOrganization;
use crate::text::{self, TextError};

/// A credit account; its first credits open it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CreditAccount {
    /// It has had no credits.
    #[default]
    Absent,
    /// It has had credits.
    Open(CreditAccountDetails),
}

/// What a credit account holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditAccountDetails {
    organization_id: OrganizationId,
    currency: Currency,
    lots: BTreeMap<LotId, Lot>,
    credited: Amount,
}

/// A lot: one purchase or grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// How much it was at first, in the account's currency.
    pub amount: Amount,
    /// Until when it can be used.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What can be asked of a credit account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditAccountCommand {
    /// Buy credits.
    Purchase {
        /// The organization.
        organization: OpenOrganization,
        /// The lot that the purchase will be.
        lot_id: LotId,
        /// How much, in units of the currency; above zero.
        amount: Amount,
        /// The account's currency.
        currency: Currency,
        /// Until when they can be used.
        expires_at: Option<DateTime<Utc>>,
        /// The invoice or order.
        reference: Option<String>,
        /// The time.
        now: DateTime<Utc>,
    },
    /// Give credits.
    Grant {
        /// The organization.
        organization: OpenOrganization,
        /// The lot that the grant will be.
        lot_id: LotId,
        /// How much, in units of the currency; above zero.
        amount: Amount,
        /// The account's currency.
        currency: Currency,
        /// Until when they can be used.
        expires_at: Option<DateTime<Utc>>,
        /// Why.
        reason: Option<String>,
        /// The time.
        now: DateTime<Utc>,
    },
}

/// Why a credit account refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreditAccountError {
    /// It belongs to another organization.
    #[error("there is no such credit account")]
    NotFound,
    /// Nothing, or less, was to be credited.
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
    /// The credits would be over before they begin.
    #[error("the expiry {expires_at} is not in the future")]
    ExpiryInThePast {
        /// The expiry asked for.
        expires_at: DateTime<Utc>,
    },
    /// The lot was credited before.
    #[error("the lot {0} exists already")]
    LotAlreadyExists(LotId),
    /// A text is not as it must be.
    #[error(transparent)]
    Text(#[from] TextError),
}

impl Decider for CreditAccount {
    const STREAM: &'static str = "credit_account";
    type Command = CreditAccountCommand;
    type Event = CreditAccountEvent;
    type Error = CreditAccountError;

    fn decide(
        &self,
        command: CreditAccountCommand,
    ) -> Result<Vec<CreditAccountEvent>, CreditAccountError> {
        match command {
            CreditAccountCommand::Purchase {
                organization,
                lot_id,
                amount,
                currency,
                expires_at,
                reference,
                now,
            } => {
                let organization_id = organization.organization_id();
                self.takes_lot(organization_id, currency, lot_id, Lot { amount, expires_at }, now)?;
                let reference = text::reason(reference.as_deref())?;
                Ok(vec![CreditAccountEvent::Purchased {
                    organization_id,
                    lot_id,
                    amount,
                    currency,
                    expires_at,
                    reference,
                }])
            }
            CreditAccountCommand::Grant {
                organization,
                lot_id,
                amount,
                currency,
                expires_at,
                reason,
                now,
            } => {
                let organization_id = organization.organization_id();
                self.takes_lot(organization_id, currency, lot_id, Lot { amount, expires_at }, now)?;
                let reason = text::reason(reason.as_deref())?;
                Ok(vec![CreditAccountEvent::Granted {
                    organization_id,
                    lot_id,
                    amount,
                    currency,
                    expires_at,
                    reason,
                }])
            }
        }
    }

    fn evolve(&mut self, event: &CreditAccountEvent) {
        match event {
            CreditAccountEvent::Purchased {
                organization_id,
                lot_id,
                amount,
                currency,
                expires_at,
                reference: _,
            }
            | CreditAccountEvent::Granted {
                organization_id,
                lot_id,
                amount,
                currency,
                expires_at,
                reason: _,
            } => {
                let lot = Lot { amount: *amount, expires_at: *expires_at };
                let mut account = std::mem::take(self).opened(*organization_id, *currency);
                account.credited(*lot_id, lot);
                *self = Self::Open(account);
            }
        }
    }
}

impl CreditAccount {
    /// Whether a lot can be credited to it, now.
    fn takes_lot(
        &self,
        organization_id: OrganizationId,
        currency: Currency,
        lot_id: LotId,
        lot: Lot,
        now: DateTime<Utc>,
    ) -> Result<(), CreditAccountError> {
        let Lot { amount, expires_at } = lot;
        if !amount.is_positive() {
            return Err(CreditAccountError::AmountNotPositive { amount });
        }
        if let Some(expires_at) = expires_at.filter(|end| *end <= now) {
            return Err(CreditAccountError::ExpiryInThePast { expires_at });
        }
        match self {
            Self::Absent => {}
            Self::Open(account) => account.takes_lot(organization_id, currency, lot_id)?,
        }
        match self.credited().checked_add(amount) {
            Some(_) => Ok(()),
            None => Err(CreditAccountError::BalanceTooLarge { amount }),
        }
    }

    /// All that was ever credited, expired lots included, in the account's currency.
    pub fn credited(&self) -> Amount {
        match self {
            Self::Absent => Amount::ZERO,
            Self::Open(account) => account.credited,
        }
    }

    /// The organization, once it has had credits.
    pub fn organization_id(&self) -> Option<OrganizationId> {
        self.details().map(|account| account.organization_id)
    }

    /// The currency, once it has had credits.
    pub fn currency(&self) -> Option<Currency> {
        self.details().map(|account| account.currency)
    }

    /// The lots, in order of id.
    pub fn lots(&self) -> impl Iterator<Item = (LotId, Lot)> {
        self.details()
            .into_iter()
            .flat_map(|account| account.lots.iter().map(|(id, lot)| (*id, *lot)))
    }

    fn details(&self) -> Option<&CreditAccountDetails> {
        match self {
            Self::Absent => None,
            Self::Open(account) => Some(account),
        }
    }

    fn opened(self, organization_id: OrganizationId, currency: Currency) -> CreditAccountDetails {
        match self {
            Self::Open(account) => account,
            Self::Absent => CreditAccountDetails {
                organization_id,
                currency,
                lots: BTreeMap::new(),
                credited: Amount::ZERO,
            },
        }
    }
}

impl CreditAccountDetails {
    fn takes_lot(
        &self,
        organization_id: OrganizationId,
        currency: Currency,
        lot_id: LotId,
    ) -> Result<(), CreditAccountError> {
        if organization_id != self.organization_id {
            return Err(CreditAccountError::NotFound);
        }
        if currency != self.currency {
            return Err(CreditAccountError::CurrencyMismatch {
                account: self.currency,
                asked: currency,
            });
        }
        if self.lots.contains_key(&lot_id) {
            return Err(CreditAccountError::LotAlreadyExists(lot_id));
        }
        Ok(())
    }

    fn credited(&mut self, lot_id: LotId, lot: Lot) {
        self.lots.insert(lot_id, lot);
        // What was decided fits; a state folds whatever the log holds without failing.
        let most = Amount::from_pico(AMOUNT_MAX);
        self.credited = self.credited.checked_add(lot.amount).unwrap_or(most);
    }
}

#[cfg(test)]
mod tests;
