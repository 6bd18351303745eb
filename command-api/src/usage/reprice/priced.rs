//! Records priced again, and what that changes.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use domain::pricing::{ChosenPrices, PriceBook};
use domain::usage_repricing::{Correction, RecordCost};
use event_log::usage::{NewCorrection, Price, price_of};
use event_schemas::{Amount, Currency, OrganizationId, PriceStatus, RecordedUsage};

use super::{RepriceUsageRequest, RepricedCost, RepricedModel, UsageRepriced};
use crate::refusal::Refusal;
use crate::usage::UsageRecorder;
use crate::usage::explain::used;
use crate::usage::other_prices::{Span, price_by};

/// A record that costs something else.
pub(super) struct Changed {
    pub(super) usage: RecordedUsage,
    before: Option<Price>,
    after: Price,
}

impl Changed {
    pub(super) fn correction(&self) -> Correction {
        let cost =
            |price: Price| RecordCost { cost_pico: price.cost_pico, currency: price.currency };
        Correction { before: self.before.map(cost), after: cost(self.after) }
    }

    pub(super) fn new_correction(&self) -> NewCorrection {
        NewCorrection {
            event: 0,
            organization_id: self.usage.organization_id,
            batch_id: self.usage.batch_id,
            record_ordinal: self.usage.ordinal,
            occurred_at: self.usage.occurred_at,
            before: self.before,
            after: self.after,
        }
    }
}

/// What was looked at, and what changes.
pub(super) struct Page {
    pub(super) changed: Vec<Changed>,
    pub(super) upto: i64,
    pub(super) summary: Summary,
}

type Key = (String, String, Option<Currency>);

/// What repricing changes, summed up as it goes.
#[derive(Default)]
pub(super) struct Summary {
    records: u64,
    changed: u64,
    unchanged: u64,
    without_price: u64,
    models: BTreeMap<Key, RepricedCost>,
}

impl UsageRecorder {
    /// Prices the next records of a span again.
    pub(super) async fn price_again(
        &self,
        organization_id: OrganizationId,
        request: &RepriceUsageRequest,
        span: Span,
        prices_at: i64,
    ) -> Result<Page, Refusal> {
        let next = self.next_records(organization_id, &request.scope(), span).await?;
        let prices = request.prices().known_at(prices_at);
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        let mut page = Page { changed: Vec::new(), upto: next.upto, summary: Summary::default() };
        for usage in next.records {
            page.look_at(&book, &prices, usage);
        }
        Ok(page)
    }
}

impl Page {
    fn look_at(&mut self, book: &PriceBook, prices: &ChosenPrices, usage: RecordedUsage) {
        self.summary.records += 1;
        if usage.price_status == PriceStatus::NotBilled {
            self.summary.unchanged += 1;
            return;
        }
        let Some(after) = price_by(book, prices, &used(&usage)) else {
            self.summary.without_price += 1;
            return;
        };
        let before = price_of(&usage);
        let is_same = |before: Price| {
            (before.cost_pico, before.currency) == (after.cost_pico, after.currency)
        };
        if before.is_some_and(is_same) {
            self.summary.unchanged += 1;
            return;
        }
        let changed = Changed { usage, before, after };
        self.summary.add(&changed);
        self.changed.push(changed);
    }
}

fn amount(price: Price) -> Amount {
    Amount::from_pico(i128::from(price.cost_pico))
}

impl RepricedCost {
    fn of(currency: Option<Currency>) -> Self {
        Self {
            currency,
            records_before: 0,
            cost_before: Amount::ZERO,
            records_after: 0,
            cost_after: Amount::ZERO,
        }
    }

    fn add(&mut self, other: &Self) {
        self.records_before += other.records_before;
        self.cost_before = self.cost_before + other.cost_before;
        self.records_after += other.records_after;
        self.cost_after = self.cost_after + other.cost_after;
    }
}

impl Summary {
    fn line(&mut self, usage: &RecordedUsage, currency: Option<Currency>) -> &mut RepricedCost {
        let key = (usage.provider.clone(), usage.model.clone(), currency);
        self.models.entry(key).or_insert_with(|| RepricedCost::of(currency))
    }

    fn add(&mut self, Changed { usage, before, after }: &Changed) {
        self.changed += 1;
        let line = self.line(usage, before.map(|price| price.currency));
        line.records_before += 1;
        line.cost_before = line.cost_before + before.map_or(Amount::ZERO, amount);
        let line = self.line(usage, Some(after.currency));
        line.records_after += 1;
        line.cost_after = line.cost_after + amount(*after);
    }

    /// Adds what another page has changed.
    pub(super) fn add_all(&mut self, page: &UsageRepriced) {
        self.records += page.records;
        self.changed += page.changed;
        self.unchanged += page.unchanged;
        self.without_price += page.without_price;
        for RepricedModel { provider, model, cost } in &page.models {
            let key = (provider.clone(), model.clone(), cost.currency);
            let line = self.models.entry(key).or_insert_with(|| RepricedCost::of(cost.currency));
            line.add(cost);
        }
    }

    /// As it is answered.
    pub(super) fn told(self, prices_at: i64, continue_after: Option<i64>) -> UsageRepriced {
        let mut totals: BTreeMap<Option<Currency>, RepricedCost> = BTreeMap::new();
        for cost in self.models.values() {
            let total = totals.entry(cost.currency);
            total.or_insert_with(|| RepricedCost::of(cost.currency)).add(cost);
        }
        let model = |((provider, model, _), cost)| RepricedModel { provider, model, cost };
        UsageRepriced {
            repricing_id: None,
            prices_at,
            records: self.records,
            changed: self.changed,
            unchanged: self.unchanged,
            without_price: self.without_price,
            totals: totals.into_values().collect(),
            models: self.models.into_iter().map(model).collect(),
            continue_after,
        }
    }
}
