//! Usage: the second lane of the log. A record is an event with a position of its own, kept in
//! typed columns; this is its form on the wire, as `usage.recorded`.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::roles::words;
use crate::{ApiKeyId, Currency, MemberId, OrganizationId, ProjectId, ServiceAccountId, Units};

/// The event type of a usage record.
pub const USAGE_RECORDED: &str = "usage.recorded";

/// The version of [`RecordedUsage`]'s schema.
pub const USAGE_RECORDED_VERSION: &str = "2";

words! {
    /// Whether a record could be priced.
    PriceStatus, "a price status" {
        /// It has a cost.
        Priced = "priced",
        /// No price was known for its model, or for one of the kinds of tokens it used, when it
        /// was recorded.
        Unpriced = "unpriced",
        /// The request failed and used nothing, so there is nothing to price.
        NotBilled = "not_billed",
    }
}

/// The condition, in SQL over the columns of `log.usage_records`, under which a record is
/// [`PriceStatus::Unpriced`]. A request that failed and used nothing has no cost to know.
pub const UNPRICED: &str = "(cost_pico is null and not (error_type is not null and units is null \
    and input_tokens = 0 and output_tokens = 0))";

/// A usage record as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedUsage {
    /// The batch that it was written with.
    pub batch_id: Uuid,
    /// Its place in the batch, from 0: its position is the batch's first position plus this.
    pub ordinal: i32,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The project.
    pub project_id: ProjectId,
    /// The key that was used, where known.
    pub api_key_id: Option<ApiKeyId>,
    /// The member whose key it was.
    pub member_id: Option<MemberId>,
    /// The service account whose key it was.
    pub service_account_id: Option<ServiceAccountId>,
    /// The customer's own user, in the customer's words.
    pub end_user: Option<String>,
    /// What the customer's product calls it; empty where it said nothing.
    pub feature: String,
    /// Who served the model.
    pub provider: String,
    /// The model, as the provider names it.
    pub model: String,
    /// The request: unique in the organization.
    pub request_id: String,
    /// When the request was made.
    pub occurred_at: DateTime<Utc>,
    /// Input tokens, cached and written ones included.
    pub input_tokens: i64,
    /// Input tokens that came out of the provider's cache.
    pub cached_input_tokens: i64,
    /// Input tokens that were written to the provider's cache.
    pub cache_write_tokens: i64,
    /// Output tokens, reasoning included.
    pub output_tokens: i64,
    /// Output tokens that were reasoning.
    pub reasoning_tokens: i64,
    /// What else it used. A total includes its parts: audio in the input is in `input_tokens`, too.
    #[serde(default)]
    pub units: Units,
    /// The service tier in the provider's words, such as `batch` or `priority`; none for the plain
    /// one.
    #[serde(default)]
    pub service_tier: Option<String>,
    /// Why the request failed, in OpenTelemetry's `error.type`; none where it succeeded.
    #[serde(default)]
    pub error_type: Option<String>,
    /// How long the request took, in milliseconds.
    #[serde(default)]
    pub duration_ms: Option<i64>,
    /// Whether it has a cost.
    pub price_status: PriceStatus,
    /// The position of the `price_list.published` event that priced it.
    pub price_version: Option<i64>,
    /// The cost in pico-units (10⁻¹²) of the currency.
    pub cost_pico: Option<i64>,
    /// The cost's currency.
    pub currency: Option<Currency>,
    /// The customer's own labels.
    pub tags: std::collections::BTreeMap<String, String>,
}

impl RecordedUsage {
    /// Whether nothing was used that could cost anything, and the request failed.
    pub fn failed_without_use(&self) -> bool {
        self.error_type.is_some()
            && self.input_tokens == 0
            && self.output_tokens == 0
            && self.units.is_empty()
    }
}

/// A batch of usage records, or a run of one, as JetStream carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageBatch {
    /// The position of the first record.
    pub first_position: i64,
    /// When the log learned of them.
    pub recorded_at: DateTime<Utc>,
    /// Who sent them, and the rest of [`crate::EventMetadata`]. Messages from before it was carried have
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Value>,
    /// The records, in order of position.
    pub records: Vec<RecordedUsage>,
}
