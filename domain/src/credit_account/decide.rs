//! What becomes of what is asked, and of what has happened.

use event_schemas::money::AMOUNT_MAX;

use super::{
    Addition, Amount, BTreeMap, CreditAccount, CreditAccountCommand, CreditAccountDetails,
    CreditAccountError, CreditAccountEvent, CreditPolicy, Crossing, Currency, DateTime, Decider,
    Incoming, Lot, LotId, LotOrigin, OrganizationId, Outgoing, Utc,
};
use crate::text;

type Decided = Result<Vec<CreditAccountEvent>, CreditAccountError>;

impl Decider for CreditAccount {
    const STREAM: &'static str = "credit_account";
    type Command = CreditAccountCommand;
    type Event = CreditAccountEvent;
    type Error = CreditAccountError;

    fn decide(&self, command: CreditAccountCommand) -> Decided {
        match command {
            CreditAccountCommand::Purchase { addition, reference } => {
                let organization_id = self.takes(&addition)?;
                let Addition { lot_id, amount, currency, expires_at, priority, .. } = addition;
                let reference = text::reason(reference.as_deref())?;
                Ok(vec![CreditAccountEvent::Purchased {
                    organization_id,
                    lot_id,
                    amount,
                    currency,
                    expires_at,
                    priority,
                    reference,
                }])
            }
            CreditAccountCommand::Grant { addition, reason } => {
                let organization_id = self.takes(&addition)?;
                let Addition { lot_id, amount, currency, expires_at, priority, .. } = addition;
                let reason = text::reason(reason.as_deref())?;
                Ok(vec![CreditAccountEvent::Granted {
                    organization_id,
                    lot_id,
                    amount,
                    currency,
                    expires_at,
                    priority,
                    reason,
                }])
            }
            CreditAccountCommand::Refund { outgoing, reference } => {
                self.refund(&outgoing, reference.as_deref())
            }
            CreditAccountCommand::TransferOut { outgoing, to, to_lot_id, reason } => {
                self.transfer_out(&outgoing, to.organization_id(), to_lot_id, reason.as_deref())
            }
            CreditAccountCommand::TransferIn { incoming, reason } => {
                self.transfer_in(&incoming, reason.as_deref())
            }
            CreditAccountCommand::Expire { lot_id, now } => self.expire(lot_id, now),
            CreditAccountCommand::ChangePolicy { organization, currency, policy } => {
                let organization_id = organization.organization_id();
                self.is_of(organization_id, currency)?;
                if self.details().is_none() {
                    is_in_use(currency)?;
                }
                if policy == self.policy() {
                    return Ok(Vec::new());
                }
                Ok(vec![CreditAccountEvent::PolicyChanged { organization_id, currency, policy }])
            }
            CreditAccountCommand::Cross(crossing) => self.cross(crossing),
        }
    }

    fn evolve(&mut self, event: &CreditAccountEvent) {
        let (organization_id, currency) = account_of(event);
        let mut account = std::mem::take(self).opened(organization_id, currency);
        account.apply(event);
        *self = Self::Open(account);
    }
}

impl CreditAccount {
    /// Whether a lot can be credited to it, now; answers whose account it is.
    fn takes(&self, addition: &Addition) -> Result<OrganizationId, CreditAccountError> {
        if let Some(expires_at) = addition.expires_at.filter(|end| *end <= addition.now) {
            return Err(CreditAccountError::ExpiryInThePast { expires_at });
        }
        is_in_use(addition.currency)?;
        let organization_id = addition.organization.organization_id();
        self.has_room(organization_id, addition.currency, addition.lot_id, addition.amount)?;
        Ok(organization_id)
    }

    fn has_room(
        &self,
        organization_id: OrganizationId,
        currency: Currency,
        lot_id: LotId,
        amount: Amount,
    ) -> Result<(), CreditAccountError> {
        if !amount.is_positive() {
            return Err(CreditAccountError::AmountNotPositive { amount });
        }
        self.is_of(organization_id, currency)?;
        if self.lot(organization_id, lot_id).is_ok() {
            return Err(CreditAccountError::LotAlreadyExists(lot_id));
        }
        match self.credited().checked_add(amount) {
            Some(_) => Ok(()),
            None => Err(CreditAccountError::BalanceTooLarge { amount }),
        }
    }

