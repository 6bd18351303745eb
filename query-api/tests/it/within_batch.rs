//! Money at every position within a batch: what the records up to there come to, by a fold of our own.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use event_log::clock::now;
use event_log::usage::{Fate, NewUsage};
use event_schemas::{
    Amount, ApiKeyId, BudgetPeriod, BudgetScope, CreditAccountEvent, Currency, LotId, MemberId,
    OrganizationId, ProjectId,
};
use serde_json::{Value, json};

use crate::budget_history::reprice;
use crate::budgets::{ACME, acme, set};
use crate::cost_history::Dice;
use crate::costs::{priced, record};
use crate::support::{World, id, path};

const CENT: i64 = 10_000_000_000;
const SEARCH: u128 = 101;

/// Something that happened, in the order of the log.
enum Step {
    Lot {
        lot: u128,
        position: i64,
        expires_at: Option<DateTime<Utc>>,
        priority: u16,
        pico: i128,
    },
    /// Records with their positions.
    Batch(Vec<(i64, NewUsage)>),
    /// What records cost from then on, by position.
    Repriced {
        position: i64,
        recorded_at: DateTime<Utc>,
        pico: BTreeMap<i64, i64>,
    },
}

#[derive(Clone)]
struct Lot {
    number: u128,
    expires_at: Option<DateTime<Utc>>,
    order: (bool, Option<DateTime<Utc>>, u16, i64),
    remaining: i128,
    drawn: i128,
}

/// One account, record by record.
#[derive(Default)]
struct Fold {
    lots: Vec<Lot>,
    returned: i128,
    overdraft: i128,
    balance: i128,
    /// What each record costs.
    priced: BTreeMap<i64, (NewUsage, i64)>,
}

impl Fold {
    fn of(steps: &[Step], upto: i64) -> Self {
        let mut fold = Self::default();
        for step in steps {
            match step {
                Step::Lot { lot, position, expires_at, priority, pico } if *position <= upto => {
                    let settled = fold.overdraft.min(*pico);
                    fold.overdraft -= settled;
                    fold.balance += pico;
                    let order = (expires_at.is_none(), *expires_at, *priority, *position);
                    let (number, expires_at) = (*lot, *expires_at);
                    let (remaining, drawn) = (pico - settled, settled);
                    fold.lots.push(Lot { number, expires_at, order, remaining, drawn });
                    fold.lots.sort_by_key(|lot| lot.order);
                }
                Step::Batch(records) => {
                    let mut known: Vec<_> =
                        records.iter().filter(|(position, _)| *position <= upto).collect();
                    known.sort_by_key(|(_, usage)| usage.occurred_at);
                    for (position, usage) in known {
                        let pico = usage.price.expect("it is priced").cost_pico;
                        fold.draw(usage.occurred_at, pico.into());
                        fold.priced.insert(*position, (usage.clone(), pico));
                    }
                }
                Step::Repriced { position, recorded_at, pico } if *position <= upto => {
                    fold.reprice(*recorded_at, pico);
                }
                Step::Lot { .. } | Step::Repriced { .. } => {}
            }
        }
        fold
    }

    fn draw(&mut self, at: DateTime<Utc>, pico: i128) {
        self.balance -= pico;
        let returned = pico.min(self.returned);
        self.returned -= returned;
        let mut rest = pico - returned;
        for lot in self.lots.iter_mut().filter(|lot| lot.expires_at.is_none_or(|end| end > at)) {
            let taken = rest.min(lot.remaining);
            lot.remaining -= taken;
            lot.drawn += taken;
            rest -= taken;
        }
        self.overdraft += rest;
    }

    fn reprice(&mut self, at: DateTime<Utc>, after: &BTreeMap<i64, i64>) {
        let (mut back, mut more) = (0, Vec::new());
        for (position, after) in after {
            let (usage, before) = self.priced.get_mut(position).expect("it was recorded");
            let change = i128::from(*after) - i128::from(*before);
            *before = *after;
            if change < 0 {
                back -= change;
            } else {
                more.push((usage.occurred_at, change));
            }
        }
        self.balance += back;
        let owed = back.min(self.overdraft);
        self.overdraft -= owed;
        let mut rest = back - owed;
        for lot in self.lots.iter_mut().rev() {
            if lot.expires_at.is_none_or(|end| end > at) {
                let taken = rest.min(lot.drawn);
                lot.drawn -= taken;
                lot.remaining += taken;
                rest -= taken;
            }
        }
        self.returned += rest;
        more.sort_unstable();
        for (used_at, change) in more {
            self.draw(used_at, change);
        }
    }

    /// What records cost of which that is true.
    fn cost(&self, counts: impl Fn(&NewUsage) -> bool) -> Value {
        let of = self.priced.values().filter(|(usage, _)| counts(usage));
        amount(of.map(|(_, pico)| i128::from(*pico)).sum())
    }

