//! Each provider's usage object, field by field.

use event_schemas::Unit;
use serde_json::Value;

use super::TOKENS_MAX;
use super::provider_usage::{ProviderUsage, UnreadableUsage};
use crate::pricing::Tokens;

type Read<T> = Result<T, UnreadableUsage>;

/// An object with counts in it.
#[derive(Clone, Copy)]
struct Counts<'a>(&'a Value);

impl<'a> Counts<'a> {
    fn of(answer: &'a Value, pointer: &str, field: &'static str) -> Read<Self> {
        let found = answer.pointer(pointer).filter(|value| value.is_object());
        found.map(Self).ok_or(UnreadableUsage::Missing { field })
    }

    /// The count at a path; none where it is not said.
    fn said(self, path: &str) -> Read<Option<i64>> {
        match self.0.pointer(path) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let count = value.as_i64().filter(|count| (0..=TOKENS_MAX).contains(count));
                count.map(Some).ok_or_else(|| UnreadableUsage::NotACount {
                    field: path[1..].replace('/', "."),
                })
            }
        }
    }

    /// The count at a path; zero where it is not said.
    fn get(self, path: &str) -> Read<i64> {
        Ok(self.said(path)?.unwrap_or(0))
    }

    /// The count that must be there.
    fn required(self, path: &'static str) -> Read<i64> {
        self.said(path)?.ok_or(UnreadableUsage::Missing { field: path.trim_start_matches('/') })
    }

    fn units(self, paths: &[(Unit, &str)]) -> Read<event_schemas::Units> {
        let counts = paths.iter().map(|(unit, path)| Ok((*unit, self.get(path)?)));
        counts.collect()
    }
}

fn usage(answer: &Value) -> Read<Counts<'_>> {
    Counts::of(answer, "/usage", "usage")
}

/// Cached tokens are in the prompt, reasoning is in the completion.
pub(super) fn openai_chat(answer: &Value) -> Read<ProviderUsage> {
    let usage = usage(answer)?;
    let cached = match usage.said("/prompt_tokens_details/cached_tokens")? {
        Some(cached) => cached,
        // Of DeepSeek, and of those that say it beside the details.
        None => match usage.said("/prompt_cache_hit_tokens")? {
            Some(cached) => cached,
            None => usage.get("/cached_tokens")?,
        },
    };
    let tokens = Tokens {
        input: usage.required("/prompt_tokens")?,
        cached_input: cached,
        cache_write: usage.get("/prompt_tokens_details/cache_write_tokens")?,
        output: usage.get("/completion_tokens")?,
        reasoning: match usage.said("/completion_tokens_details/reasoning_tokens")? {
            Some(reasoning) => reasoning,
            None => usage.get("/reasoning_tokens")?,
        },
    };
    let units = usage.units(&[
        (Unit::AudioInputTokens, "/prompt_tokens_details/audio_tokens"),
        (Unit::ImageInputTokens, "/prompt_tokens_details/image_tokens"),
        (Unit::VideoInputTokens, "/prompt_tokens_details/video_tokens"),
        (Unit::AudioOutputTokens, "/completion_tokens_details/audio_tokens"),
        (Unit::ImageOutputTokens, "/completion_tokens_details/image_tokens"),
    ])?;
    Ok(ProviderUsage { tokens, units, ..ProviderUsage::default() })
}

pub(super) fn openai_responses(answer: &Value) -> Read<ProviderUsage> {
    let usage = usage(answer)?;
    let tokens = Tokens {
        input: usage.required("/input_tokens")?,
        cached_input: usage.get("/input_tokens_details/cached_tokens")?,
        cache_write: usage.get("/input_tokens_details/cache_write_tokens")?,
        output: usage.required("/output_tokens")?,
        reasoning: usage.get("/output_tokens_details/reasoning_tokens")?,
    };
    Ok(ProviderUsage { tokens, ..ProviderUsage::default() })
}

pub(super) fn openai_realtime(answer: &Value) -> Read<ProviderUsage> {
    let usage = Counts::of(answer, "/response/usage", "response.usage")?;
    let tokens = Tokens {
        input: usage.get("/input_tokens")?,
        cached_input: usage.get("/input_token_details/cached_tokens")?,
        output: usage.get("/output_tokens")?,
        ..Tokens::default()
    };
    let cached = "/input_token_details/cached_tokens_details";
    let units = usage.units(&[
        (Unit::AudioInputTokens, "/input_token_details/audio_tokens"),
        (Unit::ImageInputTokens, "/input_token_details/image_tokens"),
        (Unit::CachedAudioInputTokens, &format!("{cached}/audio_tokens")),
        (Unit::CachedImageInputTokens, &format!("{cached}/image_tokens")),
        (Unit::AudioOutputTokens, "/output_token_details/audio_tokens"),
    ])?;
    Ok(ProviderUsage { tokens, units, ..ProviderUsage::default() })
}

pub(super) fn openai_images(answer: &Value) -> Read<ProviderUsage> {
    let usage = usage(answer)?;
    let tokens = Tokens {
        input: usage.required("/input_tokens")?,
        output: usage.required("/output_tokens")?,
        ..Tokens::default()
    };
    // What makes images answers in images, whether it says so or not.
    let text = usage.get("/output_tokens_details/text_tokens")?;
    let images = usage.said("/output_tokens_details/image_tokens")?;
    let mut units =
        usage.units(&[(Unit::ImageInputTokens, "/input_tokens_details/image_tokens")])?;
    units.set(Unit::ImageOutputTokens, images.unwrap_or((tokens.output - text).max(0)));
    Ok(ProviderUsage { tokens, units, ..ProviderUsage::default() })
}

