//! What a provider's own usage object says, in the words of a usage record.
//!
//! Providers count differently. OpenAI and those who speak its language count cached tokens within
//! the input and reasoning within the output. Anthropic counts cached and written tokens beside the
//! input, Google its thoughts beside the output, xAI and Perplexity their reasoning beside it. A
//! record has one convention: **totals include their parts**.
//!
//! Which field of which provider becomes what follows the public documentation of each, as
//! collected in pydantic/genai-prices (MIT).

use event_schemas::{Unit, Units};
use serde_json::{Map, Value};

use super::TOKENS_MAX;
use super::provider_shapes as shapes;
use crate::pricing::Tokens;

/// How an answer of a provider says what was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageShape {
    /// `usage` of chat completions, of OpenAI and all who speak its language: Azure, DeepSeek,
    /// Groq, Mistral, OpenRouter, Together and others.
    OpenAiChat,
    /// `usage` of OpenAI's responses.
    OpenAiResponses,
    /// `response.usage` of OpenAI's realtime events.
    OpenAiRealtime,
    /// `usage` of OpenAI's images.
    OpenAiImages,
    /// `usage` of embeddings: input alone.
    OpenAiEmbeddings,
    /// `usage` of Anthropic's messages, wherever they are served.
    Anthropic,
    /// `usageMetadata` of Gemini.
    Google,
    /// `usage` of Bedrock's converse.
    BedrockConverse,
    /// `usage` of Cohere's chat, or `meta` of its embeddings.
    Cohere,
    /// `usage` of xAI: its language is OpenAI's, its reasoning stands beside the output.
    XAi,
    /// `usage` of Perplexity: reasoning and citations stand beside the output.
    Perplexity,
}

impl UsageShape {
    /// The shape of the answers of a provider's API. Providers have their names of
    /// pydantic/genai-prices; APIs too: `chat`, `responses`, `anthropic`, `embeddings`, `realtime`,
    /// `images`, or `default` for the provider's own.
    pub fn of(provider: &str, api: &str) -> Option<Self> {
        Some(match (provider, api) {
            ("x-ai", "default" | "chat") => Self::XAi,
            ("perplexity", "default" | "chat") => Self::Perplexity,
            ("cohere", "default" | "tokens" | "embeddings") => Self::Cohere,
            ("google", "default") => Self::Google,
            ("aws", "default") => Self::BedrockConverse,
            ("anthropic" | "minimax", "default") | (_, "anthropic") => Self::Anthropic,
            (_, "responses") => Self::OpenAiResponses,
            (_, "realtime") => Self::OpenAiRealtime,
            (_, "images") => Self::OpenAiImages,
            (_, "embeddings") => Self::OpenAiEmbeddings,
            (_, "chat" | "default") => Self::OpenAiChat,
            (_, _) => return None,
        })
    }

    /// The shape of a usage object that stands alone, by the fields that it has. Those who speak
    /// OpenAI's language and count otherwise are known by the provider's name.
    pub fn of_object(provider: &str, object: &Map<String, Value>) -> Option<Self> {
        let has = |fields: &[&str]| fields.iter().any(|field| object.contains_key(*field));
        let says = |details: &str, fields: &[&str]| {
            let details = object.get(details);
            details.is_some_and(|details| fields.iter().any(|field| details.get(field).is_some()))
        };
        if has(&["prompt_tokens"]) {
            return Some(match &*provider.to_ascii_lowercase() {
                "x-ai" | "x_ai" | "xai" => Self::XAi,
                "perplexity" => Self::Perplexity,
                _ => Self::OpenAiChat,
            });
        }
        if has(&["promptTokenCount", "candidatesTokenCount", "totalTokenCount"]) {
            return Some(Self::Google);
        }
        if has(&["inputTokens"]) {
            return Some(Self::BedrockConverse);
        }
        if has(&["billed_units", "tokens"]) {
            return Some(Self::Cohere);
        }
        if !has(&["input_tokens"]) {
            return None;
        }
        let beside = ["cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation"];
        Some(
            if has(&beside)
                || has(&["server_tool_use"])
                || says("output_tokens_details", &["thinking_tokens"])
            {
                Self::Anthropic
            } else if has(&["input_token_details", "output_token_details"]) {
                Self::OpenAiRealtime
            } else if says("input_tokens_details", &["text_tokens", "image_tokens"])
                && !says("input_tokens_details", &["cached_tokens"])
            {
                Self::OpenAiImages
            } else {
                Self::OpenAiResponses
            },
        )
    }
}

/// What was used, in the words of a usage record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProviderUsage {
    /// The model that answered, where the answer says so.
    pub model: Option<String>,
    /// The tokens.
    pub tokens: Tokens,
    /// What else was used.
    pub units: Units,
    /// The service tier; none for the plain one.
    pub service_tier: Option<String>,
}

