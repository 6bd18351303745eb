//! Budgets: what is spent of each, and what it came to, by another way.

use chrono::{DateTime, Utc};
use event_log::usage::{NewUsage, Price};
use event_log::{Append, NewEvent};
use event_schemas::{
    Actor, Amount, BudgetAction, BudgetEvent, BudgetKeeper, BudgetPeriod, BudgetScope, Currency,
    OrganizationId,
};
use projectors::{catch_up, named, rebuild};
use uuid::Uuid;

use crate::support::budgets::NaiveBudgets;
use crate::support::history::minute;
use crate::support::random::Random;
use crate::support::repricing::reprice;
use crate::support::usage::{Usage, organizations};
use crate::support::{House, metadata};

/// Sets, changes and removes budgets, uses what they are on, and prices that again.
struct Spending {
    random: Random,
    usage: Usage,
    projects: [Uuid; 2],
    budgets: Vec<(Uuid, OrganizationId)>,
}

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Appends an event of a budget.
pub(crate) async fn tell(
    house: &House,
    at: DateTime<Utc>,
    budget_id: Uuid,
    of: OrganizationId,
    event: &BudgetEvent,
) {
    let metadata = metadata(&Actor::operator("test"));
    let event = NewEvent::new(event, budget_id.to_string().into(), Some(of), metadata, at).unwrap();
    house.log.append(Append { events: vec![event], ..Append::default() }).await.unwrap();
}

impl Spending {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let projects = [random.uuid(), random.uuid()];
        Self { random, usage: Usage::new(seed), projects, budgets: vec![] }
    }

    async fn go_on(&mut self, house: &House) {
        match self.random.below(12) {
            0 | 1 => self.set(house).await,
            2 => self.change(house).await,
            10 | 11 => {
                let of = self.random.pick(&organizations()[..2]).unwrap().into();
                reprice(house, &mut self.random, of, 14).await;
            }
            3 if self.random.one_in(3) => self.remove(house).await,
            _ => self.use_some(house).await,
        }
    }

    /// Within the same four months as what is used; budgets within the first of them.
    fn at(&mut self, days: usize) -> DateTime<Utc> {
        minute(i64::try_from(self.random.below(days * 24 * 60)).unwrap())
    }

    fn zone(&mut self) -> String {
        self.random.pick(&["UTC", "Etc/GMT-5", "Etc/GMT+9"]).unwrap().to_owned()
    }

    fn thresholds(&mut self) -> Vec<u16> {
        [10, 33, 80, 100, 250].into_iter().filter(|_| self.random.one_in(2)).collect()
    }

    fn amount(&mut self) -> Amount {
        Amount::from_pico(i128::try_from(1 + self.random.below(200)).unwrap())
    }

    async fn set(&mut self, house: &House) {
        let of: OrganizationId = self.random.pick(&organizations()[..2]).unwrap().into();
        let budget_id = self.random.uuid();
        let key = self.random.pick(&self.projects).unwrap();
        let scope = match self.random.below(5) {
            0 => BudgetScope::Organization {},
            1 => BudgetScope::Project { project_id: key.into() },
            2 => BudgetScope::ApiKey { api_key_id: key.into() },
            3 => BudgetScope::Member { member_id: key.into() },
            _ => BudgetScope::Feature { feature: "chat".to_owned() },
        };
        self.budgets.push((budget_id, of));
        let event = BudgetEvent::Set {
            budget_id: budget_id.into(),
            organization_id: of,
            scope,
            project_id: None,
            keeper: BudgetKeeper::Organization,
            name: "a budget".to_owned(),
            currency: currency(if self.random.one_in(4) { "EUR" } else { "USD" }),
            period: self.random.pick(BudgetPeriod::ALL).unwrap(),
            amount: self.amount(),
            thresholds: self.thresholds(),
            action: BudgetAction::Alert,
            time_zone: self.zone(),
        };
        let at = self.at(30);
        tell(house, at, budget_id, of, &event).await;
    }

    async fn change(&mut self, house: &House) {
        let Some((budget_id, of)) = self.random.pick(&self.budgets) else { return };
        let event = BudgetEvent::Changed {
            budget_id: budget_id.into(),
            organization_id: of,
            name: "another name".to_owned(),
            amount: self.amount(),
            thresholds: self.thresholds(),
            action: BudgetAction::Block,
            time_zone: self.zone(),
        };
        let at = self.at(120);
        tell(house, at, budget_id, of, &event).await;
    }

    async fn remove(&mut self, house: &House) {
        let Some((budget_id, of)) = self.random.pick(&self.budgets) else { return };
        self.budgets.retain(|(other, _)| *other != budget_id);
        let event = BudgetEvent::Removed { budget_id: budget_id.into(), organization_id: of };
        // Later than all that was said of it.
        tell(house, minute(200 * 24 * 60), budget_id, of, &event).await;
    }

    fn record(&mut self) -> NewUsage {
        let cost = i64::try_from(self.random.below(12)).unwrap();
        let currency = currency(if self.random.one_in(4) { "EUR" } else { "USD" });
        let is_priced = !self.random.one_in(8);
        let key = self.random.pick(&self.projects).unwrap();
        NewUsage {
            project_id: self.random.pick(&self.projects).unwrap().into(),
            api_key_id: self.random.one_in(2).then(|| key.into()),
            member_id: self.random.one_in(2).then(|| key.into()),
            occurred_at: self.at(120),
            ..self.usage.at_cost(is_priced.then_some((cost, currency)))
        }
    }

    async fn use_some(&mut self, house: &House) {
        let of = self.random.pick(&organizations()[..2]).unwrap().into();
        let records: Vec<_> = (0..=self.random.below(9)).map(|_| self.record()).collect();
        house.use_up(of, &records).await;
    }
}

