//! The report in the `FinOps` Open Cost and Usage Specification (FOCUS), version 1.2.
//!
//! The organization is the billing account, its projects are the sub-accounts, and what the
//! customer's product calls a feature stands in `x_FeatureId`. A charge is what one feature of one
//! project used of one model on one day of UTC. What is paid is what the price list says: list,
//! contracted, billed and effective cost are the same.
//!
//! FOCUS has no word for a charge whose price is not known, and no cost may be null. Unpriced usage
//! is a row with a cost of 0 that says `unpriced` in `x_PriceStatus`; so do requests that failed and
//! used nothing (`not_billed`). Whoever adds up costs adds nothing for them, and whoever adds up
//! tokens or requests has all of them.

use chrono::{DateTime, Datelike as _, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use event_schemas::{Amount, PICO_PER_UNIT, PriceStatus};
use parquet_file::Values;

use super::dimension::Dimension;
use super::export::{Table, csv_of, units};
use super::report::{CostReport, CostRow};
use crate::error::QueryError;

/// What a report for FOCUS is grouped by.
pub const FOCUS_BY: [Dimension; 5] =
    [Dimension::Day, Dimension::Project, Dimension::Feature, Dimension::Provider, Dimension::Model];

/// The unit of what is used and priced: all tokens, in and out.
const UNIT: &str = "Tokens";

/// The currency of a report in which nothing has a price: FOCUS wants one.
const ANY_CURRENCY: &str = "USD";

/// A value of a column.
enum Value {
    Text(Option<String>),
    Time(DateTime<Utc>),
    Amount(Option<Amount>),
    /// A quantity that FOCUS has, which it wants to be a decimal.
    Quantity(i64),
    /// A count of our own.
    Count(i64),
}

/// A report by [`FOCUS_BY`] in UTC, as CSV.
pub fn to_focus_csv(report: &CostReport) -> Result<String, QueryError> {
    let rows = charges(report)?;
    let header = Charge::default().values().into_iter().map(|(name, _)| name.to_owned());
    csv_of(header, rows.iter().map(|row| row.iter().map(written)))
}

/// A report by [`FOCUS_BY`] in UTC, as a Parquet file.
pub fn to_focus_parquet(report: &CostReport) -> Result<Vec<u8>, QueryError> {
    let rows = charges(report)?;
    let mut table = Table::default();
    for (index, (name, like)) in Charge::default().values().into_iter().enumerate() {
        table.add(name, column(&like, rows.iter().map(|row| &row[index])));
    }
    table.written()
}

fn written(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone().unwrap_or_default(),
        Value::Time(time) => time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Value::Amount(amount) => amount.map(|amount| amount.to_string()).unwrap_or_default(),
        Value::Quantity(quantity) => format!("{quantity}.0"),
        Value::Count(count) => count.to_string(),
    }
}

/// A column's values, which are all `like` this one.
fn column<'a>(like: &Value, values: impl Iterator<Item = &'a Value>) -> Values {
    match like {
        Value::Time(_) => Values::Time(values.map(Value::time).collect()),
        Value::Count(_) => Values::Integer(values.map(Value::count).collect()),
        Value::Amount(_) | Value::Quantity(_) => Values::Decimal(values.map(Value::pico).collect()),
        Value::Text(_) => Values::Text(values.map(Value::text).collect()),
    }
}

impl Value {
    fn time(&self) -> Option<DateTime<Utc>> {
        if let Self::Time(time) = self { Some(*time) } else { None }
    }

    fn count(&self) -> Option<i64> {
        if let Self::Count(count) = self { Some(*count) } else { None }
    }

    fn text(&self) -> Option<String> {
        if let Self::Text(text) = self { text.clone() } else { None }
    }

    fn pico(&self) -> Option<i128> {
        match self {
            Self::Amount(amount) => amount.map(Amount::pico),
            Self::Quantity(quantity) => Some(i128::from(*quantity) * PICO_PER_UNIT),
            Self::Text(_) | Self::Time(_) | Self::Count(_) => None,
        }
    }
}

fn charges(report: &CostReport) -> Result<Vec<Vec<Value>>, QueryError> {
    let currency = report.totals.iter().find_map(|total| total.currency.clone());
    let currency = currency.unwrap_or_else(|| ANY_CURRENCY.to_owned());
    let rows = report.rows.iter().map(|row| {
        let charge = Charge::of(report, row, &currency)?;
        Ok(charge.values().into_iter().map(|(_, value)| value).collect())
    });
    rows.collect()
}

/// One row.
#[derive(Default)]
struct Charge {
    account_id: String,
    account: String,
    project_id: Option<String>,
    project: Option<String>,
    feature: String,
    provider: String,
    model: String,
    start: DateTime<Utc>,
    billing: (DateTime<Utc>, DateTime<Utc>),
    cost: Amount,
    currency: String,
    tokens: i64,
    status: Option<PriceStatus>,
    requests: [i64; 2],
    counts: [i64; 5],
    units: Option<String>,
}

