//! What budgets come to record by record and correction by correction, in whole pico-units, by the
//! rules as a person would apply them. Time zones are a number of hours off, so that no table of zones is needed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _, Duration, NaiveDate, Utc};
use event_schemas::{Amount, BudgetEvent, BudgetPeriod, BudgetScope, Currency};
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use super::House;

/// A record: of which things, when, in which currency, at what cost. What is taken away when it is
/// priced again has that cost below zero.
#[derive(Debug, Clone)]
struct Used {
    organization_id: Uuid,
    project_id: Uuid,
    api_key_id: Option<Uuid>,
    member_id: Option<Uuid>,
    feature: String,
    at: DateTime<Utc>,
    currency: String,
    cost: i128,
}

/// What is counted for a budget.
struct Counting {
    organization_id: Uuid,
    scope: BudgetScope,
    currency: Currency,
    period: BudgetPeriod,
    hours: i64,
    first: NaiveDate,
    /// By the period from which they hold: the amount, and shares of it.
    terms: BTreeMap<NaiveDate, (i128, Vec<u16>)>,
    spent: BTreeMap<NaiveDate, i128>,
}

/// A budget, its period, its amount, and the share that was reached.
type Mark = (Uuid, NaiveDate, i128, Option<i32>);

/// All budgets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct NaiveBudgets {
    /// By budget and period.
    pub(crate) spent: BTreeMap<(Uuid, NaiveDate), i128>,
    /// What had been spent, and the position of what came to it.
    pub(crate) crossings: BTreeMap<Mark, (i128, i64)>,
}

impl NaiveBudgets {
    /// What the log comes to.
    pub(crate) async fn of(house: &House) -> Self {
        let events: Vec<(i64, DateTime<Utc>, Json<BudgetEvent>)> = sqlx::query_as(
            "select position, occurred_at, jsonb_set(payload::jsonb, '{type}', to_jsonb(event_type))
             from log.events where aggregate_type = 'budget' order by position",
        )
        .fetch_all(&house.owner)
        .await
        .unwrap();
        let mut records = entries(house).await.into_iter().peekable();
        let mut counting: BTreeMap<Uuid, Counting> = BTreeMap::new();
        let (mut naive, mut used) = (Self::default(), Vec::new());
        for (position, at, Json(event)) in events {
            while let Some((of_record, together)) = records.next_if(|(p, _)| *p < position) {
                naive.count(&mut counting, of_record, &together);
                used.extend(together);
            }
            naive.event(&mut counting, &used, position, at, &event);
        }
        for (position, together) in records {
            naive.count(&mut counting, position, &together);
        }
        for (id, budget) in counting {
            naive.spent.extend(budget.spent.into_iter().map(|(day, spent)| ((id, day), spent)));
        }
        naive
    }

    /// What the read model has.
    pub(crate) async fn read(reader: &PgPool) -> Self {
        let spent: Vec<(Uuid, NaiveDate, String)> = sqlx::query_as(
            "select budget_id, period, spent::text from read.budget_periods
             where budget_id in (select budget_id from read.budgets where known_to is null
                                     and valid_to is null)",
        )
        .fetch_all(reader)
        .await
        .unwrap();
        let crossings: Vec<(Uuid, NaiveDate, String, Option<i32>, String, i64)> = sqlx::query_as(
            "select budget_id, period, amount::text, threshold, spent::text, position
             from read.budget_crossings",
        )
        .fetch_all(reader)
        .await
        .unwrap();
        let pico = |text: String| text.parse::<Amount>().unwrap().pico();
        Self {
            spent: spent.into_iter().map(|(id, day, spent)| ((id, day), pico(spent))).collect(),
            crossings: crossings
                .into_iter()
                .map(|(id, day, amount, share, spent, position)| {
                    ((id, day, pico(amount), share), (pico(spent), position))
                })
                .collect(),
        }
    }

    /// A record, or all that one event corrects.
    fn count(&mut self, counting: &mut BTreeMap<Uuid, Counting>, position: i64, used: &[Used]) {
        for (id, budget) in counting.iter_mut() {
            let mut changes: BTreeMap<NaiveDate, i128> = BTreeMap::new();
            for used in used.iter().filter(|used| used.cost != 0 && budget.counts(used)) {
                let day = budget.day(used.at);
                if day >= budget.first {
                    *changes.entry(day).or_default() += used.cost;
                }
            }
            for (day, change) in changes {
                let spent = budget.spent.entry(day).or_default();
                let before = *spent;
                *spent += change;
                self.look(*id, budget, &[day].into(), before, position);
            }
        }
    }

    /// Whatever of these periods has come to a share of the amount from what was spent before.
    fn look(
        &mut self,
        id: Uuid,
        budget: &Counting,
        days: &BTreeSet<NaiveDate>,
        before: i128,
        position: i64,
    ) {
        for day in days {
            let spent = budget.spent[day];
            let (_, (amount, shares)) = budget.terms.range(..=*day).next_back().unwrap();
            for share in shares.iter().map(|share| Some(i32::from(*share))).chain([None]) {
                let limit = amount * i128::from(share.unwrap_or(100));
                if before * 100 < limit && limit <= spent * 100 {
                    self.crossings.entry((id, *day, *amount, share)).or_insert((spent, position));
                }
            }
        }
    }

