//! What recorded usage would cost under other prices, or as another model's. It is read and priced as a
//! repricing does it, and nothing is recorded.

mod lines;
mod parameters;
pub(crate) mod route;

use chrono::NaiveDate;
use domain::pricing::{ChosenPrices, PriceBook, Used};
use event_log::usage::Price;
use event_schemas::{Amount, ApiKeyId, Currency, ProjectId, RecordedUsage};
use serde::Serialize;
use utoipa::ToSchema;

use super::explain::used;
use super::other_prices::price_by;

/// What records cost now and would cost, in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WhatIfCost {
    /// The currency; null of what has no price.
    pub currency: Option<Currency>,
    /// How many records have a cost in this currency now, after all corrections.
    pub records_now: u64,
    /// What they cost together.
    pub cost_now: Amount,
    /// How many records would have one.
    pub records_what_if: u64,
    /// What they would cost together.
    pub cost_what_if: Amount,
    /// How many have a cost in this currency both ways.
    pub records_compared: u64,
    /// How much more those would cost than they do, below zero where it is less. Of a record that has a
    /// price one way alone, or in another currency, there is no difference.
    pub difference: Amount,
    /// How many of `records_now` would have no price, or cost more than can be kept.
    pub without_price: u64,
    /// What those cost now: part of `cost_now`, and of no difference.
    pub cost_without_price: Amount,
}

/// What a row is of: a field for each that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, ToSchema)]
pub struct WhatIfGroup {
    /// The day of the requests, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<NaiveDate>,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub project_id: Option<ProjectId>,
    /// The key that was used; null where none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub api_key_id: Option<Option<ApiKeyId>>,
    /// What the customer's product calls it; empty where it said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// Who served the model that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The same of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WhatIfRow {
    /// The group.
    #[serde(flatten)]
    pub group: WhatIfGroup,
    /// What it costs.
    #[serde(flatten)]
    pub cost: WhatIfCost,
}

/// What recorded usage would cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsageWhatIf {
    /// Prices published after this position were not known to it.
    pub prices_at: i64,
    /// How many records it was about.
    pub records: u64,
    /// How many of them failed and used nothing: they cost nothing either way, and are in no line.
    pub not_billed: u64,
    /// How many would have no price, or cost more than can be kept. That is never nothing: they are in
    /// no `cost_what_if`.
    pub without_price: u64,
    /// What they cost and would cost, by currency.
    pub totals: Vec<WhatIfCost>,
    /// The same by what was asked for (`by`) and currency; none where nothing was.
    pub rows: Vec<WhatIfRow>,
    /// Where to go on (`after_position`), as there are more records than one request looks at; null where
    /// it was all. Lines of the same group and currency are summed up then.
    pub continue_after: Option<i64>,
}

/// Another model, in place of each record's own.
#[derive(Debug, Clone)]
struct AnotherModel {
    provider: String,
    model: String,
}

/// What a record would cost; none where it would have no price.
fn would_cost(
    book: &PriceBook,
    prices: &ChosenPrices,
    another: Option<&AnotherModel>,
    usage: &RecordedUsage,
) -> Option<Price> {
    let used = used(usage);
    let used = match another {
        Some(AnotherModel { provider, model }) => Used { provider, model, ..used },
        None => used,
    };
    price_by(book, prices, &used)
}
