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
use serde_json::Value;

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
    /// A count is not a whole number of zero or more.
    #[error("{field} is not a whole number of zero or more")]
    NotACount {
        /// The field.
        field: String,
    },
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
/// of the audio was cached: as much as must have been, for both to be true.
fn overlap(usage: &mut ProviderUsage) {
    let Tokens { input, cached_input, cache_write, .. } = usage.tokens;
    let kinds = [
        (Unit::AudioInputTokens, Unit::CachedAudioInputTokens),
        (Unit::ImageInputTokens, Unit::CachedImageInputTokens),
        (Unit::VideoInputTokens, Unit::CachedVideoInputTokens),
    ];
    let mut rest = input - cached_input - cache_write;
    let mut cached_rest = cached_input;
    for (_, cached) in kinds {
        cached_rest -= usage.units.get(cached);
    }
    for (all, cached) in kinds {
        let said = usage.units.get(cached);
        let fresh = usage.units.get(all) - said;
        let over = (fresh - rest).clamp(0, cached_rest.max(0));
        usage.units.set(cached, said + over);
        cached_rest -= over;
        rest -= fresh - over;
    }
}

#[cfg(test)]
mod tests;
