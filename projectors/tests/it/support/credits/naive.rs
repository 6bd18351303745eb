//! What credits come to record by record, in whole pico-units, by the rules as a person would apply
//! them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use event_schemas::{Amount, CreditAccountEvent, Currency, OrganizationId};
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use super::super::House;

/// A lot in whole pico-units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NaiveLot {
    pub(crate) remaining: i128,
    pub(crate) drawn: i128,
    pub(crate) refunded: i128,
    pub(crate) transferred_out: i128,
    pub(crate) expired: i128,
    of: String,
    order: (bool, Option<DateTime<Utc>>, u16, i64),
}

/// An account in whole pico-units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NaiveBalance {
    pub(crate) consumed: i128,
    pub(crate) overdraft: i128,
    pub(crate) returned: i128,
    pub(crate) balance: i128,
    pub(crate) exhausted: bool,
}

/// What happened at a position.
enum What {
    Event(CreditAccountEvent),
    Used(String, i128),
    Corrected(Vec<Corrected>),
}

/// A record that costs something else: what it did in which account, and does.
struct Corrected {
    used_at: DateTime<Utc>,
    before: Option<(String, i128)>,
    after: (String, i128),
}

type CorrectedRow = (i64, DateTime<Utc>, DateTime<Utc>, Option<String>, Option<i64>, String, i64);

type LotRow = (Uuid, String, Option<DateTime<Utc>>, i32, i64, Vec<String>);

/// All accounts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Naive {
    pub(crate) balances: BTreeMap<String, NaiveBalance>,
    pub(crate) lots: BTreeMap<Uuid, NaiveLot>,
    /// By account and position: whether it ran out, and the balance then.
    pub(crate) crossings: BTreeMap<(String, i64), (bool, i128)>,
}

impl Naive {
    /// What the log comes to.
    pub(crate) async fn of(house: &House) -> Self {
        let events: Vec<(i64, DateTime<Utc>, Json<CreditAccountEvent>)> = sqlx::query_as(
            "select position, occurred_at, jsonb_set(payload::jsonb, '{type}', to_jsonb(event_type))
             from log.events where aggregate_type = 'credit_account'",
        )
        .fetch_all(&house.owner)
        .await
        .unwrap();
        let records: Vec<(i64, DateTime<Utc>, String, i64)> = sqlx::query_as(
            "select b.first_position + r.ordinal, r.occurred_at,
                 r.organization_id || ' ' || r.currency, r.cost_pico
             from log.usage_records r join log.usage_batches b using (batch_id)
             where r.cost_pico is not null",
        )
        .fetch_all(&house.owner)
        .await
        .unwrap();
        let mut all: BTreeMap<i64, (DateTime<Utc>, What)> = BTreeMap::new();
        all.extend(events.into_iter().map(|(p, at, Json(event))| (p, (at, What::Event(event)))));
        all.extend(
            records.into_iter().map(|(p, at, of, cost)| (p, (at, What::Used(of, cost.into())))),
        );
        for (position, at, corrected) in corrections(house).await {
            let entry = all.entry(position).or_insert((at, What::Corrected(vec![])));
            let What::Corrected(of_event) = &mut entry.1 else { panic!("{position} is taken") };
            of_event.push(corrected);
        }
        let mut naive = Self::default();
        for (position, (at, what)) in all {
            let of = match what {
                What::Event(event) => naive.event(position, at, &event),
                What::Corrected(corrected) => {
                    for of in naive.correct(at, &corrected) {
                        naive.look(position, of);
                    }
                    continue;
                }
                What::Used(of, cost) => {
                    naive.balances.entry(of.clone()).or_default().consumed += cost;
                    naive.draw(&of, at, cost);
                    of
                }
            };
            naive.look(position, of);
        }
        naive
    }

    /// What cost too much goes back first, all of it; then what cost too little is drawn. Answers whose
    /// accounts that were.
    fn correct(&mut self, at: DateTime<Utc>, corrected: &[Corrected]) -> BTreeSet<String> {
        let mut changes: Vec<(&str, DateTime<Utc>, i128)> = vec![];
        for Corrected { used_at, before, after } in corrected {
            match before {
                Some(before) if before.0 == after.0 => {
                    changes.push((&after.0, *used_at, after.1 - before.1));
                }
                Some(before) => {
                    changes.push((&before.0, *used_at, -before.1));
                    changes.push((&after.0, *used_at, after.1));
                }
                None => changes.push((&after.0, *used_at, after.1)),
            }
        }
        for (of, _, change) in &changes {
            self.balances.entry((*of).to_owned()).or_default().consumed += change;
            for _ in 0..(-change).max(0) {
                self.give_back(of, at);
            }
        }
        for (of, used_at, change) in &changes {
            self.draw(of, *used_at, (*change).max(0));
        }
        changes.into_iter().map(|(of, ..)| of.to_owned()).collect()
    }