    fn is_of(
        &self,
        organization_id: OrganizationId,
        currency: Currency,
    ) -> Result<(), CreditAccountError> {
        let Self::Open(account) = self else { return Ok(()) };
        if organization_id != account.organization_id {
            return Err(CreditAccountError::NotFound);
        }
        if currency != account.currency {
            let account = account.currency;
            return Err(CreditAccountError::CurrencyMismatch { account, asked: currency });
        }
        Ok(())
    }

    fn refund(&self, outgoing: &Outgoing, reference: Option<&str>) -> Decided {
        let lot = self.lot(outgoing.organization.organization_id(), outgoing.lot_id)?;
        if lot.origin != LotOrigin::Purchase {
            return Err(CreditAccountError::NotPurchased(outgoing.lot_id));
        }
        let amount = self.takes_out(lot, outgoing)?;
        let Self::Open(account) = self else { return Err(CreditAccountError::NotFound) };
        Ok(vec![CreditAccountEvent::Refunded {
            organization_id: account.organization_id,
            lot_id: outgoing.lot_id,
            amount,
            currency: account.currency,
            left_before: outgoing.left.amount,
            known_at: outgoing.left.position,
            reference: text::reason(reference)?,
        }])
    }

    fn transfer_out(
        &self,
        outgoing: &Outgoing,
        to_organization_id: OrganizationId,
        to_lot_id: LotId,
        reason: Option<&str>,
    ) -> Decided {
        let lot = self.lot(outgoing.organization.organization_id(), outgoing.lot_id)?;
        let Self::Open(account) = self else { return Err(CreditAccountError::NotFound) };
        if account.organization_id == to_organization_id {
            return Err(CreditAccountError::TransferToItself);
        }
        Ok(vec![CreditAccountEvent::TransferredOut {
            organization_id: account.organization_id,
            lot_id: outgoing.lot_id,
            amount: self.takes_out(lot, outgoing)?,
            currency: account.currency,
            to_organization_id,
            to_lot_id,
            left_before: outgoing.left.amount,
            known_at: outgoing.left.position,
            reason: text::reason(reason)?,
        }])
    }

    /// How much can be taken out of a lot. What the balances say is left of it holds where they know
    /// all of the account's events; whatever they say, no more leaves a lot than came in with it.
    fn takes_out(&self, lot: Lot, outgoing: &Outgoing) -> Result<Amount, CreditAccountError> {
        if lot.is_over(outgoing.now) {
            return Err(CreditAccountError::LotExpired(outgoing.lot_id));
        }
        if outgoing.left.events != self.events() {
            return Err(CreditAccountError::LotLeftOutdated);
        }
        let left = outgoing.left.amount.min(lot.amount - lot.gone);
        let amount = outgoing.amount.unwrap_or(left);
        if outgoing.amount.is_none() && !left.is_positive() {
            return Err(CreditAccountError::NothingLeft);
        }
        if !amount.is_positive() {
            return Err(CreditAccountError::AmountNotPositive { amount });
        }
        if amount > left {
            return Err(CreditAccountError::NotEnoughLeft { left, asked: amount });
        }
        Ok(amount)
    }

    fn transfer_in(&self, incoming: &Incoming, reason: Option<&str>) -> Decided {
        let organization_id = incoming.organization.organization_id();
        let Incoming { lot_id, amount, currency, .. } = *incoming;
        self.has_room(organization_id, currency, lot_id, amount)?;
        Ok(vec![CreditAccountEvent::TransferredIn {
            organization_id,
            lot_id,
            amount,
            currency,
            expires_at: incoming.expires_at,
            priority: incoming.priority,
            from_organization_id: incoming.from_organization_id,
            from_lot_id: incoming.from_lot_id,
            reason: text::reason(reason)?,
        }])
    }

    fn expire(&self, lot_id: LotId, now: DateTime<Utc>) -> Decided {
        let Self::Open(account) = self else { return Err(CreditAccountError::NotFound) };
        let lot = account.lots.get(&lot_id).ok_or(CreditAccountError::LotNotFound(lot_id))?;
        if lot.expired {
            return Ok(Vec::new());
        }
        let Some(expires_at) = lot.expires_at.filter(|end| *end <= now) else {
            return Err(CreditAccountError::LotNotYetExpired(lot_id));
        };
        Ok(vec![CreditAccountEvent::Expired {
            organization_id: account.organization_id,
            lot_id,
            currency: account.currency,
            expires_at,
        }])
    }

