//! One event, as LiteLLM's `StandardLoggingPayload` says it, and what of it is usage.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::pricing::Tokens;
use domain::usage::provider_usage::{ProviderUsage, overlap, usage_object};
use domain::usage::{TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX, TAGS_MAX};
use event_schemas::Unit;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::usage::RecordFate;
use crate::usage::record_text::{invalid, why_not};

/// An event of LiteLLM's. It has many more fields, which are not looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LiteLlmEvent {
    /// The provider's id of the response, or LiteLLM's of the call.
    #[serde(default)]
    id: Option<String>,
    /// LiteLLM's id of the call.
    #[serde(default, rename = "litellm_call_id")]
    call_id: Option<String>,
    /// `success` or `failure`.
    #[serde(default)]
    status: Option<String>,
    /// Whether LiteLLM answered out of its own cache.
    #[serde(default, rename = "cache_hit")]
    cache_hit: Option<bool>,
    /// The provider.
    #[serde(default, rename = "custom_llm_provider")]
    provider: Option<String>,
    /// The model.
    #[serde(default)]
    model: Option<String>,
    /// When the call began, in seconds since 1970.
    #[serde(default)]
    start_time: Option<f64>,
    /// When it ended.
    #[serde(default)]
    end_time: Option<f64>,
    /// Input tokens.
    #[serde(default, rename = "prompt_tokens")]
    prompt_tokens: Option<i64>,
    /// Output tokens.
    #[serde(default, rename = "completion_tokens")]
    completion_tokens: Option<i64>,
    /// The customer's own user.
    #[serde(default, rename = "end_user")]
    end_user: Option<String>,
    /// Labels.
    #[serde(default, rename = "request_tags")]
    request_tags: Option<Vec<String>>,
    /// Key, team, project and user at LiteLLM, and the provider's usage object.
    #[serde(default)]
    #[schema(value_type = LiteLlmMetadata)]
    metadata: Value,
    /// What the request asked for.
    #[serde(default, rename = "model_parameters")]
    #[schema(value_type = Object)]
    model_parameters: Value,
    /// Why it failed.
    #[serde(default, rename = "error_information")]
    #[schema(value_type = Object)]
    error_information: Value,
}

/// What is looked at of an event's metadata.
#[derive(ToSchema)]
#[allow(dead_code)] // Never built: it describes what is read one by one.
pub(crate) struct LiteLlmMetadata {
    /// The name of LiteLLM's key.
    user_api_key_alias: Option<String>,
    /// The hash of LiteLLM's key.
    user_api_key_hash: Option<String>,
    /// LiteLLM's project.
    user_api_key_project_id: Option<String>,
    /// Its name.
    user_api_key_project_alias: Option<String>,
    /// LiteLLM's team.
    user_api_key_team_id: Option<String>,
    /// Its name.
    user_api_key_team_alias: Option<String>,
    /// LiteLLM's user.
    user_api_key_user_id: Option<String>,
    /// Their address.
    user_api_key_user_email: Option<String>,
    /// The customer's own user, where `end_user` is not there.
    user_api_key_end_user_id: Option<String>,
    /// The provider's usage object, as LiteLLM has it.
    #[schema(value_type = Option<Object>)]
    usage_object: (),
    /// What was said of the request for LiteLLM's own log: `feature`.
    #[schema(value_type = Option<Object>)]
    spend_logs_metadata: (),
}

/// The usage in an event, without whose it is.
pub(super) struct Event {
    pub(super) request_id: String,
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) duration_ms: Option<i64>,
    pub(super) error_type: Option<String>,
    pub(super) service_tier: Option<String>,
    pub(super) end_user: Option<String>,
    pub(super) feature: String,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) used: ProviderUsage,
    /// What the project may be called, the likeliest first: LiteLLM's project, then its team, each
    /// by id and by alias.
    pub(super) projects: Vec<String>,
    /// What the member may be called: LiteLLM's user, by id and by address.
    pub(super) users: Vec<String>,
}

