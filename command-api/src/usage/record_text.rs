//! A usage record as it is sent: its fields, by our names and by OpenTelemetry's.

use std::collections::BTreeMap;

use api_conventions::words::{in_json, shortened};
use chrono::{DateTime, Utc};
use domain::usage::UsageRecord;
use event_schemas::{ApiKeyId, MemberId, ProjectId, ServiceAccountId, Units};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{RecordFate, provider_said};

/// How much is said back of a field's name, in characters.
const FIELD_CHARS_MAX: usize = 100;

/// A usage record to record. Fields that OpenTelemetry's conventions for generative AI have are also
/// understood by their names there, such as `gen_ai.usage.input_tokens`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SentUsageRecord {
    /// The project.
    project_id: ProjectId,
    /// The key that was used, where known. The record is then its owner's, whoever else is named.
    #[serde(default)]
    api_key_id: Option<ApiKeyId>,
    /// The member whose usage it is, where no key says so.
    #[serde(default)]
    member_id: Option<MemberId>,
    /// The service account whose usage it is, where neither key nor member says so.
    #[serde(default)]
    service_account_id: Option<ServiceAccountId>,
    /// Your own user, in your words (`user.id`).
    #[serde(default, alias = "user.id", alias = "enduser.id")]
    end_user: Option<String>,
    /// What your product calls it.
    #[serde(default)]
    feature: String,
    /// Who served the model (`gen_ai.provider.name`).
    #[serde(default, alias = "gen_ai.provider.name", alias = "gen_ai.system")]
    #[schema(value_type = String, required = true)]
    provider: Option<String>,
    /// The model, as the provider names it.
    #[serde(default)]
    #[schema(value_type = String, required = true)]
    model: Option<String>,
    /// The model that answered, where `model` is not there.
    #[serde(default, rename = "gen_ai.response.model")]
    response_model: Option<String>,
    /// The model that was asked for, where neither `model` nor `gen_ai.response.model` is there.
    #[serde(default, rename = "gen_ai.request.model")]
    request_model: Option<String>,
    /// The request: unique in the organization (`gen_ai.response.id`). Sent again with the same
    /// content it counts once; with other content it is a conflict, and the first one stays.
    #[serde(default, alias = "gen_ai.response.id")]
    #[schema(value_type = String, required = true)]
    request_id: Option<String>,
    /// When the request was made.
    #[serde(default)]
    #[schema(value_type = DateTime<Utc>, required = true)]
    occurred_at: Option<DateTime<Utc>>,
    /// Input tokens, cached and written ones included (`gen_ai.usage.input_tokens`).
    #[serde(default, deserialize_with = "count", alias = "gen_ai.usage.input_tokens")]
    #[schema(value_type = i64)]
    input_tokens: Option<i64>,
    /// Input tokens that came out of the provider's cache
    /// (`gen_ai.usage.cache_read.input_tokens`).
    #[serde(default, deserialize_with = "count", alias = "gen_ai.usage.cache_read.input_tokens")]
    #[schema(value_type = i64)]
    cached_input_tokens: Option<i64>,
    /// Input tokens that were written to the provider's cache
    /// (`gen_ai.usage.cache_creation.input_tokens`).
    #[serde(
        default,
        deserialize_with = "count",
        alias = "gen_ai.usage.cache_creation.input_tokens"
    )]
    #[schema(value_type = i64)]
    cache_write_tokens: Option<i64>,
    /// Output tokens, reasoning included (`gen_ai.usage.output_tokens`).
    #[serde(default, deserialize_with = "count", alias = "gen_ai.usage.output_tokens")]
    #[schema(value_type = i64)]
    output_tokens: Option<i64>,
    /// Output tokens that were reasoning (`gen_ai.usage.reasoning.output_tokens`).
    #[serde(default, deserialize_with = "count", alias = "gen_ai.usage.reasoning.output_tokens")]
    #[schema(value_type = i64)]
    reasoning_tokens: Option<i64>,
    /// What else it used, by unit. A total includes its parts: `audio_input_tokens` are in
    /// `input_tokens`, too. Time is in milliseconds.
    #[serde(default)]
    units: Units,
    /// The provider's own usage object as its answer has it, instead of the counts above: the answer's
    /// `usage`, of Google `usageMetadata`. Whose shape it has is known by its fields.
    #[serde(default, alias = "usageMetadata")]
    #[schema(value_type = Option<Object>)]
    usage: Option<Map<String, Value>>,
    /// The service tier in the provider's words, such as `batch` or `priority`; none for the plain
    /// one (`openai.response.service_tier`).
    #[serde(default, alias = "openai.response.service_tier")]
    service_tier: Option<String>,
    /// Why the request failed, in OpenTelemetry's `error.type`, such as `429` or `timeout`; none
    /// where it succeeded. What failed costs what it says it used.
    #[serde(default, alias = "error.type")]
    error_type: Option<String>,
    /// How long the request took, in milliseconds.
    #[serde(default)]
    duration_ms: Option<i64>,
    /// Your own labels.
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// What an envelope says of the record in it.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// For a record without a request id of its own.
    pub(super) id: Option<String>,
    /// For a record that does not say when it happened.
    pub(super) time: Option<DateTime<Utc>>,
}