    fn give_back(&mut self, of: &str, at: DateTime<Utc>) {
        let account = self.balances.entry(of.to_owned()).or_default();
        if account.overdraft > 0 {
            account.overdraft -= 1;
            return;
        }
        let drawn = self.lots.values_mut().filter(|lot| {
            let has_ended = lot.expired > 0 || lot.order.1.is_some_and(|end| end <= at);
            lot.of == of && lot.drawn > 0 && !has_ended
        });
        match drawn.max_by_key(|lot| lot.order) {
            Some(lot) => {
                lot.drawn -= 1;
                lot.remaining += 1;
            }
            None => account.returned += 1,
        }
    }

    fn draw(&mut self, of: &str, at: DateTime<Utc>, amount: i128) {
        for _ in 0..amount {
            let account = self.balances.entry(of.to_owned()).or_default();
            if account.returned > 0 {
                account.returned -= 1;
                continue;
            }
            let open = self.lots.values_mut().filter(|lot| {
                lot.of == of && lot.remaining > 0 && lot.order.1.is_none_or(|end| end > at)
            });
            match open.min_by_key(|lot| lot.order) {
                Some(lot) => {
                    lot.remaining -= 1;
                    lot.drawn += 1;
                }
                None => self.balances.entry(of.to_owned()).or_default().overdraft += 1,
            }
        }
    }

    fn event(&mut self, position: i64, at: DateTime<Utc>, event: &CreditAccountEvent) -> String {
        let account = |id: &OrganizationId, currency: &Currency| format!("{id} {currency}");
        let of = match event {
            CreditAccountEvent::Purchased { organization_id, currency, .. }
            | CreditAccountEvent::Granted { organization_id, currency, .. }
            | CreditAccountEvent::TransferredIn { organization_id, currency, .. }
            | CreditAccountEvent::Refunded { organization_id, currency, .. }
            | CreditAccountEvent::TransferredOut { organization_id, currency, .. }
            | CreditAccountEvent::Expired { organization_id, currency, .. } => {
                account(organization_id, currency)
            }
            other => panic!("{other:?} is not made up"),
        };
        self.balances.entry(of.clone()).or_default();
        match event {
            CreditAccountEvent::Purchased { lot_id, amount, expires_at, priority, .. }
            | CreditAccountEvent::Granted { lot_id, amount, expires_at, priority, .. }
            | CreditAccountEvent::TransferredIn { lot_id, amount, expires_at, priority, .. } => {
                let lot = NaiveLot {
                    remaining: amount.pico(),
                    of: of.clone(),
                    order: (expires_at.is_none(), *expires_at, *priority, position),
                    ..NaiveLot::default()
                };
                self.lots.insert(lot_id.0, lot);
                let owed = std::mem::take(&mut self.balances.get_mut(&of).unwrap().overdraft);
                // Owed is what was used, whenever that was.
                let lot = self.lots.get_mut(&lot_id.0).unwrap();
                let settled = lot.remaining.min(owed);
                lot.remaining -= settled;
                lot.drawn += settled;
                self.balances.get_mut(&of).unwrap().overdraft = owed - settled;
            }
            CreditAccountEvent::Refunded { lot_id, amount, .. } => {
                let lot = self.lots.get_mut(&lot_id.0).unwrap();
                let taken = lot.remaining.min(amount.pico());
                lot.remaining -= taken;
                lot.refunded += taken;
                self.draw(&of, at, amount.pico() - taken);
            }
            CreditAccountEvent::TransferredOut { lot_id, amount, .. } => {
                let lot = self.lots.get_mut(&lot_id.0).unwrap();
                let taken = lot.remaining.min(amount.pico());
                lot.remaining -= taken;
                lot.transferred_out += taken;
                self.draw(&of, at, amount.pico() - taken);
            }
            CreditAccountEvent::Expired { lot_id, .. } => {
                let lot = self.lots.get_mut(&lot_id.0).unwrap();
                lot.expired += lot.remaining;
                lot.remaining = 0;
            }
            other => panic!("{other:?} is not made up"),
        }
        of
    }

