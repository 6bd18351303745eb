//! What a key of LiteLLM's file prices: of what, in which service tier, above which context size.

use event_schemas::{Measure, Unit};

use super::Why;

/// A key that prices something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) measure: Measure,
    /// How many places its number is moved by, to be for as many as our rates are.
    pub(super) places: i32,
    pub(super) tier: Option<&'static str>,
    /// For requests with more input tokens than this.
    pub(super) above: Option<i64>,
}

/// What a key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Priced {
    /// Nothing about a price.
    Nothing,
    /// A price.
    By(Key),
    /// Prices of searches by the size of the context that they bring.
    SearchContext,
    /// Prices by ranges of context size.
    Ranges,
    /// A price that cannot be taken.
    Skipped(Why),
}

/// How the file marks a service tier, and what providers call it.
const TIERS: [(&str, &str); 6] = [
    ("_batches", "batch"),
    ("_priority", "priority"),
    ("_flex", "flex"),
    ("_ultrafast", "ultrafast"),
    ("_balanced", "balanced"),
    ("_decisions", "decisions"),
];

/// Keys with `cost` in them that are no prices, or whose price is taken by another name.
const NO_PRICES: [&str; 1] = ["input_cost_per_token_cache_hit"];

pub(super) fn key(word: &str, mode: &str) -> Priced {
    match word {
        "search_context_cost_per_query" => return Priced::SearchContext,
        "tiered_pricing" => return Priced::Ranges,
        // See `other_names`.
        "output_cost_per_second" if mode == "audio_transcription" => return Priced::Nothing,
        _ if NO_PRICES.contains(&word) || !word.contains("cost") => return Priced::Nothing,
        _ => {}
    }
    let tier = TIERS.into_iter().find_map(|(end, tier)| Some((word.strip_suffix(end)?, tier)));
    let (rest, tier) = tier.map_or((word, None), |(rest, tier)| (rest, Some(tier)));
    let (stem, above) = match threshold(rest) {
        Some((stem, above)) => (stem, Some(above)),
        None => (rest, None),
    };
    match measure(stem, mode) {
        Ok((measure, places)) => Priced::By(Key { measure, places, tier, above }),
        Err(why) => Priced::Skipped(why),
    }
}

/// `input_cost_per_token_above_200k_tokens`
fn threshold(word: &str) -> Option<(&str, i64)> {
    let (stem, thousands) = word.strip_suffix("k_tokens")?.rsplit_once("_above_")?;
    Some((stem, thousands.parse::<i64>().ok()?.checked_mul(1_000)?))
}