impl Event {
    /// Reads an event's text.
    pub(super) fn read(text: &[u8]) -> Result<Self, RecordFate> {
        if text.first() == Some(&b'[') {
            return Err(invalid(None, "it is a list and must be an object"));
        }
        let event: LiteLlmEvent =
            serde_json::from_slice(text).map_err(|_| why_not::<LiteLlmEvent>(text))?;
        Self::of(event)
    }

    fn of(event: LiteLlmEvent) -> Result<Self, RecordFate> {
        let started = event.start_time.ok_or_else(|| missing("startTime"))?;
        let occurred_at = time(started)
            .ok_or_else(|| invalid(Some("startTime"), "it is not a time in seconds since 1970"))?;
        let metadata = &event.metadata;
        let parameters = &event.model_parameters;
        let (feature, mut tags) =
            labels(event.request_tags.as_deref().unwrap_or_default(), metadata);
        for (tag, field) in [
            ("litellm_key", "user_api_key_alias"),
            ("litellm_key_hash", "user_api_key_hash"),
            ("litellm_team", "user_api_key_team_id"),
            ("litellm_user", "user_api_key_user_id"),
        ] {
            if let Some(value) = text_in(metadata, field) {
                add(&mut tags, tag, value);
            }
        }
        let named = |fields: &[&str]| -> Vec<String> {
            fields.iter().filter_map(|field| text_in(metadata, field)).map(str::to_owned).collect()
        };
        let end_user = event
            .end_user
            .as_deref()
            .filter(|user| !user.is_empty())
            .or_else(|| text_in(metadata, "user_api_key_end_user_id"))
            .or_else(|| text_in(parameters, "user"));
        let object = &metadata["usage_object"];
        let tier = text_in(object, "service_tier").or_else(|| text_in(parameters, "service_tier"));
        Ok(Self {
            request_id: request_id(&event)?,
            end_user: end_user.map(str::to_owned),
            feature,
            tags,
            projects: named(&[
                "user_api_key_project_id",
                "user_api_key_project_alias",
                "user_api_key_team_id",
                "user_api_key_team_alias",
            ]),
            users: named(&["user_api_key_user_id", "user_api_key_user_email"]),
            occurred_at,
            duration_ms: event.end_time.and_then(|ended| milliseconds(started, ended)),
            error_type: error_type(&event),
            service_tier: tier
                .filter(|tier| !matches!(*tier, "default" | "standard" | "auto"))
                .map(str::to_owned),
            used: used(&event),
            provider: event.provider.ok_or_else(|| missing("custom_llm_provider"))?,
            model: event.model.ok_or_else(|| missing("model"))?,
        })
    }
}

/// LiteLLM counts as `OpenAI` does: cached and written tokens are in `prompt_tokens`, whoever the
/// provider is. What it only passes through has the provider's own object.
fn used(event: &LiteLlmEvent) -> ProviderUsage {
    let object = &event.metadata["usage_object"];
    let provider = event.provider.as_deref().unwrap_or_default();
    let own = object.as_object().filter(|object| !object.contains_key("prompt_tokens"));
    if let Some(said) = own.and_then(|object| usage_object(provider, object.clone()).ok()) {
        return said;
    }
    let (prompt, completion) =
        (&object["prompt_tokens_details"], &object["completion_tokens_details"]);
    let count = |value: &Value| value.as_i64().filter(|count| *count > 0);
    let read = count(&prompt["cached_tokens"]).or(count(&object["cache_read_input_tokens"]));
    let written =
        count(&prompt["cache_creation_tokens"]).or(count(&object["cache_creation_input_tokens"]));
    let hour = count(&prompt["cache_creation_token_details"]["ephemeral_1h_input_tokens"]);
    let searches = count(&object["server_tool_use"]["web_search_requests"])
        .or(count(&prompt["web_search_requests"]));
    let units = [
        (Unit::CacheWrite1hTokens, hour),
        (Unit::AudioInputTokens, count(&prompt["audio_tokens"])),
        (Unit::ImageInputTokens, count(&prompt["image_tokens"])),
        (Unit::AudioOutputTokens, count(&completion["audio_tokens"])),
        (Unit::ImageOutputTokens, count(&completion["image_tokens"])),
        (Unit::WebSearches, searches),
    ];
    let mut used = ProviderUsage {
        tokens: Tokens {
            input: event.prompt_tokens.unwrap_or(0),
            cached_input: read.unwrap_or(0),
            cache_write: written.unwrap_or(0),
            output: event.completion_tokens.unwrap_or(0),
            reasoning: count(&completion["reasoning_tokens"]).unwrap_or(0),
        },
        units: units.into_iter().map(|(unit, used)| (unit, used.unwrap_or(0))).collect(),
        ..ProviderUsage::default()
    };
    overlap(&mut used);
    used
}