/// Histories of few budgets in which everything comes close together, records come late, and are priced
/// again.
#[tokio::test]
async fn budgets_are_what_single_records_come_to_however_they_arrive() {
    let budgets = [named("budgets").unwrap()];
    let (mut crossings, mut periods, mut by_corrections) = (0, 0, 0);
    for seed in 80..86 {
        let house = House::new().await;
        let mut spending = Spending::new(seed);
        for _ in 0..80 {
            spending.go_on(&house).await;
            if seed % 2 == 0 {
                let head = house.head().await;
                catch_up(&house.read, &house.feed(), &budgets, head).await.unwrap();
            }
        }
        let head = house.head().await;
        catch_up(&house.read, &house.feed(), &budgets, head).await.unwrap();
        let expected = NaiveBudgets::of(&house).await;
        assert_eq!(NaiveBudgets::read(&house.reader).await, expected, "seed {seed}");
        crossings += expected.crossings.len();
        periods += expected.spent.len();
        by_corrections += crossed_by_corrections(&house).await;
        for events in [1, 3] {
            // Nothing but what agrees goes into service.
            let feed = house.feed_in_pages_of(events);
            rebuild(&house.read, &feed, &budgets[0], &mut |_| {}).await.unwrap();
            let rebuilt = NaiveBudgets::read(&house.reader).await;
            assert_eq!(rebuilt, expected, "seed {seed} in pages of {events}");
        }
    }
    assert!(crossings > 100 && periods > 200, "{crossings} {periods}");
    assert!(by_corrections > 10, "{by_corrections}");
}

/// How many thresholds were reached by what was priced again.
async fn crossed_by_corrections(house: &House) -> usize {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from read.budget_crossings c
         join log.events e using (position) where e.event_type = 'usage.repriced'",
    )
    .fetch_one(&house.owner)
    .await
    .unwrap();
    usize::try_from(count).unwrap()
}

/// A budget on all of an organization.
pub(crate) fn set(
    budget_id: Uuid,
    of: OrganizationId,
    period: BudgetPeriod,
    pico: i128,
) -> BudgetEvent {
    BudgetEvent::Set {
        budget_id: budget_id.into(),
        organization_id: of,
        scope: BudgetScope::Organization {},
        project_id: None,
        keeper: BudgetKeeper::Organization,
        name: "a budget".to_owned(),
        currency: Currency::USD,
        period,
        amount: Amount::from_pico(pico),
        thresholds: vec![50],
        action: BudgetAction::Block,
        time_zone: "Europe/Berlin".to_owned(),
    }
}