    /// After each record and event: the balance, and whether it crossed.
    fn look(&mut self, position: i64, of: String) {
        let lots: i128 =
            self.lots.values().filter(|lot| lot.of == of).map(|lot| lot.remaining).sum();
        let account = self.balances.get_mut(&of).unwrap();
        let before = account.balance;
        account.balance = lots + account.returned - account.overdraft;
        let ran_out = before > 0 && account.balance <= 0 && !account.exhausted;
        let is_back = account.exhausted && account.balance > 0;
        if ran_out || is_back {
            account.exhausted = ran_out;
            self.crossings.insert((of, position), (ran_out, account.balance));
        }
    }

    /// What the tables say of the lots at a position.
    pub(crate) async fn lots_at(reader: &PgPool, position: i64) -> BTreeMap<Uuid, NaiveLot> {
        lots(reader, "s", position).await
    }

    /// What the tables say.
    pub(crate) async fn read(reader: &PgPool) -> Self {
        let mut read = Self::default();
        let balances: Vec<(String, String, String, String, String, bool)> = sqlx::query_as(
            "select organization_id || ' ' || currency, consumed::text, overdraft::text,
                 returned::text, balance::text, exhausted from read.balances",
        )
        .fetch_all(reader)
        .await
        .unwrap();
        for (of, consumed, overdraft, returned, balance, exhausted) in balances {
            let (consumed, overdraft) = (whole(&consumed), whole(&overdraft));
            let (returned, balance) = (whole(&returned), whole(&balance));
            let balance = NaiveBalance { consumed, overdraft, returned, balance, exhausted };
            read.balances.insert(of, balance);
        }
        read.lots = lots(reader, "l", i64::MAX).await;
        let crossings: Vec<(String, i64, bool, String)> = sqlx::query_as(
            "select organization_id || ' ' || currency, position, exhausted, balance::text
             from read.credit_crossings",
        )
        .fetch_all(reader)
        .await
        .unwrap();
        for (of, position, exhausted, balance) in crossings {
            read.crossings.insert((of, position), (exhausted, whole(&balance)));
        }
        read
    }
}

/// The lots that had come by a position. Their amounts are of `l`, as they are now, or of `s`, as they were
/// then.
async fn lots(reader: &PgPool, of: &str, position: i64) -> BTreeMap<Uuid, NaiveLot> {
    let amounts = ["remaining", "drawn", "refunded", "transferred_out", "expired"]
        .map(|column| format!("{of}.{column}"))
        .join(", ");
    let rows: Vec<LotRow> = sqlx::query_as(&format!(
        "select l.lot_id, l.organization_id || ' ' || l.currency, l.expires_at, l.priority,
             l.position, array[{amounts}]::text[]
         from read.credit_lots l
         join lateral (select * from read.credit_lot_states s
                       where s.lot_id = l.lot_id and s.position <= $1
                       order by s.position desc limit 1) s on true"
    ))
    .bind(position)
    .fetch_all(reader)
    .await
    .unwrap();
    let lot = |(lot, of, expires_at, priority, position, amounts): LotRow| {
        let amounts: Vec<i128> = amounts.iter().map(|amount| whole(amount)).collect();
        let order = (expires_at.is_none(), expires_at, u16::try_from(priority).unwrap(), position);
        let naive = NaiveLot {
            remaining: amounts[0],
            drawn: amounts[1],
            refunded: amounts[2],
            transferred_out: amounts[3],
            expired: amounts[4],
            of,
            order,
        };
        (lot, naive)
    };
    rows.into_iter().map(lot).collect()
}

fn whole(amount: &str) -> i128 {
    amount.parse::<Amount>().unwrap().pico()
}

/// Every correction, with its position and when it was recorded.
async fn corrections(house: &House) -> Vec<(i64, DateTime<Utc>, Corrected)> {
    let rows: Vec<CorrectedRow> = sqlx::query_as(
        "select position, recorded_at, occurred_at, organization_id || ' ' || currency_before,
             cost_pico_before, organization_id || ' ' || currency, cost_pico
         from log.usage_corrections order by position, ordinal",
    )
    .fetch_all(&house.owner)
    .await
    .unwrap();
    let corrected = |row: CorrectedRow| {
        let (position, recorded_at, used_at, of_before, before, of, after) = row;
        let before = of_before.zip(before).map(|(of, cost)| (of, i128::from(cost)));
        (position, recorded_at, Corrected { used_at, before, after: (of, after.into()) })
    };
    rows.into_iter().map(corrected).collect()
}