    /// Each crossing once, however often and by however many it is found: positions only grow.
    fn cross(&self, crossing: Crossing) -> Decided {
        let Self::Open(account) = self else { return Err(CreditAccountError::NotFound) };
        let Crossing { exhausted, balance, crossed_at } = crossing;
        if crossed_at <= account.crossed_at || exhausted == account.exhausted {
            return Ok(Vec::new());
        }
        let (organization_id, currency) = (account.organization_id, account.currency);
        Ok(vec![if exhausted {
            CreditAccountEvent::Exhausted { organization_id, currency, balance, crossed_at }
        } else {
            CreditAccountEvent::Restored { organization_id, currency, balance, crossed_at }
        }])
    }

    fn opened(self, organization_id: OrganizationId, currency: Currency) -> CreditAccountDetails {
        match self {
            Self::Open(account) => account,
            Self::Absent => CreditAccountDetails {
                organization_id,
                currency,
                lots: BTreeMap::new(),
                credited: Amount::ZERO,
                policy: CreditPolicy::Allow,
                events: 0,
                crossed_at: 0,
                exhausted: false,
            },
        }
    }
}

impl Lot {
    /// Whether its time is over, on record or not.
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.expired || self.expires_at.is_some_and(|end| end <= now)
    }
}

impl CreditAccountDetails {
    fn apply(&mut self, event: &CreditAccountEvent) {
        self.events += 1;
        match event {
            CreditAccountEvent::Purchased { lot_id, amount, expires_at, priority, .. } => {
                self.credit(*lot_id, *amount, *expires_at, *priority, LotOrigin::Purchase);
            }
            CreditAccountEvent::Granted { lot_id, amount, expires_at, priority, .. } => {
                self.credit(*lot_id, *amount, *expires_at, *priority, LotOrigin::Grant);
            }
            CreditAccountEvent::TransferredIn { lot_id, amount, expires_at, priority, .. } => {
                self.credit(*lot_id, *amount, *expires_at, *priority, LotOrigin::Transfer);
            }
            CreditAccountEvent::Refunded { lot_id, amount, .. }
            | CreditAccountEvent::TransferredOut { lot_id, amount, .. } => {
                if let Some(lot) = self.lots.get_mut(lot_id) {
                    lot.gone = lot.gone + *amount;
                }
            }
            CreditAccountEvent::Expired { lot_id, .. } => {
                if let Some(lot) = self.lots.get_mut(lot_id) {
                    lot.expired = true;
                }
            }
            CreditAccountEvent::PolicyChanged { policy, .. } => self.policy = *policy,
            CreditAccountEvent::Exhausted { crossed_at, .. } => {
                (self.exhausted, self.crossed_at) = (true, *crossed_at);
            }
            CreditAccountEvent::Restored { crossed_at, .. } => {
                (self.exhausted, self.crossed_at) = (false, *crossed_at);
            }
        }
    }

    fn credit(
        &mut self,
        lot_id: LotId,
        amount: Amount,
        expires_at: Option<DateTime<Utc>>,
        priority: u16,
        origin: LotOrigin,
    ) {
        let gone = Amount::ZERO;
        let lot = Lot { amount, gone, expires_at, priority, origin, expired: false };
        self.lots.insert(lot_id, lot);
        // What was decided fits; a state folds whatever the log holds without failing.
        let most = Amount::from_pico(AMOUNT_MAX);
        self.credited = self.credited.checked_add(amount).unwrap_or(most);
    }
}

/// The account that an event is of.
/// Accounts of other currencies are there from before: what they hold can leave, and nothing comes in.
fn is_in_use(currency: Currency) -> Result<(), CreditAccountError> {
    if currency.is_in_use() { Ok(()) } else { Err(CreditAccountError::CurrencyNotInUse(currency)) }
}

fn account_of(event: &CreditAccountEvent) -> (OrganizationId, Currency) {
    match event {
        CreditAccountEvent::Purchased { organization_id, currency, .. }
        | CreditAccountEvent::Granted { organization_id, currency, .. }
        | CreditAccountEvent::Refunded { organization_id, currency, .. }
        | CreditAccountEvent::TransferredOut { organization_id, currency, .. }
        | CreditAccountEvent::TransferredIn { organization_id, currency, .. }
        | CreditAccountEvent::Expired { organization_id, currency, .. }
        | CreditAccountEvent::PolicyChanged { organization_id, currency, .. }
        | CreditAccountEvent::Exhausted { organization_id, currency, .. }
        | CreditAccountEvent::Restored { organization_id, currency, .. } => {
            (*organization_id, *currency)
        }
    }
}
