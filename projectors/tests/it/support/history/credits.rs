//! Credits in a story: of its organizations, and of those that usage is made up for.

use event_schemas::{
    Amount, CreditAccountEvent, CreditPolicy, Currency, LotId, OrganizationId, PRIORITY_DEFAULT,
};
use uuid::Uuid;

use super::super::usage::organizations;
use super::{Event, Story, minute};

/// The lots that there are, each with its account.
#[derive(Default)]
pub(super) struct Credits {
    lots: Vec<(OrganizationId, Currency, LotId)>,
}

impl Story {
    pub(super) fn credits(&mut self) -> Option<(Uuid, Event)> {
        let lot = self.random.pick(&self.credits.lots).filter(|_| self.random.one_in(2));
        let (organization_id, currency, event) = match lot {
            Some((organization_id, currency, lot_id)) => {
                (organization_id, currency, self.credits_leave(organization_id, currency, lot_id))
            }
            None => self.credits_come()?,
        };
        Some((organization_id.0, Event::Credits(currency, event)))
    }

    fn amount(&mut self) -> Amount {
        Amount::from_pico(i128::from(self.random.next()) * 20)
    }

    fn credits_come(&mut self) -> Option<(OrganizationId, Currency, CreditAccountEvent)> {
        let users = organizations();
        let among = if self.random.one_in(3) { &self.organizations } else { &users };
        let of = self.random.pick(among)?;
        let organization_id: OrganizationId = of.into();
        let currency = if self.random.one_in(3) { "EUR" } else { "USD" }.parse().unwrap();
        let lot_id: LotId = self.random.uuid().into();
        self.credits.lots.push((organization_id, currency, lot_id));
        let amount = self.amount();
        // Over long ago, in a long time, or never.
        let expires_at = match self.random.below(4) {
            0 => Some(minute(self.minutes)),
            1 => Some(minute(40_000_000)),
            _ => None,
        };
        let priority = if self.random.one_in(3) { 1 } else { PRIORITY_DEFAULT };
        let event = match self.random.below(5) {
            0 | 1 => CreditAccountEvent::Purchased {
                organization_id,
                lot_id,
                amount,
                currency,
                expires_at,
                priority,
                reference: Some(format!("invoice {}", self.minutes)),
            },
            2 | 3 => CreditAccountEvent::Granted {
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
                reason: Some("a half".to_owned()),
            },
        };
        Some((organization_id, currency, event))
    }

    fn credits_leave(
        &mut self,
        organization_id: OrganizationId,
        currency: Currency,
        lot_id: LotId,
    ) -> CreditAccountEvent {
        let amount = Amount::from_pico(self.amount().pico() / 7 + 1);
        let (left_before, known_at) = (amount, 1);
        match self.random.below(7) {
            0 | 1 => CreditAccountEvent::Refunded {
                organization_id,
                lot_id,
                amount,
                currency,
                left_before,
                known_at,
                reference: Some("credit note".to_owned()),
            },
            2 => CreditAccountEvent::TransferredOut {
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
            3 => CreditAccountEvent::Expired {
                organization_id,
                lot_id,
                currency,
                expires_at: minute(self.minutes),
            },
            4 => CreditAccountEvent::PolicyChanged {
                organization_id,
                currency,
                policy: self.random.pick(CreditPolicy::ALL).unwrap(),
            },
            crossed => {
                let (balance, crossed_at) = (Amount::ZERO, self.minutes);
                if crossed == 5 {
                    CreditAccountEvent::Exhausted { organization_id, currency, balance, crossed_at }
                } else {
                    CreditAccountEvent::Restored { organization_id, currency, balance, crossed_at }
                }
            }
        }
    }
}