    fn event(
        &mut self,
        counting: &mut BTreeMap<Uuid, Counting>,
        used: &[Used],
        position: i64,
        at: DateTime<Utc>,
        event: &BudgetEvent,
    ) {
        match event {
            BudgetEvent::Set {
                budget_id,
                organization_id,
                scope,
                currency,
                period,
                amount,
                thresholds,
                time_zone,
                ..
            } => {
                let mut budget = Counting {
                    organization_id: organization_id.0,
                    scope: scope.clone(),
                    currency: *currency,
                    period: *period,
                    hours: hours(time_zone),
                    first: NaiveDate::MIN,
                    terms: BTreeMap::new(),
                    spent: BTreeMap::new(),
                };
                budget.first = budget.day(at);
                counting.insert(budget_id.0, budget);
                self.terms(counting, used, position, at, (budget_id.0, *amount, thresholds));
            }
            BudgetEvent::Changed { budget_id, amount, thresholds, time_zone, .. } => {
                if let Some(budget) = counting.get_mut(&budget_id.0) {
                    budget.hours = hours(time_zone);
                    self.terms(counting, used, position, at, (budget_id.0, *amount, thresholds));
                }
            }
            BudgetEvent::Removed { budget_id, .. } => {
                counting.remove(&budget_id.0);
            }
            BudgetEvent::ThresholdReached { .. } | BudgetEvent::Exhausted { .. } => {}
        }
    }

    fn terms(
        &mut self,
        counting: &mut BTreeMap<Uuid, Counting>,
        used: &[Used],
        position: i64,
        at: DateTime<Utc>,
        (id, amount, thresholds): (Uuid, Amount, &[u16]),
    ) {
        let budget = counting.get_mut(&id).unwrap();
        let from = budget.day(at).max(budget.first);
        budget.terms.insert(from, (amount.pico(), thresholds.to_vec()));
        budget.spent.clear();
        for used in used {
            let day = budget.day(used.at);
            if budget.counts(used) && day >= budget.first && used.cost != 0 {
                *budget.spent.entry(day).or_default() += used.cost;
            }
        }
        let days = budget.spent.range(from..).map(|(day, _)| *day).collect();
        let budget = &counting[&id];
        // Whatever it had come to of other terms, of these it comes from nothing.
        self.look(id, budget, &days, 0, position);
    }
}

impl Counting {
    fn counts(&self, used: &Used) -> bool {
        let is_it = match &self.scope {
            BudgetScope::Organization {} => true,
            BudgetScope::Project { project_id } => project_id.0 == used.project_id,
            BudgetScope::ApiKey { api_key_id } => Some(api_key_id.0) == used.api_key_id,
            BudgetScope::Member { member_id } => Some(member_id.0) == used.member_id,
            BudgetScope::Feature { feature } => *feature == used.feature,
        };
        is_it
            && self.organization_id == used.organization_id
            && self.currency.to_string() == used.currency
    }

    /// The day that the period of a time begins with.
    fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        let day = (at + Duration::hours(self.hours)).date_naive();
        match self.period {
            BudgetPeriod::Daily => day,
            BudgetPeriod::Weekly => {
                day - Duration::days(i64::from(day.weekday().num_days_from_monday()))
            }
            BudgetPeriod::Monthly => day.with_day(1).unwrap(),
            BudgetPeriod::Total => NaiveDate::from_ymd_opt(1, 1, 1).unwrap(),
        }
    }
}

/// How many hours a zone is ahead: the signs of these names are the other way round.
fn hours(zone: &str) -> i64 {
    zone.strip_prefix("Etc/GMT").map_or(0, |behind| -behind.parse::<i64>().unwrap())
}

/// What each position counts: a record, or what its event takes away and adds.
async fn entries(house: &House) -> BTreeMap<i64, Vec<Used>> {
    type Row = (i64, Uuid, Uuid, Option<Uuid>, Option<Uuid>, String, DateTime<Utc>, String, i64);
    let of_record = "r.organization_id, r.project_id, r.api_key_id, r.member_id, r.feature,
         r.occurred_at";
    let corrected = "log.usage_corrections c
         join log.usage_records r on r.batch_id = c.batch_id and r.ordinal = c.record_ordinal";
    let rows: Vec<Row> = sqlx::query_as(&format!(
        "select b.first_position + r.ordinal, {of_record}, r.currency, r.cost_pico
         from log.usage_records r join log.usage_batches b using (batch_id)
         where r.cost_pico is not null
         union all
         select c.position, {of_record}, c.currency_before, -c.cost_pico_before from {corrected}
         where c.cost_pico_before is not null
         union all
         select c.position, {of_record}, c.currency, c.cost_pico from {corrected}"
    ))
    .fetch_all(&house.owner)
    .await
    .unwrap();
    let mut entries: BTreeMap<i64, Vec<Used>> = BTreeMap::new();
    for row in rows {
        let (
            position,
            organization_id,
            project_id,
            api_key_id,
            member_id,
            feature,
            at,
            currency,
            cost,
        ) = row;
        let cost = i128::from(cost);
        entries.entry(position).or_default().push(Used {
            organization_id,
            project_id,
            api_key_id,
            member_id,
            feature,
            at,
            currency,
            cost,
        });
    }
    entries
}