impl Charge {
    fn of(report: &CostReport, row: &CostRow, currency: &str) -> Result<Self, QueryError> {
        let text = |field: &str| row.group.get(field).map(str::to_owned);
        let day: NaiveDate =
            text("day").unwrap_or_default().parse().map_err(QueryError::unreadable)?;
        let month = day.with_day(1).unwrap_or(day);
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let next = month.checked_add_months(Months::new(1)).unwrap_or(month);
        let sums = &row.sums;
        let tokens = sums.input_tokens.checked_add(sums.output_tokens);
        Ok(Self {
            account_id: report.organization_id.to_string(),
            account: report.organization.clone(),
            project_id: text("project_id"),
            project: text("project"),
            feature: text("feature").unwrap_or_default(),
            provider: text("provider").unwrap_or_default(),
            model: text("model").unwrap_or_default(),
            start: midnight(day),
            billing: (midnight(month), midnight(next)),
            cost: sums.cost.unwrap_or_default(),
            currency: row.currency.clone().unwrap_or_else(|| currency.to_owned()),
            tokens: tokens.ok_or_else(|| QueryError::unreadable("more tokens than can be"))?,
            status: Some(row.price_status),
            requests: [sums.requests, sums.failed_requests],
            counts: [
                sums.input_tokens,
                sums.cached_input_tokens,
                sums.cache_write_tokens,
                sums.output_tokens,
                sums.reasoning_tokens,
            ],
            units: units(row),
        })
    }

    /// By column, in the order of FOCUS, our own at the end.
    fn values(&self) -> Vec<(&'static str, Value)> {
        let text = |text: &str| Value::Text((!text.is_empty()).then(|| text.to_owned()));
        let cost = || Value::Amount(Some(self.cost));
        let sku = format!("{}/{}", self.provider, self.model);
        let description = format!("{} of {}", self.feature_shown(), self.model);
        let status = self.status.map(|status| status.to_string()).unwrap_or_default();
        let mut values = vec![
            ("BilledCost", cost()),
            ("BillingAccountId", text(&self.account_id)),
            ("BillingAccountName", text(&self.account)),
            ("BillingAccountType", text("Organization")),
            ("BillingCurrency", text(&self.currency)),
            ("BillingPeriodEnd", Value::Time(self.billing.1)),
            ("BillingPeriodStart", Value::Time(self.billing.0)),
            ("ChargeCategory", text("Usage")),
            ("ChargeClass", Value::Text(None)),
            ("ChargeDescription", Value::Text(Some(description))),
            ("ChargeFrequency", text("Usage-Based")),
            ("ChargePeriodEnd", Value::Time(self.start + TimeDelta::days(1))),
            ("ChargePeriodStart", Value::Time(self.start)),
            ("ConsumedQuantity", Value::Quantity(self.tokens)),
            ("ConsumedUnit", text(UNIT)),
            ("ContractedCost", cost()),
            ("EffectiveCost", cost()),
            // Nothing here has been invoiced.
            ("InvoiceId", Value::Text(None)),
            ("InvoiceIssuerName", text(&self.provider)),
            ("ListCost", cost()),
            ("PricingCategory", text("Standard")),
            ("PricingQuantity", Value::Quantity(self.tokens)),
            ("PricingUnit", text(UNIT)),
            ("ProviderName", text(&self.provider)),
            ("PublisherName", text(&self.provider)),
            ("ServiceCategory", text("AI and Machine Learning")),
            ("ServiceName", text(&self.model)),
            ("ServiceSubcategory", text("Generative AI")),
            ("SkuId", text(&sku)),
            ("SkuPriceId", text(&sku)),
            ("SubAccountId", Value::Text(self.project_id.clone())),
            ("SubAccountName", Value::Text(self.project.clone())),
            ("SubAccountType", text("Project")),
            ("x_FeatureId", text(&self.feature)),
            ("x_PriceStatus", text(&status)),
            ("x_Requests", Value::Count(self.requests[0])),
            ("x_FailedRequests", Value::Count(self.requests[1])),
        ];
        let counts = [
            "x_InputTokens",
            "x_CachedInputTokens",
            "x_CacheWriteTokens",
            "x_OutputTokens",
            "x_ReasoningTokens",
        ];
        values.extend(counts.into_iter().zip(self.counts.map(Value::Count)));
        values.push(("x_Units", Value::Text(self.units.clone())));
        values
    }

    fn feature_shown(&self) -> &str {
        if self.feature.is_empty() { "Usage without a feature" } else { &self.feature }
    }
}