/// Reads a record's text.
pub(super) fn read(text: &[u8], envelope: Envelope) -> Result<UsageRecord, RecordFate> {
    // A list would be taken for the fields in their order.
    if text.first() == Some(&b'[') {
        return Err(invalid(None, "it is a list and must be an object"));
    }
    match serde_json::from_slice::<SentUsageRecord>(text) {
        Ok(sent) => sent.complete(envelope),
        Err(_) => Err(why_not::<SentUsageRecord>(text)),
    }
}

/// What is wrong with a text that could not be read: once more, with a look at where it stands.
pub(super) fn why_not<'de, T: Deserialize<'de>>(text: &'de [u8]) -> RecordFate {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let read: Result<T, _> = serde_path_to_error::deserialize(&mut deserializer);
    let Err(error) = read else { return invalid(None, "something stands after its end") };
    let reason = error.inner().to_string();
    // The place in the record's own text says nothing to who sent many of them.
    let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(why, _)| why).to_owned();
    if !error.inner().is_data() {
        return invalid(None, &format!("it is not JSON: {reason}"));
    }
    let field = field(&error.path().to_string(), &reason);
    RecordFate::Invalid { field, reason: in_json(&reason) }
}

pub(super) fn invalid(field: Option<&str>, reason: &str) -> RecordFate {
    RecordFate::Invalid { field: field.map(str::to_owned), reason: reason.to_owned() }
}

/// The field that is wrong. Of one that is missing or unknown serde says the name only in words.
fn field(path: &str, why: &str) -> Option<String> {
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| why.strip_prefix(start)?.split('`').next());
    let named = named.or((path != ".").then_some(path))?;
    Some(shortened(named, FIELD_CHARS_MAX).into_owned())
}

impl SentUsageRecord {
    /// A request that succeeded used something. A stream that came without its counts would else be
    /// recorded as free; a zero that is said counts as one.
    fn says_something(&self) -> Result<(), RecordFate> {
        let counts = [
            self.input_tokens,
            self.cached_input_tokens,
            self.cache_write_tokens,
            self.output_tokens,
            self.reasoning_tokens,
        ];
        let counted = counts.iter().any(Option::is_some) || !self.units.is_empty();
        if counted || self.usage.is_some() || self.error_type.is_some() {
            return Ok(());
        }
        let why = "nothing says what was used: counts of tokens, `units`, the provider's `usage`, or \
                   `error_type` where the request failed";
        Err(invalid(Some("input_tokens"), why))
    }

    fn complete(self, envelope: Envelope) -> Result<UsageRecord, RecordFate> {
        self.says_something()?;
        let model = self.model.or(self.response_model).or(self.request_model);
        let mut record = UsageRecord {
            project_id: self.project_id,
            api_key_id: self.api_key_id,
            member_id: self.member_id,
            service_account_id: self.service_account_id,
            end_user: self.end_user,
            feature: self.feature,
            provider: there("provider", self.provider)?,
            model: there("model", model)?,
            request_id: there("request_id", self.request_id.or(envelope.id))?,
            occurred_at: there("occurred_at", self.occurred_at.or(envelope.time))?,
            input_tokens: self.input_tokens.unwrap_or(0),
            cached_input_tokens: self.cached_input_tokens.unwrap_or(0),
            cache_write_tokens: self.cache_write_tokens.unwrap_or(0),
            output_tokens: self.output_tokens.unwrap_or(0),
            reasoning_tokens: self.reasoning_tokens.unwrap_or(0),
            units: self.units,
            service_tier: self.service_tier,
            error_type: self.error_type,
            duration_ms: self.duration_ms,
            tags: self.tags,
        };
        if let Some(object) = self.usage {
            provider_said::take_over(&mut record, object)?;
        }
        Ok(record)
    }
}

/// A count that is there is a number: null says nothing.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    i64::deserialize(deserializer).map(Some)
}

fn there<T>(field: &'static str, value: Option<T>) -> Result<T, RecordFate> {
    value.ok_or_else(|| invalid(Some(field), &format!("missing field `{field}`")))
}