/// The provider's id of the response. An answer out of LiteLLM's cache repeats it, and a call that
/// failed has none: those are known by LiteLLM's id of the call, and each attempt by when it began.
fn request_id(event: &LiteLlmEvent) -> Result<String, RecordFate> {
    let there = |id: &Option<String>| id.clone().filter(|id| !id.is_empty());
    let (id, call_id) = (there(&event.id), there(&event.call_id));
    if event.cache_hit == Some(true) {
        return call_id.or(id).ok_or_else(|| missing("id"));
    }
    if !has_failed(event) {
        return id.or(call_id).ok_or_else(|| missing("id"));
    }
    let call = call_id.or(id).ok_or_else(|| missing("id"))?;
    let micros = event.start_time.and_then(time).map_or(0, |time| time.timestamp_micros());
    Ok(format!("{call}/{micros}"))
}

fn has_failed(event: &LiteLlmEvent) -> bool {
    event.status.as_deref() == Some("failure")
}

/// The status that the provider answered with, else the kind of error.
fn error_type(event: &LiteLlmEvent) -> Option<String> {
    if !has_failed(event) {
        return None;
    }
    let error = &event.error_information;
    let code = text_in(error, "error_code").or_else(|| text_in(error, "error_class"));
    Some(code.unwrap_or("error").to_owned())
}

/// The feature, and the labels. `feature:search` names the feature, `team:blue` is a label with a
/// value, and what has no value is one that is there: `true`.
fn labels(request_tags: &[String], metadata: &Value) -> (String, BTreeMap<String, String>) {
    let mut feature = text_in(&metadata["spend_logs_metadata"], "feature").unwrap_or_default();
    let mut tags = BTreeMap::new();
    for tag in request_tags {
        match tag.split_once(':').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("feature", value)) => feature = value,
            Some((key, value)) => add(&mut tags, key, value),
            None => add(&mut tags, tag.trim(), "true"),
        }
    }
    (feature.to_owned(), tags)
}

/// A label must not cost the record: what is more or longer than a record may have is left out.
fn add(tags: &mut BTreeMap<String, String>, key: &str, value: &str) {
    let fits = !key.is_empty()
        && key.chars().count() <= TAG_KEY_CHARS_MAX
        && value.chars().count() <= TAG_VALUE_CHARS_MAX
        && !key.chars().chain(value.chars()).any(char::is_control);
    if fits && tags.len() < TAGS_MAX {
        tags.insert(key.to_owned(), value.to_owned());
    }
}

fn text_in<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn missing(field: &str) -> RecordFate {
    invalid(Some(field), &format!("missing field `{field}`"))
}

/// A time in seconds, to the microsecond that LiteLLM has it to.
#[allow(clippy::cast_possible_truncation)] // Checked: it is far within what 53 bits hold.
fn time(seconds: f64) -> Option<DateTime<Utc>> {
    let micros = (seconds * 1e6).round();
    (micros.abs() < 9e15).then(|| DateTime::from_timestamp_micros(micros as i64)).flatten()
}

#[allow(clippy::cast_possible_truncation)] // As above.
fn milliseconds(started: f64, ended: f64) -> Option<i64> {
    let milliseconds = ((ended - started) * 1e3).round();
    (0.0..1e9).contains(&milliseconds).then_some(milliseconds as i64)
}
