//! Events of an organization's repricings: recorded usage that costs something else than it was
//! recorded with. The records stay as they are.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::stream_events;
use crate::{Amount, Currency, PriceListId, ProjectId, RecordedUsage, RepricingId};

/// The event type of corrections.
pub const USAGE_REPRICED: &str = "usage.repriced";

/// What the corrected records cost in one currency, before and after; or how many of them had no price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepricedTotal {
    /// The currency; none of what had no price.
    pub currency: Option<Currency>,
    /// How many of the records had a price in this currency before.
    pub records_before: u32,
    /// What they cost together.
    pub cost_before: Amount,
    /// How many of the records have one now.
    pub records_after: u32,
    /// What they cost together.
    pub cost_after: Amount,
}

/// Which records a repricing looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepricingScope {
    /// Requests that were made from then on.
    pub from: DateTime<Utc>,
    /// Requests that were made before then.
    pub to: DateTime<Utc>,
    /// Of this project alone.
    pub project_id: Option<ProjectId>,
    /// Of this provider alone, as the records call it.
    pub provider: Option<String>,
    /// Of this model alone, as the records call it.
    pub model: Option<String>,
    /// Only what has no price.
    pub only_unpriced: bool,
}

/// A correction as JetStream carries it, beside the event that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepricedUsage {
    /// The record, with the price that it had until then.
    pub usage: RecordedUsage,
    /// The position of the `price_list.published` event that prices it now.
    pub price_version: i64,
    /// What it costs now, in pico-units (10⁻¹²) of the currency.
    pub cost_pico: i64,
    /// The currency.
    pub currency: Currency,
}

stream_events! {
    /// What happens to the costs of an organization's recorded usage.
    UsageRepricingEvent on "usage" {
        /// Records were priced again, and cost something else from now on. Which ones stands in
        /// `log.usage_corrections`, and in JetStream beside this payload as `corrections`.
        Repriced = "usage.repriced" "1" {
            /// The repricing. A large one is many events.
            repricing_id: RepricingId,
            /// Whose usage, and of when.
            scope: RepricingScope,
            /// Prices published after this position were not known to it.
            prices_at: i64,
            /// The one list that it priced by; none where all prices counted.
            price_list_id: Option<PriceListId>,
            /// The version of that list, whenever it was in force; none for the one in force when the
            /// usage happened.
            price_list_version: Option<u32>,
            /// Why.
            reason: Option<String>,
            /// How many records are corrected.
            corrections: u32,
            /// SHA-256 of the corrections, as hexadecimal digits.
            corrections_hash: String,
            /// What they cost before and after, by currency.
            totals: Vec<RepricedTotal>,
        }
    }
}
