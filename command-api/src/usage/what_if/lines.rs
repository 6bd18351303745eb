//! What records cost and would cost, summed up as they come.

use std::collections::BTreeMap;

use event_log::usage::{Price, price_of};
use event_schemas::{Amount, Currency, PriceStatus, RecordedUsage};

use super::parameters::By;
use super::{UsageWhatIf, WhatIfCost, WhatIfGroup, WhatIfRow};

/// The lines of an answer.
#[derive(Debug, Default)]
pub(super) struct Lines {
    records: u64,
    not_billed: u64,
    without_price: u64,
    costs: BTreeMap<(WhatIfGroup, Option<Currency>), WhatIfCost>,
}

impl WhatIfCost {
    fn of(currency: Option<Currency>) -> Self {
        Self {
            currency,
            records_now: 0,
            cost_now: Amount::ZERO,
            records_what_if: 0,
            cost_what_if: Amount::ZERO,
            records_compared: 0,
            difference: Amount::ZERO,
            without_price: 0,
            cost_without_price: Amount::ZERO,
        }
    }

    fn add(&mut self, other: &Self) {
        self.records_now += other.records_now;
        self.cost_now = self.cost_now + other.cost_now;
        self.records_what_if += other.records_what_if;
        self.cost_what_if = self.cost_what_if + other.cost_what_if;
        self.records_compared += other.records_compared;
        self.difference = self.difference + other.difference;
        self.without_price += other.without_price;
        self.cost_without_price = self.cost_without_price + other.cost_without_price;
    }
}

fn amount(price: Option<Price>) -> Amount {
    price.map_or(Amount::ZERO, |price| Amount::from_pico(i128::from(price.cost_pico)))
}

impl Lines {
    /// How many lines there are.
    pub(super) fn count(&self) -> usize {
        self.costs.len()
    }

    /// Takes in a record with what it would cost.
    pub(super) fn take(&mut self, by: &By, usage: &RecordedUsage, what_if: Option<Price>) {
        self.records += 1;
        if usage.price_status == PriceStatus::NotBilled {
            self.not_billed += 1;
            return;
        }
        self.without_price += u64::from(what_if.is_none());
        let now = price_of(usage);
        let group = by.group(usage);
        let currency = |price: Option<Price>| price.map(|price| price.currency);
        let in_both = now.is_some() && currency(now) == currency(what_if);
        let line = self.line(group.clone(), currency(now));
        line.records_now += 1;
        line.cost_now = line.cost_now + amount(now);
        if in_both {
            line.records_compared += 1;
            line.difference = line.difference + (amount(what_if) - amount(now));
        }
        if what_if.is_none() {
            line.without_price += 1;
            line.cost_without_price = line.cost_without_price + amount(now);
        }
        let line = self.line(group, currency(what_if));
        line.records_what_if += 1;
        line.cost_what_if = line.cost_what_if + amount(what_if);
    }

    fn line(&mut self, group: WhatIfGroup, currency: Option<Currency>) -> &mut WhatIfCost {
        self.costs.entry((group, currency)).or_insert_with(|| WhatIfCost::of(currency))
    }

    /// As it is answered.
    pub(super) fn told(self, by: &By, prices_at: i64, continue_after: Option<i64>) -> UsageWhatIf {
        let mut totals: BTreeMap<Option<Currency>, WhatIfCost> = BTreeMap::new();
        for cost in self.costs.values() {
            let total = totals.entry(cost.currency);
            total.or_insert_with(|| WhatIfCost::of(cost.currency)).add(cost);
        }
        let rows = self.costs.into_iter().map(|((group, _), cost)| WhatIfRow { group, cost });
        UsageWhatIf {
            prices_at,
            records: self.records,
            not_billed: self.not_billed,
            without_price: self.without_price,
            totals: totals.into_values().collect(),
            rows: if by.is_empty() { Vec::new() } else { rows.collect() },
            continue_after,
        }
    }
}