pub(super) fn openai_embeddings(answer: &Value) -> Read<ProviderUsage> {
    let input = usage(answer)?.required("/prompt_tokens")?;
    Ok(ProviderUsage { tokens: Tokens { input, ..Tokens::default() }, ..ProviderUsage::default() })
}

/// Cached and written tokens stand beside the input.
pub(super) fn anthropic(answer: &Value) -> Read<ProviderUsage> {
    let usage = usage(answer)?;
    let cached_input = usage.get("/cache_read_input_tokens")?;
    let cache_write = usage.get("/cache_creation_input_tokens")?;
    let tokens = Tokens {
        input: usage.required("/input_tokens")? + cached_input + cache_write,
        cached_input,
        cache_write,
        output: usage.required("/output_tokens")?,
        reasoning: usage.get("/output_tokens_details/thinking_tokens")?,
    };
    let units = usage.units(&[
        (Unit::CacheWrite1hTokens, "/cache_creation/ephemeral_1h_input_tokens"),
        (Unit::WebSearches, "/server_tool_use/web_search_requests"),
    ])?;
    Ok(ProviderUsage { tokens, units, ..ProviderUsage::default() })
}

/// Cached tokens are in the prompt; thoughts stand beside the candidates, and the prompts of tools
/// beside the prompt.
pub(super) fn google(answer: &Value) -> Read<ProviderUsage> {
    let usage = Counts::of(answer, "/usageMetadata", "usageMetadata")?;
    let reasoning = usage.get("/thoughtsTokenCount")?;
    let tokens = Tokens {
        input: usage.get("/promptTokenCount")? + usage.get("/toolUsePromptTokenCount")?,
        cached_input: usage.get("/cachedContentTokenCount")?,
        cache_write: 0,
        output: usage.get("/candidatesTokenCount")? + reasoning,
        reasoning,
    };
    let (input, cached, output) = (
        ["promptTokensDetails", "toolUsePromptTokensDetails"].as_slice(),
        ["cacheTokensDetails"].as_slice(),
        ["candidatesTokensDetails"].as_slice(),
    );
    let audio = ["AUDIO"].as_slice();
    // A document is read as images of its pages.
    let image = ["IMAGE", "DOCUMENT"].as_slice();
    let video = ["VIDEO"].as_slice();
    let units = [
        (Unit::AudioInputTokens, input, audio),
        (Unit::ImageInputTokens, input, image),
        (Unit::VideoInputTokens, input, video),
        (Unit::CachedAudioInputTokens, cached, audio),
        (Unit::CachedImageInputTokens, cached, image),
        (Unit::CachedVideoInputTokens, cached, video),
        (Unit::AudioOutputTokens, output, audio),
        (Unit::ImageOutputTokens, output, image),
        (Unit::VideoOutputTokens, output, video),
    ];
    let counted = units
        .into_iter()
        .map(|(unit, details, modalities)| Ok((unit, of_modality(usage, details, modalities)?)));
    let units = counted.collect::<Read<_>>()?;
    Ok(ProviderUsage { tokens, units, ..ProviderUsage::default() })
}

/// How many tokens lists of details have of a modality.
fn of_modality(usage: Counts<'_>, details: &[&str], modalities: &[&str]) -> Read<i64> {
    let mut sum = 0;
    for list in details.iter().filter_map(|name| usage.0.get(name)?.as_array()) {
        for detail in list {
            let modality = detail.get("modality").and_then(Value::as_str).unwrap_or_default();
            if modalities.contains(&modality) {
                sum += Counts(detail).get("/tokenCount")?;
            }
        }
    }
    Ok(sum)
}

/// Cached and written tokens stand beside the input.
pub(super) fn bedrock_converse(answer: &Value) -> Read<ProviderUsage> {
    let usage = usage(answer)?;
    let cached_input = usage.get("/cacheReadInputTokens")?;
    let cache_write = usage.get("/cacheWriteInputTokens")?;
    let tokens = Tokens {
        input: usage.required("/inputTokens")? + cached_input + cache_write,
        cached_input,
        cache_write,
        output: usage.required("/outputTokens")?,
        reasoning: 0,
    };
    Ok(ProviderUsage { tokens, ..ProviderUsage::default() })
}

/// What was billed, where that is said.
pub(super) fn cohere(answer: &Value) -> Read<ProviderUsage> {
    let places = ["/usage/billed_units", "/meta/billed_units", "/usage/tokens"];
    let counts = places
        .iter()
        .find_map(|place| answer.pointer(place).filter(|found| found.is_object()))
        .map(Counts)
        .ok_or(UnreadableUsage::Missing { field: "usage.billed_units" })?;
    let tokens = Tokens {
        input: counts.get("/input_tokens")?,
        output: counts.get("/output_tokens")?,
        ..Tokens::default()
    };
    let units = counts.units(&[(Unit::Queries, "/search_units")])?;
    Ok(ProviderUsage { tokens, units, ..ProviderUsage::default() })
}

/// As of OpenAI's chat, with the reasoning beside the completion.
pub(super) fn xai(answer: &Value) -> Read<ProviderUsage> {
    let mut read = openai_chat(answer)?;
    let usage = usage(answer)?;
    if let Some(cached) = usage.said("/cached_prompt_text_tokens")? {
        read.tokens.cached_input = cached;
    }
    read.tokens.output += read.tokens.reasoning;
    Ok(read)
}

/// As of OpenAI's chat, with reasoning and citations beside the completion.
pub(super) fn perplexity(answer: &Value) -> Read<ProviderUsage> {
    let mut read = openai_chat(answer)?;
    let usage = usage(answer)?;
    let citations = usage.get("/citation_tokens")?;
    read.tokens.output += read.tokens.reasoning + citations;
    read.units.set(Unit::CitationTokens, citations);
    read.units.set(Unit::WebSearches, usage.get("/num_search_queries")?);
    Ok(read)
}