    fn lots(&self) -> Value {
        let mut lots: Vec<_> = self.lots.iter().collect();
        lots.sort_by_key(|lot| lot.order.3);
        let lot = |lot: &Lot| (id(lot.number), amount(lot.remaining), amount(lot.drawn));
        lots.into_iter().map(lot).map(|(lot, left, drawn)| json!([lot, left, drawn])).collect()
    }
}

fn amount(pico: i128) -> Value {
    json!(Amount::from_pico(pico))
}

async fn grant(world: &World, dice: &mut Dice, lot: u128) -> Step {
    let pico = i128::from(dice.small(2_000) + 1) * i128::from(CENT);
    let expires_at = (!dice.one_in(5)).then(|| now() - TimeDelta::hours(12 * dice.small(8)));
    let priority = dice.pick(&[1, 100]);
    let event = CreditAccountEvent::Granted {
        organization_id: OrganizationId(id(ACME)),
        lot_id: LotId(id(lot)),
        amount: Amount::from_pico(pico),
        currency: Currency::USD,
        expires_at,
        priority,
        reason: None,
    };
    let position = world.append(ACME, 900, "2026-01-01T00:00:00Z", event).await;
    Step::Lot { lot, position, expires_at, priority, pico }
}

/// A batch of two to nine records of the last four days, of all that a budget can be on.
async fn batch(world: &World, dice: &mut Dice, number: &mut i64) -> Step {
    let mut records = Vec::new();
    for _ in 0..2 + dice.below(8) {
        *number += 1;
        let price = priced(dice.small(200) * CENT, "USD");
        records.push(NewUsage {
            occurred_at: now() - TimeDelta::seconds(dice.small(4 * 86_400)),
            project_id: ProjectId(id(dice.pick(&[10, 11]))),
            api_key_id: dice.one_in(2).then(|| ApiKeyId(id(20))),
            member_id: dice.one_in(2).then(|| MemberId(id(30))),
            feature: dice.pick(&["search", "chat"]).to_owned(),
            ..record(*number, "2026-01-01T00:00:00Z", Some(price))
        });
    }
    let written = world.usage(ACME, records.clone()).await;
    let position = |fate: &Fate| match fate {
        Fate::Recorded { position } => *position,
        other => panic!("{other:?}"),
    };
    Step::Batch(written.fates.iter().map(position).zip(records).collect())
}

async fn corrected(world: &World, dice: &mut Dice) -> Step {
    let mut pico = BTreeMap::new();
    let position = reprice(world, |position| {
        // Mostly less than before: what was drawn goes back to lots, or to none that is open.
        let cents = dice.one_in(3).then(|| dice.small(40));
        pico.extend(cents.map(|cents| (position, cents * CENT)));
        cents
    })
    .await;
    let recorded_at = sqlx::query_scalar("select recorded_at from log.head");
    let recorded_at = recorded_at.fetch_one(&world.owner).await.expect("a head");
    Step::Repriced { position, recorded_at, pico }
}

async fn a_history(world: &World, dice: &mut Dice) -> Vec<Step> {
    world.project(ACME, 11, "2026-01-01T00:00:00Z", "Dev").await;
    let scopes = [
        BudgetScope::Organization {},
        BudgetScope::Feature { feature: "search".to_owned() },
        BudgetScope::Project { project_id: ProjectId(id(11)) },
        BudgetScope::ApiKey { api_key_id: ApiKeyId(id(20)) },
        BudgetScope::Member { member_id: MemberId(id(30)) },
    ];
    let (mut steps, mut number) = (Vec::new(), 0);
    for step in 0..24 {
        // The last budgets are set when something has been used already.
        if let Some(scope) = (step % 4 == 0).then(|| scopes.get(step / 4)).flatten() {
            let budget = 100 + u128::try_from(step / 4).expect("small");
            let set = set(budget, scope.clone(), BudgetPeriod::Total);
            world.append(ACME, budget, &now().to_rfc3339(), set).await;
        }
        steps.push(match dice.below(8) {
            0..3 => grant(world, dice, 1_000 + u128::try_from(step).expect("small")).await,
            3 if number > 0 => corrected(world, dice).await,
            _ => batch(world, dice, &mut number).await,
        });
    }
    world.project_all().await;
    steps
}

fn counts(budget: u128, usage: &NewUsage) -> bool {
    match budget {
        100 => true,
        SEARCH => usage.feature == "search",
        102 => usage.project_id == ProjectId(id(11)),
        103 => usage.api_key_id.is_some(),
        104 => usage.member_id.is_some(),
        other => panic!("there is no budget {other}"),
    }
}

/// The one in dollars, or nothing.
fn of_dollars(list: &Value, field: &str) -> Value {
    let all = list.as_array().expect("a list");
    let dollars = all.iter().find(|one| one["currency"] == "USD");
    dollars.map_or_else(|| amount(0), |one| one[field].clone())
}

