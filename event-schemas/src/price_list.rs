//! Events of a price list: what a provider's models cost, by version.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::event::stream_events;
use crate::{Currency, OrganizationId, Percent, PriceListId, Rates};

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

/// Rates for requests with a large context. They are for all tokens of such a request, not only for
/// those above the threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RatesAbove {
    /// They are for requests with more input tokens than this.
    pub input_tokens: i64,
    /// The rates; what has none here has the one of the next threshold below, or the plain one.
    pub rates: Rates,
}

/// What a model costs in a service tier, such as `batch`, `priority` or `flex`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceTierPrice {
    /// The tier, in the provider's word. Compared without case.
    pub tier: String,
    /// How much of the plain rates it costs, in percent; none for all of them.
    #[serde(default)]
    pub percent: Option<Percent>,
    /// Rates of its own. What has none here has the plain one.
    #[serde(default)]
    pub rates: Rates,
    /// Its rates for requests with a large context.
    #[serde(default)]
    pub above: Vec<RatesAbove>,
}

/// When other prices hold. All times are UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// From this day on.
    FromDate(NaiveDate),
    /// Each day between these times; over midnight where the end comes before the start.
    Daily {
        /// From then.
        #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$")]
        start: NaiveTime,
        /// Until just before then.
        #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$")]
        end: NaiveTime,
    },
}

/// Prices that hold at certain times, in place of all others of the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimedPrice {
    /// When.
    pub when: When,
    /// What the model costs then.
    pub rates: Rates,
    /// What it costs then with a large context.
    #[serde(default)]
    pub above: Vec<RatesAbove>,
    /// What it costs then in service tiers.
    #[serde(default)]
    pub service_tiers: Vec<ServiceTierPrice>,
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
    /// What it costs with a large context.
    #[serde(default)]
    pub above: Vec<RatesAbove>,
    /// What it costs in service tiers.
    #[serde(default)]
    pub service_tiers: Vec<ServiceTierPrice>,
    /// What it costs at certain times. The last that holds is the price.
    #[serde(default)]
    pub at_times: Vec<TimedPrice>,
}

impl ModelPrice {
    /// A model with plain rates alone.
    pub fn plain(model: String, matches: MatchRule, rates: Rates) -> Self {
        let (above, service_tiers, at_times) = (Vec::new(), Vec::new(), Vec::new());
        Self { model, matches, rates, above, service_tiers, at_times }
    }
}

stream_events! {
    /// What happens to a price list.
    PriceListEvent on "price_list" {
        /// A version was published. The position of this event is the price version that usage
        /// records pin.
        Published = "price_list.published" "2" {
            /// The list.
            price_list_id: PriceListId,
            /// The version, from 1.
            version: u32,
            /// The organization whose own prices they are; none for those of all.
            organization_id: Option<OrganizationId>,
            /// The provider whose models it prices. In an organization's own list `*` is every
            /// provider.
            provider: String,
            /// The other names that mean the provider.
            provider_matches: Option<MatchRule>,
            /// The models that are this provider's where a record calls the provider `unknown`.
            model_matches: Option<MatchRule>,
            /// Providers whose models this one serves: of the same catalogue, in order, for models
            /// that are not in this list.
            fallback_providers: Vec<String>,
            /// What comes on top of the prices of all, for models that are not in this list. An
            /// organization's own list alone has it; below zero it is a discount.
            mark_up_percent: Option<Percent>,
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
