//! Events of a price list: what a provider's models cost, by version.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::stream_events;
use crate::{Amount, Currency, PriceListId};

/// Prices of one model, each for a million tokens, in the list's currency. A kind of token without
/// a price of its own costs what the kind that it belongs to costs: cached and written input costs
/// what input costs. Where neither has a price, usage of that kind is unpriced.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, ToSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// A million input tokens.
    pub input: Option<Amount>,
    /// A million input tokens that came out of the provider's cache.
    pub cached_input: Option<Amount>,
    /// A million input tokens that were written to the provider's cache.
    pub cache_write: Option<Amount>,
    /// A million output tokens, reasoning included.
    pub output: Option<Amount>,
}

/// How a model's name is recognised. Names are compared without case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(no_recursion)]
pub enum MatchRule {
    /// The name is this.
    Equals(String),
    /// The name begins with this.
    StartsWith(String),
    /// The name ends with this.
    EndsWith(String),
    /// The name has this in it.
    Contains(String),
    /// The name matches this regular expression, in the syntax of Rust's `regex` crate.
    Regex(String),
    /// Any of these matches.
    Or(Vec<MatchRule>),
    /// All of these match.
    And(Vec<MatchRule>),
}

/// The price of one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// The model's id at its provider.
    pub model: String,
    /// The other names that mean it.
    pub matches: MatchRule,
    /// What it costs.
    pub rates: Rates,
}

stream_events! {
    /// What happens to a price list.
    PriceListEvent on "price_list" {
        /// A version was published. The position of this event is the price version that usage
        /// records pin.
        Published = "price_list.published" "1" {
            /// The list.
            price_list_id: PriceListId,
            /// The version, from 1.
            version: u32,
            /// The provider whose models it prices.
            provider: String,
            /// The currency of every price in it.
            currency: Currency,
            /// From when it is in force: usage that happened earlier is priced by the version
            /// before.
            effective_from: DateTime<Utc>,
            /// Where the prices were taken from.
            source: Option<String>,
            /// The prices. The first entry that matches a model's name is its price.
            models: Vec<ModelPrice>,
        }
    }
}