async fn check(world: &World, fold: &Fold, of: &str) {
    let ask = async |what: &str| world.found(&path(ACME, &format!("/{what}"))).await.json();
    let consumed = fold.cost(|_| true);
    let balance = ask(&format!("balance?{of}")).await;
    assert_eq!(of_dollars(&balance["balances"], "balance"), amount(fold.balance), "{of}");
    assert_eq!(of_dollars(&balance["balances"], "consumed"), consumed, "{of}");
    let middle = (now() - TimeDelta::days(2)).format("%Y-%m-%d");
    for from in [String::new(), format!("&from={middle}")] {
        let statement = ask(&format!("statement?{of}{from}")).await;
        let closing = of_dollars(&statement["statements"], "closing");
        assert_eq!(closing, amount(fold.balance), "{of}{from}: {statement}");
    }
    let lots = ask(&format!("credit-lots?{of}")).await;
    let lots = lots["items"].as_array().expect("a list").iter();
    let lots: Value =
        lots.map(|lot| json!([lot["lot_id"], lot["remaining"], lot["drawn"]])).collect();
    assert_eq!(lots, fold.lots(), "{of}");
    let budgets = ask(&format!("budgets?{of}")).await;
    for budget in budgets["items"].as_array().expect("a list") {
        let number: uuid::Uuid =
            serde_json::from_value(budget["budget_id"].clone()).expect("an id");
        let spent = fold.cost(|usage| counts(number.as_u128(), usage));
        assert_eq!(budget["current"]["spent"], spent, "{of}: {budget}");
    }
    let diff = ask(&format!("diff?{of}")).await;
    assert_eq!(of_dollars(&diff["money"], "after"), amount(fold.balance), "{of}: {diff}");
    let why = ask(&format!("why?currency=USD&{of}")).await;
    let used = format!("{} USD were used", consumed.as_str().expect("text"));
    assert!(why.to_string().contains(&used), "{of}: {used}: {why}");
}

#[tokio::test]
async fn money_within_a_batch_is_what_the_records_up_to_there_come_to() {
    let (mut within, mut returned, mut ended) = (0, 0, 0);
    for seed in 1..4 {
        let world = acme().await;
        let steps = a_history(&world, &mut Dice(seed)).await;
        for step in &steps {
            let Step::Batch(records) = step else { continue };
            let positions = records.iter().map(|(position, _)| *position);
            let (first, last) = (positions.clone().min(), positions.max());
            let (first, last) = (first.expect("one"), last.expect("one"));
            for position in first - 1..=last {
                let fold = Fold::of(&steps, position);
                check(&world, &fold, &format!("at_position={position}")).await;
                within += i32::from(position >= first && position < last);
                returned += i32::from(fold.returned > 0 && position >= first);
                ended += i32::from(
                    fold.lots
                        .iter()
                        .any(|lot| lot.remaining > 0 && lot.drawn > 0 && lot.expires_at.is_some()),
                );
            }
        }
    }
    // What makes it hard was there.
    assert!(within > 90 && returned > 3 && ended > 30, "{within} {returned} {ended}");
}

#[tokio::test]
async fn records_that_are_not_here_are_never_left_out() {
    let world = acme().await;
    let total = set(100, BudgetScope::Organization {}, BudgetPeriod::Total);
    world.append(ACME, 100, "2026-01-01T00:00:00Z", total).await;
    let one = |number, at| record(number, at, Some(priced(CENT, "USD")));
    let records = vec![
        one(1, "2026-03-30T00:00:00Z"),
        one(2, "2026-03-31T00:00:00Z"),
        one(3, "2026-04-01T00:00:00Z"),
    ];
    world.usage(ACME, records).await;
    let last = world.project_all().await;
    let detach = "alter table log.usage_records detach partition log.usage_records_2026_03";
    sqlx::query(detach).execute(&world.owner).await.expect("it is detached");
    let what = ["balance", "statement", "budgets", "diff", "why?currency=USD", "credit-lots"];
    let at = |what: &str, position: i64| {
        let sign = if what.contains('?') { '&' } else { '?' };
        path(ACME, &format!("/{what}{sign}at_position={position}"))
    };
    for what in what {
        let asked = at(what, last - 2);
        world.get(&asked).await.assert_problem(409, "usage-archived", &asked);
        let asked = at(what, last);
        assert_eq!(world.get(&asked).await.status, 200, "{asked}");
    }
    // Of the balance only what came after the position is looked at: that is still here.
    let found = world.found(&at("balance", last - 1)).await;
    assert_eq!(found.at("/balances/0/balance"), amount(i128::from(-2 * CENT)));
    // Where the read models stand alone, a batch counts from its first record on.
    sqlx::query("alter schema log rename to elsewhere").execute(&world.owner).await.expect("gone");
    let found = world.found(&at("balance", last - 2)).await;
    assert_eq!(found.at("/balances/0/balance"), amount(i128::from(-3 * CENT)));
}