/// On 29 March 2026 the clocks of Berlin go from two to three, on 25 October from three to two: days
/// of 23 and of 25 hours.
#[tokio::test]
async fn days_are_as_long_as_the_clocks_say() {
    type Reached = (Uuid, Option<DateTime<Utc>>, Option<DateTime<Utc>>, Option<i32>);
    let house = House::new().await;
    let of: OrganizationId = organizations()[0].into();
    let (daily, monthly) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let begin = time("2026-03-01T00:00:00Z");
    tell(&house, begin, daily, of, &set(daily, of, BudgetPeriod::Daily, 4)).await;
    tell(&house, begin, monthly, of, &set(monthly, of, BudgetPeriod::Monthly, 4)).await;
    let mut usage = Usage::new(1);
    // The last and the first quarter of an hour of each of the two days, and of the month between.
    let times = [
        "2026-03-28T22:59:59.999999Z",
        "2026-03-28T23:00:00Z",
        "2026-03-29T21:59:59.999999Z",
        "2026-03-29T22:00:00Z",
        "2026-03-31T21:59:59Z",
        "2026-03-31T22:00:00Z",
        "2026-10-24T21:59:59Z",
        "2026-10-24T22:00:00Z",
        "2026-10-25T22:59:59Z",
        "2026-10-25T23:00:00Z",
    ];
    for at in times {
        let price = Some(Price { version: 1, cost_pico: 1, currency: Currency::USD });
        let record = NewUsage { occurred_at: time(at), price, ..usage.at_cost(None) };
        house.use_up(of, &[record]).await;
    }
    house.catch_up().await;
    let spent: Vec<(Uuid, String, i64)> = sqlx::query_as(
        "select budget_id, period::text, (spent * 1000000000000)::bigint from read.budget_periods
         order by 1, 2",
    )
    .fetch_all(&house.reader)
    .await
    .unwrap();
    let expected = [
        (daily, "2026-03-28", 1),
        (daily, "2026-03-29", 2),
        (daily, "2026-03-30", 1),
        (daily, "2026-03-31", 1),
        (daily, "2026-04-01", 1),
        (daily, "2026-10-24", 1),
        (daily, "2026-10-25", 2),
        (daily, "2026-10-26", 1),
        (monthly, "2026-03-01", 5),
        (monthly, "2026-04-01", 1),
        (monthly, "2026-10-01", 4),
    ];
    assert_eq!(spent, expected.map(|(id, day, spent)| (id, day.to_owned(), spent)));
    let reached: Vec<Reached> = sqlx::query_as(
        "select budget_id, starts_at, ends_at, threshold from read.budget_crossings
             where period in ('2026-03-29', '2026-10-25', '2026-10-01') order by 1, 2, 4",
    )
    .fetch_all(&house.reader)
    .await
    .unwrap();
    let at = |text: &str| Some(time(text));
    let expected = [
        (daily, at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z"), Some(50)),
        (daily, at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z"), Some(50)),
        (monthly, at("2026-09-30T22:00:00Z"), at("2026-10-31T23:00:00Z"), Some(50)),
        (monthly, at("2026-09-30T22:00:00Z"), at("2026-10-31T23:00:00Z"), None),
    ];
    assert_eq!(reached, expected);
}

#[tokio::test]
async fn what_is_on_record_is_not_looked_for_again_nor_what_was_removed() {
    let house = House::new().await;
    let of: OrganizationId = organizations()[0].into();
    let [one, two] = [Uuid::from_u128(1), Uuid::from_u128(2)];
    let begin = time("2026-03-01T00:00:00Z");
    for id in [one, two] {
        tell(&house, begin, id, of, &set(id, of, BudgetPeriod::Total, 4)).await;
    }
    let mut usage = Usage::new(1);
    let records: Vec<_> = (0..5).map(|_| usage.at_cost(Some((1, Currency::USD)))).collect();
    house.use_up(of, &records).await;
    house.catch_up().await;
    let unrecorded = async || -> Vec<(Uuid, Option<i32>, i64)> {
        sqlx::query_as(
            "select budget_id, threshold, position from read.budget_crossings
             where recorded_at_position is null order by 1, 3",
        )
        .fetch_all(&house.reader)
        .await
        .unwrap()
    };
    let all = [(one, Some(50), 4), (one, None, 6), (two, Some(50), 4), (two, None, 6)];
    assert_eq!(unrecorded().await, all);
    let reached = BudgetEvent::ThresholdReached {
        budget_id: one.into(),
        organization_id: of,
        name: "a budget".to_owned(),
        scope: BudgetScope::Organization {},
        period: None,
        period_start: None,
        period_end: None,
        currency: Currency::USD,
        amount: Amount::from_pico(4),
        threshold: 50,
        spent: Amount::from_pico(2),
        crossed_at: 4,
    };
    tell(&house, begin, one, of, &reached).await;
    house.catch_up().await;
    assert_eq!(unrecorded().await, all[1..]);
    let removed = BudgetEvent::Removed { budget_id: two.into(), organization_id: of };
    tell(&house, begin, two, of, &removed).await;
    house.use_up(of, &[usage.at_cost(Some((1, Currency::USD)))]).await;
    house.catch_up().await;
    assert_eq!(unrecorded().await, all[1..2]);
}
