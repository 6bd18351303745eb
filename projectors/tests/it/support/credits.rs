//! Credits bought, drawn and gone, in few accounts.

use chrono::{DateTime, Duration, Utc};
use event_log::{Append, NewEvent};
use event_schemas::{Actor, Amount, CreditAccountEvent, CreditAccountId, Currency, OrganizationId};
use uuid::Uuid;

use super::history::{beginning, minute};
use super::random::Random;
use super::repricing::reprice;
use super::usage::{Usage, organizations};
use super::{House, metadata};

mod naive;

pub(crate) use naive::Naive;

/// Makes things happen.
pub(crate) struct Dealings {
    random: Random,
    usage: Usage,
    lots: Vec<(OrganizationId, Currency, Uuid)>,
}

impl Dealings {
    pub(crate) fn new(seed: u64) -> Self {
        let usage = Usage::new(seed);
        Self { random: Random::new(seed), usage, lots: vec![] }
    }

    /// One more thing, now.
    pub(crate) async fn go_on(&mut self, house: &House) {
        if self.random.one_in(2) {
            return self.use_some(house).await;
        }
        if self.random.one_in(4) {
            let organization_id = self.random.pick(&organizations()[..2]).unwrap().into();
            return reprice(house, &mut self.random, organization_id, 30).await;
        }
        let lot = self.random.pick(&self.lots).filter(|_| self.random.one_in(2));
        let (organization_id, currency, event) = match lot {
            Some((of, currency, lot)) => (of, currency, self.leaves(of, currency, lot)),
            None => self.comes(),
        };
        let at = self.at();
        Self::enter_at(house, organization_id, currency, &event, at).await;
    }

    /// Some time of those in which usage is.
    fn at(&mut self) -> DateTime<Utc> {
        minute(i64::try_from(self.random.below(180 * 24 * 60)).unwrap())
    }

    /// Appends an event of an account.
    pub(crate) async fn enter(
        house: &House,
        organization_id: OrganizationId,
        currency: Currency,
        event: &CreditAccountEvent,
    ) {
        Self::enter_at(house, organization_id, currency, event, beginning()).await;
    }

    async fn enter_at(
        house: &House,
        organization_id: OrganizationId,
        currency: Currency,
        event: &CreditAccountEvent,
        at: DateTime<Utc>,
    ) {
        let id = CreditAccountId::of(organization_id, currency).to_string();
        let metadata = metadata(&Actor::operator("test"));
        let of = Some(organization_id);
        let event = NewEvent::new(event, id.into(), of, metadata, at).unwrap();
        house.log.append(Append { events: vec![event], ..Append::default() }).await.unwrap();
    }

    fn currency(&mut self) -> Currency {
        if self.random.one_in(4) { "EUR" } else { "USD" }.parse().unwrap()
    }

    async fn use_some(&mut self, house: &House) {
        let organization_id = self.random.pick(&organizations()[..2]).unwrap().into();
        let count = 1 + self.random.below(7);
        let records: Vec<_> = (0..count)
            .map(|_| {
                let cost = i64::try_from(self.random.below(30)).unwrap();
                let currency = self.currency();
                let is_priced = !self.random.one_in(8);
                self.usage.at_cost(is_priced.then_some((cost, currency)))
            })
            .collect();
        house.use_up(organization_id, &records).await;
    }

    fn comes(&mut self) -> (OrganizationId, Currency, CreditAccountEvent) {
        let organization_id: OrganizationId =
            self.random.pick(&organizations()[..2]).unwrap().into();
        let currency = self.currency();
        let lot = self.random.uuid();
        self.lots.push((organization_id, currency, lot));
        // Most end while something is used.
        let expires_at = match self.random.below(5) {
            0 => Some(beginning() - Duration::days(1)),
            // Few times, so that it often takes the priority to tell who comes first.
            1 => Some(minute(60 * 365 * 24 * 60 + i64::from(self.random.one_in(2)))),
            2..=3 => Some(minute(30 * 24 * 60 * i64::try_from(1 + self.random.below(4)).unwrap())),
            _ => None,
        };
        let (lot_id, amount) = (lot.into(), pico(1 + self.random.below(150)));
        let priority = u16::try_from(self.random.below(3)).unwrap();
        let event = match self.random.below(3) {
            0 => CreditAccountEvent::Purchased {
                organization_id,
                lot_id,
                amount,
                currency,
                expires_at,
                priority,
                reference: None,
            },
            1 => CreditAccountEvent::Granted {
                organization_id,
                lot_id,
                amount,
                currency,
                expires_at,
                priority,
                reason: None,
            },
            _ => CreditAccountEvent::TransferredIn {
                organization_id,
                lot_id,
                amount,
                currency,
                expires_at,
                priority,
                from_organization_id: self.random.uuid().into(),
                from_lot_id: self.random.uuid().into(),
                reason: None,
            },
        };
        (organization_id, currency, event)
    }

    /// More than is left, too: what was recorded since the decision has drawn it.
    fn leaves(
        &mut self,
        organization_id: OrganizationId,
        currency: Currency,
        lot: Uuid,
    ) -> CreditAccountEvent {
        let (lot_id, amount) = (lot.into(), pico(1 + self.random.below(40)));
        let (left_before, known_at) = (amount, 0);
        match self.random.below(4) {
            0 => CreditAccountEvent::Refunded {
                organization_id,
                lot_id,
                amount,
                currency,
                left_before,
                known_at,
                reference: None,
            },
            1 => CreditAccountEvent::TransferredOut {
                organization_id,
                lot_id,
                amount,
                currency,
                to_organization_id: self.random.uuid().into(),
                to_lot_id: self.random.uuid().into(),
                left_before,
                known_at,
                reason: None,
            },
            _ => CreditAccountEvent::Expired {
                organization_id,
                lot_id,
                currency,
                expires_at: beginning(),
            },
        }
    }
}

fn pico(units: usize) -> Amount {
    Amount::from_pico(i128::try_from(units).unwrap())
}