/// What is priced, and by how many places the number moves: from one token to a million, from one
/// search to a thousand, from a second to a thousand.
fn measure(stem: &str, mode: &str) -> Result<(Measure, i32), Why> {
    use Unit as U;
    let (measure, places) = match stem {
        "input_cost_per_token" => (Measure::Input, 6),
        "cache_read_input_token_cost" => (Measure::CachedInput, 6),
        "cache_creation_input_token_cost" => (Measure::CacheWrite, 6),
        "output_cost_per_token" => (Measure::Output, 6),
        "output_cost_per_reasoning_token" => (Measure::Reasoning, 6),
        _ => {
            let (unit, places) = match stem {
                "cache_creation_input_token_cost_above_1hr" => (U::CacheWrite1hTokens, 6),
                "cache_creation_input_token_cost_above_12hr" => (U::CacheWrite12hTokens, 6),
                "cache_creation_input_audio_token_cost" => (U::CacheWriteAudioTokens, 6),
                "cache_read_input_audio_token_cost" => (U::CachedAudioInputTokens, 6),
                "cache_read_input_image_token_cost" => (U::CachedImageInputTokens, 6),
                "input_cost_per_audio_token" => (U::AudioInputTokens, 6),
                "input_cost_per_image_token" => (U::ImageInputTokens, 6),
                "input_cost_per_video_token" => (U::VideoInputTokens, 6),
                "output_cost_per_audio_token" => (U::AudioOutputTokens, 6),
                "output_cost_per_image_token" => (U::ImageOutputTokens, 6),
                "output_cost_per_video_token" => (U::VideoOutputTokens, 6),
                "citation_cost_per_token" => (U::CitationTokens, 6),
                "input_cost_per_character" => (U::InputCharacters, 6),
                "output_cost_per_character" => (U::OutputCharacters, 6),
                "input_cost_per_pixel" => (U::InputPixels, 6),
                "output_cost_per_pixel" => (U::OutputPixels, 6),
                "input_cost_per_image" => (U::InputImages, 0),
                "output_cost_per_image" => (U::OutputImages, 0),
                "input_cost_per_request" => (U::Requests, 3),
                "input_cost_per_query" => (U::Queries, 3),
                "google_maps_grounding_cost_per_query" => (U::MapSearches, 3),
                "file_search_cost_per_1k_calls" => (U::FileSearches, 0),
                "code_interpreter_cost_per_session" => (U::CodeInterpreterSessions, 0),
                "ocr_cost_per_page" => (U::Pages, 0),
                "annotation_cost_per_page" => (U::AnnotatedPages, 0),
                "input_cost_per_audio_per_second" => (U::InputAudioMs, 3),
                "input_cost_per_video_per_second" => (U::InputVideoMs, 3),
                "output_cost_per_video_per_second" => (U::OutputVideoMs, 3),
                "output_cost_per_second_480p" => (U::OutputVideo480pMs, 3),
                "output_cost_per_second_720p" => (U::OutputVideo720pMs, 3),
                "output_cost_per_second_1080p" => (U::OutputVideo1080pMs, 3),
                "output_cost_per_second_4k" => (U::OutputVideo4kMs, 3),
                "input_cost_per_second" | "output_cost_per_second" | "cost_per_second" => {
                    (seconds_of(stem, mode), 3)
                }
                _ => return Err(unknown(stem)),
            };
            (Measure::Unit(unit), places)
        }
    };
    Ok((measure, places))
}

/// A second of what: that hangs on what the model does.
fn seconds_of(stem: &str, mode: &str) -> Unit {
    match (mode, stem) {
        ("audio_transcription" | "realtime", _) => Unit::InputAudioMs,
        ("audio_speech", _) => Unit::OutputAudioMs,
        ("video_generation", _) => Unit::OutputVideoMs,
        (_, _) => Unit::ComputeMs,
    }
}

fn unknown(stem: &str) -> Why {
    let by_size = ["output_cost_per_image_", "output_cost_per_second_"];
    let conditional = stem.contains("_above_")
        || stem.starts_with("explicit_cache_")
        || by_size.iter().any(|begin| stem.starts_with(begin));
    if conditional { Why::UnknownCondition } else { Why::NoUnit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_what_in_which_tier_above_which_size() {
        let by = |measure, tier, above| Priced::By(Key { measure, places: 6, tier, above });
        for (word, said) in [
            ("input_cost_per_token", by(Measure::Input, None, None)),
            ("output_cost_per_token_batches", by(Measure::Output, Some("batch"), None)),
            (
                "cache_creation_input_token_cost_above_12hr_above_272k_tokens_flex",
                by(Measure::Unit(Unit::CacheWrite12hTokens), Some("flex"), Some(272_000)),
            ),
            (
                "cache_creation_input_token_cost_above_1hr",
                by(Measure::Unit(Unit::CacheWrite1hTokens), None, None),
            ),
            ("max_tokens", Priced::Nothing),
            ("input_dbu_cost_per_token", Priced::Skipped(Why::NoUnit)),
            ("output_cost_per_image_1024", Priced::Skipped(Why::UnknownCondition)),
            (
                "input_cost_per_video_per_second_above_8s_interval",
                Priced::Skipped(Why::UnknownCondition),
            ),
        ] {
            assert_eq!(key(word, "chat"), said, "{word}");
        }
        let second = |mode| match key("input_cost_per_second", mode) {
            Priced::By(key) => key.measure,
            other => panic!("{other:?}"),
        };
        assert_eq!(second("audio_transcription"), Measure::Unit(Unit::InputAudioMs));
        assert_eq!(second("chat"), Measure::Unit(Unit::ComputeMs));
    }
}
