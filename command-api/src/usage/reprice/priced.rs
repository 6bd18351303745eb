//! Records priced again, and what that changes.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use domain::pricing::{ChosenPrices, PriceBook};
use domain::usage_repricing::{Correction, RecordCost};
use event_log::usage::{NewCorrection, Price, PricedRecords, RecordsOf, price_of, read_as_priced};
use event_schemas::{Amount, Currency, OrganizationId, PriceStatus, RecordedUsage};

use super::{PAGE_RECORDS_MAX, RepriceUsageRequest, RepricedCost, RepricedModel, UsageRepriced};
use crate::refusal::{ExecuteError, Refusal};
use crate::usage::UsageRecorder;
use crate::usage::explain::used;

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

/// Where a repricing stands.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) after: i64,
    pub(super) upto: i64,
    pub(super) prices_at: i64,
}

impl UsageRecorder {
    /// The position up to which prices count: as far as they are known, or as far as is asked.
    pub(super) async fn prices_for(
        &self,
        organization_id: OrganizationId,
        request: &RepriceUsageRequest,
        head: i64,
    ) -> Result<i64, Refusal> {
        let known = self.refresh_prices().await?;
        let prices_at = request.prices_at.unwrap_or(known);
        if prices_at > head {
            let why = "the log has not come as far";
            return Err(Refusal::Invalid { field: "prices_at", why });
        }
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        if book.has(organization_id, &request.prices(prices_at)) {
            return Ok(prices_at);
        }
        let why = "the organization has no such price list, or not that version of it";
        Err(Refusal::Invalid { field: "price_list_id", why })
    }

    /// Prices the next records of a span again.
    pub(super) async fn price_again(
        &self,
        organization_id: OrganizationId,
        request: &RepriceUsageRequest,
        span: Span,
    ) -> Result<Page, Refusal> {
        let of = RecordsOf {
            organization_id,
            after: span.after,
            upto: span.upto,
            first_day: request.from.date_naive(),
            last_day: request.to.date_naive(),
        };
        let pool = self.executor.log().pool();
        let mut connection = pool.acquire().await.map_err(ExecuteError::Database)?;
        let read = read_as_priced(&mut connection, of, PAGE_RECORDS_MAX).await;
        drop(connection);
        let PricedRecords { records, upto, archived } = read.map_err(ExecuteError::Database)?;
        if archived > 0 {
            return Err(Refusal::UsageArchived);
        }
        let prices = request.prices(span.prices_at);
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        let mut page = Page { changed: Vec::new(), upto, summary: Summary::default() };
        for (_, usage) in records.into_iter().filter(|(_, usage)| request.is_about(usage)) {
            page.look_at(&book, &prices, usage);
        }
        Ok(page)
    }
}

impl RepriceUsageRequest {
    fn is_about(&self, usage: &RecordedUsage) -> bool {
        let is =
            |asked: &Option<String>, said: &str| asked.as_ref().is_none_or(|asked| asked == said);
        (self.from..self.to).contains(&usage.occurred_at)
            && self.project_id.is_none_or(|project_id| project_id == usage.project_id)
            && is(&self.provider, &usage.provider)
            && is(&self.model, &usage.model)
            && (!self.only_unpriced || usage.price_status == PriceStatus::Unpriced)
    }
}

impl Page {
    fn look_at(&mut self, book: &PriceBook, prices: &ChosenPrices, usage: RecordedUsage) {
        self.summary.records += 1;
        if usage.price_status == PriceStatus::NotBilled {
            self.summary.unchanged += 1;
            return;
        }
        let priced = book.price_by(&used(&usage), prices).ok();
        let after = priced.and_then(|priced| {
            let (version, cost_pico) = (priced.price_version?, priced.cost_pico?);
            Some(Price { version, cost_pico, currency: priced.currency? })
        });
        let Some(after) = after else {
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
