//! Recorded usage at other prices than those that priced it: which prices, which records, and what one
//! costs by them. A repricing puts on record what comes of it; what-if only tells.

use std::sync::PoisonError;

use chrono::TimeDelta;
use domain::pricing::{ChosenList, ChosenPrices, PriceBook, Used};
use event_log::usage::{Price, PricedRecords, RecordsOf, read_as_priced};
use event_schemas::{OrganizationId, PriceListId, PriceStatus, RecordedUsage, RepricingScope};

use super::UsageRecorder;
use crate::checks::storable;
use crate::refusal::{ExecuteError, Refusal};

/// How many records are read at once.
const PAGE_RECORDS_MAX: i64 = 10_000;

/// How many such pages one request has: some seconds' work.
pub(super) const PAGES_MAX: u32 = 10;

/// The prices that somebody asks for.
#[derive(Debug, Clone)]
pub(super) struct AskedPrices {
    /// This list alone, without a mark-up.
    pub(super) price_list_id: Option<PriceListId>,
    /// This version of it, whenever it was in force.
    pub(super) price_list_version: Option<u32>,
    /// Only what had been published up to there.
    pub(super) prices_at: Option<i64>,
}

/// Where in the log somebody stands who goes through its records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) after: i64,
    pub(super) upto: i64,
}

/// The next records of a span that are asked about, each as it is priced now.
pub(super) struct NextRecords {
    pub(super) records: Vec<RecordedUsage>,
    /// The position up to which all were looked at.
    pub(super) upto: i64,
}

impl AskedPrices {
    /// The prices, as the log knew them at a position.
    pub(super) fn known_at(&self, known: i64) -> ChosenPrices {
        let list = self
            .price_list_id
            .clone()
            .map(|price_list_id| ChosenList { price_list_id, version: self.price_list_version });
        ChosenPrices { known, list }
    }
}

/// Refuses what cannot be asked of any log.
pub(super) fn check(
    scope: &RepricingScope,
    prices: &AskedPrices,
    after_position: Option<i64>,
) -> Result<(), Refusal> {
    storable("from", Some(scope.from))?;
    storable("to", Some(scope.to))?;
    let invalid = |field, why| Err(Refusal::Invalid { field, why });
    if scope.from >= scope.to {
        return invalid("to", "it must be after from");
    }
    if prices.price_list_version.is_some() && prices.price_list_id.is_none() {
        return invalid("price_list_version", "it takes the price_list_id that it is a version of");
    }
    if prices.prices_at.is_some_and(|position| position < 0) {
        return invalid("prices_at", "positions begin with 1");
    }
    if after_position.is_some_and(|position| position < 0) {
        return invalid("after_position", "positions begin with 1");
    }
    Ok(())
}

impl UsageRecorder {
    /// The position up to which prices count: as far as they are known, or as far as is asked.
    pub(super) async fn prices_for(
        &self,
        organization_id: OrganizationId,
        asked: &AskedPrices,
        head: i64,
    ) -> Result<i64, Refusal> {
        let known = self.refresh_prices().await?;
        let prices_at = asked.prices_at.unwrap_or(known);
        if prices_at > head {
            let why = "the log has not come as far";
            return Err(Refusal::Invalid { field: "prices_at", why });
        }
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        if book.has(organization_id, &asked.known_at(prices_at)) {
            return Ok(prices_at);
        }
        let why = "the organization has no such price list, or not that version of it";
        Err(Refusal::Invalid { field: "price_list_id", why })
    }

    /// Reads the next records of a span. Refused where some of them have been archived.
    pub(super) async fn next_records(
        &self,
        organization_id: OrganizationId,
        scope: &RepricingScope,
        span: Span,
    ) -> Result<NextRecords, Refusal> {
        if span.after >= span.upto {
            // Nothing is looked for after it: after the greatest number there is none.
            return Ok(NextRecords { records: Vec::new(), upto: span.upto });
        }
        let of = RecordsOf {
            organization_id,
            after: span.after,
            upto: span.upto,
            first_day: scope.from.date_naive(),
            // What begins with the next day, or month, is of it no more.
            last_day: (scope.to - TimeDelta::microseconds(1)).date_naive(),
        };
        let pool = self.executor.log().pool();
        let mut connection = pool.acquire().await.map_err(ExecuteError::Database)?;
        let read = read_as_priced(&mut connection, of, PAGE_RECORDS_MAX).await;
        drop(connection);
        let PricedRecords { records, upto, archived } = read.map_err(ExecuteError::Database)?;
        if let Some(month) = archived {
            return Err(Refusal::UsageArchived { month });
        }
        let records = records.into_iter().map(|(_, usage)| usage);
        Ok(NextRecords { records: records.filter(|usage| is_in(scope, usage)).collect(), upto })
    }
}

/// What something costs by these prices; none where they have no price for it, or it would cost more
/// than can be kept.
pub(super) fn price_by(book: &PriceBook, prices: &ChosenPrices, used: &Used<'_>) -> Option<Price> {
    let priced = book.price_by(used, prices).ok()?;
    let (version, cost_pico) = (priced.price_version?, priced.cost_pico?);
    Some(Price { version, cost_pico, currency: priced.currency? })
}

fn is_in(scope: &RepricingScope, usage: &RecordedUsage) -> bool {
    let is = |asked: &Option<String>, said: &str| asked.as_ref().is_none_or(|asked| asked == said);
    (scope.from..scope.to).contains(&usage.occurred_at)
        && scope.project_id.is_none_or(|project_id| project_id == usage.project_id)
        && is(&scope.provider, &usage.provider)
        && is(&scope.model, &usage.model)
        && (!scope.only_unpriced || usage.price_status == PriceStatus::Unpriced)
}