/// Why an answer could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableUsage {
    /// The object that says what was used is not there.
    #[error("there is no {field}")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A count is none, or absurdly large.
    #[error("{field} is not a whole number between 0 and {TOKENS_MAX}")]
    NotACount {
        /// The field.
        field: String,
    },
    /// No provider's usage object has the fields that it has.
    #[error("it has the fields of no provider's usage object")]
    Unknown,
}

/// Reads a provider's usage object alone, which its answer has as `usage` (Google's as
/// `usageMetadata`).
pub fn usage_object(
    provider: &str,
    object: Map<String, Value>,
) -> Result<ProviderUsage, UnreadableUsage> {
    let shape = UsageShape::of_object(provider, &object).ok_or(UnreadableUsage::Unknown)?;
    let within = |field: &str, value| Value::Object(Map::from_iter([(field.to_owned(), value)]));
    let object = Value::Object(object);
    let answer = match shape {
        UsageShape::Google => within("usageMetadata", object),
        UsageShape::OpenAiRealtime => within("response", within("usage", object)),
        UsageShape::OpenAiChat
        | UsageShape::OpenAiResponses
        | UsageShape::OpenAiImages
        | UsageShape::OpenAiEmbeddings
        | UsageShape::Anthropic
        | UsageShape::BedrockConverse
        | UsageShape::Cohere
        | UsageShape::XAi
        | UsageShape::Perplexity => within("usage", object),
    };
    provider_usage(shape, &answer)
}

/// Reads what a provider's answer says was used.
pub fn provider_usage(shape: UsageShape, answer: &Value) -> Result<ProviderUsage, UnreadableUsage> {
    let mut usage = match shape {
        UsageShape::OpenAiChat => shapes::openai_chat(answer)?,
        UsageShape::OpenAiResponses => shapes::openai_responses(answer)?,
        UsageShape::OpenAiRealtime => shapes::openai_realtime(answer)?,
        UsageShape::OpenAiImages => shapes::openai_images(answer)?,
        UsageShape::OpenAiEmbeddings => shapes::openai_embeddings(answer)?,
        UsageShape::Anthropic => shapes::anthropic(answer)?,
        UsageShape::Google => shapes::google(answer)?,
        UsageShape::BedrockConverse => shapes::bedrock_converse(answer)?,
        UsageShape::Cohere => shapes::cohere(answer)?,
        UsageShape::XAi => shapes::xai(answer)?,
        UsageShape::Perplexity => shapes::perplexity(answer)?,
    };
    let model = answer.get("model").or_else(|| answer.get("modelVersion"));
    usage.model = model.and_then(Value::as_str).map(str::to_owned);
    usage.service_tier = service_tier(answer);
    overlap(&mut usage);
    Ok(usage)
}

/// The tier by which the provider says it served; none for its plain one.
fn service_tier(answer: &Value) -> Option<String> {
    let places = [
        "/usage/service_tier",
        "/service_tier",
        "/usageMetadata/serviceTier",
        "/response/service_tier",
    ];
    let said = places.iter().find_map(|place| answer.pointer(place)?.as_str())?;
    let tier = said.trim().to_lowercase();
    let plain = ["", "auto", "default", "standard", "on_demand", "unspecified"];
    (!plain.contains(&&*tier)).then_some(tier)
}

/// Where a provider says how much of the input was audio and how much was cached, but not how much
/// of the audio was cached: as much as must have been, for both to be true. Counts may be anything:
/// nothing overflows.
pub fn overlap(usage: &mut ProviderUsage) {
    let Tokens { input, cached_input, cache_write, .. } = usage.tokens;
    let kinds = [
        (Unit::AudioInputTokens, Unit::CachedAudioInputTokens),
        (Unit::ImageInputTokens, Unit::CachedImageInputTokens),
        (Unit::VideoInputTokens, Unit::CachedVideoInputTokens),
    ];
    let mut rest = input.saturating_sub(cached_input).saturating_sub(cache_write);
    let mut cached_rest = cached_input;
    for (_, cached) in kinds {
        cached_rest = cached_rest.saturating_sub(usage.units.get(cached));
    }
    for (all, cached) in kinds {
        let said = usage.units.get(cached);
        let fresh = usage.units.get(all).saturating_sub(said);
        let over = fresh.saturating_sub(rest).clamp(0, cached_rest.max(0));
        usage.units.set(cached, said.saturating_add(over));
        cached_rest -= over;
        rest = rest.saturating_sub(fresh.saturating_sub(over));
    }
}

#[cfg(test)]
mod tests;
