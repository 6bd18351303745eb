//! What a request used beside the five counts of tokens that every record has.
//!
//! One convention for all of it: **a total includes its parts**. `audio_input_tokens` are in
//! `input_tokens`, `cache_write_1h_tokens` in `cache_write_tokens`; [`Unit::part_of`] says of each
//! what it is in. Names follow OpenTelemetry's conventions for generative AI where it has one.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::roles::words;

words! {
    /// What is counted, and may have a price of its own.
    Unit, "a unit of usage" {
        /// Input tokens written to the provider's cache for one hour; in `cache_write_tokens`.
        CacheWrite1hTokens = "cache_write_1h_tokens",
        /// Input tokens written to the provider's cache for twelve hours or more; in
        /// `cache_write_tokens`.
        CacheWrite12hTokens = "cache_write_12h_tokens",
        /// Audio in the input, in tokens; in `input_tokens`.
        AudioInputTokens = "audio_input_tokens",
        /// Audio that came out of the provider's cache; in `cached_input_tokens` and in
        /// `audio_input_tokens`.
        CachedAudioInputTokens = "cached_audio_input_tokens",
        /// Audio that was written to the provider's cache; in `cache_write_tokens` and in
        /// `audio_input_tokens`.
        CacheWriteAudioTokens = "cache_write_audio_tokens",
        /// Images and documents in the input, in tokens; in `input_tokens`.
        ImageInputTokens = "image_input_tokens",
        /// Images that came out of the provider's cache; in `cached_input_tokens` and in
        /// `image_input_tokens`.
        CachedImageInputTokens = "cached_image_input_tokens",
        /// Video in the input, in tokens; in `input_tokens`.
        VideoInputTokens = "video_input_tokens",
        /// Video that came out of the provider's cache; in `cached_input_tokens` and in
        /// `video_input_tokens`.
        CachedVideoInputTokens = "cached_video_input_tokens",
        /// Audio in the output, in tokens; in `output_tokens`.
        AudioOutputTokens = "audio_output_tokens",
        /// Images in the output, in tokens; in `output_tokens`.
        ImageOutputTokens = "image_output_tokens",
        /// Video in the output, in tokens; in `output_tokens`.
        VideoOutputTokens = "video_output_tokens",
        /// Citations, in tokens; in `output_tokens`.
        CitationTokens = "citation_tokens",
        /// Requests to the provider. Where a record says nothing it is one, or none where the
        /// request failed.
        Requests = "requests",
        /// Searches of the web, whatever context they brought.
        WebSearches = "web_searches",
        /// Searches of the web that brought a small context; in `web_searches`.
        LowContextWebSearches = "low_context_web_searches",
        /// Searches of the web that brought a large context; in `web_searches`.
        HighContextWebSearches = "high_context_web_searches",
        /// Look-ups on maps.
        MapSearches = "map_searches",
        /// Searches of the customer's own files at the provider.
        FileSearches = "file_searches",
        /// Queries of a search or ranking model.
        Queries = "queries",
        /// Sessions of the provider's code interpreter.
        CodeInterpreterSessions = "code_interpreter_sessions",
        /// Images in the input, by number.
        InputImages = "input_images",
        /// Images in the output, by number.
        OutputImages = "output_images",
        /// Pixels in the input.
        InputPixels = "input_pixels",
        /// Pixels in the output.
        OutputPixels = "output_pixels",
        /// Characters in the input.
        InputCharacters = "input_characters",
        /// Characters in the output.
        OutputCharacters = "output_characters",
        /// Audio in the input, in milliseconds.
        InputAudioMs = "input_audio_ms",
        /// Audio in the output, in milliseconds.
        OutputAudioMs = "output_audio_ms",
        /// Video in the input, in milliseconds.
        InputVideoMs = "input_video_ms",
        /// Video in the output, in milliseconds, of any resolution.
        OutputVideoMs = "output_video_ms",
        /// Video in the output of 480 lines, in milliseconds; in `output_video_ms`.
        OutputVideo480pMs = "output_video_480p_ms",
        /// Video in the output of 720 lines, in milliseconds; in `output_video_ms`.
        OutputVideo720pMs = "output_video_720p_ms",
        /// Video in the output of 1,080 lines, in milliseconds; in `output_video_ms`.
        OutputVideo1080pMs = "output_video_1080p_ms",
        /// Video in the output of 2,160 lines, in milliseconds; in `output_video_ms`.
        OutputVideo4kMs = "output_video_4k_ms",
        /// Time on the provider's machines, in milliseconds.
        ComputeMs = "compute_ms",
        /// Pages read by a model that reads documents.
        Pages = "pages",
        /// Pages with annotations; in `pages`.
        AnnotatedPages = "annotated_pages",
    }
}

/// What a unit is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// `input_tokens`.
    Input,
    /// `cached_input_tokens`.
    CachedInput,
    /// `cache_write_tokens`.
    CacheWrite,
    /// `output_tokens`.
    Output,
    /// Another unit.
    Unit(Unit),
}

impl Unit {
    /// What it is in, so that it is not counted twice: a total includes its parts.
    pub const fn part_of(self) -> &'static [Whole] {
        use Unit as U;
        match self {
            U::CacheWrite1hTokens | U::CacheWrite12hTokens => &[Whole::CacheWrite],
            U::AudioInputTokens | U::ImageInputTokens | U::VideoInputTokens => &[Whole::Input],
            U::CachedAudioInputTokens => &[Whole::CachedInput, Whole::Unit(U::AudioInputTokens)],
            U::CacheWriteAudioTokens => &[Whole::CacheWrite, Whole::Unit(U::AudioInputTokens)],
            U::CachedImageInputTokens => &[Whole::CachedInput, Whole::Unit(U::ImageInputTokens)],
            U::CachedVideoInputTokens => &[Whole::CachedInput, Whole::Unit(U::VideoInputTokens)],
            U::AudioOutputTokens
            | U::ImageOutputTokens
            | U::VideoOutputTokens
            | U::CitationTokens => &[Whole::Output],
            U::LowContextWebSearches | U::HighContextWebSearches => &[Whole::Unit(U::WebSearches)],
            U::OutputVideo480pMs
            | U::OutputVideo720pMs
            | U::OutputVideo1080pMs
            | U::OutputVideo4kMs => &[Whole::Unit(U::OutputVideoMs)],
            U::AnnotatedPages => &[Whole::Unit(U::Pages)],
            U::Requests
            | U::WebSearches
            | U::MapSearches
            | U::FileSearches
            | U::Queries
            | U::CodeInterpreterSessions
            | U::InputImages
            | U::OutputImages
            | U::InputPixels
            | U::OutputPixels
            | U::InputCharacters
            | U::OutputCharacters
            | U::InputAudioMs
            | U::OutputAudioMs
            | U::InputVideoMs
            | U::OutputVideoMs
            | U::ComputeMs
            | U::Pages => &[],
        }
    }
}

/// Counts by unit, in the units' order; a unit that is not there was not used. Most records have
/// none, and then nothing is allocated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Units(Vec<(Unit, i64)>);

impl Units {
    /// None.
    pub const NONE: Self = Self(Vec::new());

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much of a unit was used.
    pub fn get(&self, unit: Unit) -> i64 {
        self.stated(unit).unwrap_or(0)
    }

    /// How much of a unit was used, where the record says so: of [`Unit::Requests`] zero is
    /// something else than silence.
    pub fn stated(&self, unit: Unit) -> Option<i64> {
        self.0.iter().find(|(known, _)| *known == unit).map(|(_, count)| *count)
    }

    /// Sets the count of a unit. Zero is the same as silence, but for [`Unit::Requests`].
    pub fn set(&mut self, unit: Unit, count: i64) {
        let silent = count == 0 && unit != Unit::Requests;
        match self.0.binary_search_by_key(&unit, |(known, _)| *known) {
            Ok(place) if silent => {
                self.0.remove(place);
            }
            Ok(place) => self.0[place].1 = count,
            Err(_) if silent => {}
            Err(place) => self.0.insert(place, (unit, count)),
        }
    }

    /// The counts that are there, in the units' order.
    pub fn iter(&self) -> impl Iterator<Item = (Unit, i64)> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<(Unit, i64)> for Units {
    fn from_iter<I: IntoIterator<Item = (Unit, i64)>>(counts: I) -> Self {
        let mut units = Self::NONE;
        for (unit, count) in counts {
            units.set(unit, count);
        }
        units
    }
}

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (unit, count) in &self.0 {
            map.serialize_entry(unit, count)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Counts;
        impl<'de> Visitor<'de> for Counts {
            type Value = Units;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("counts by unit")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Units, A::Error> {
                let mut units = Units::NONE;
                while let Some((unit, count)) = map.next_entry::<Unit, i64>()? {
                    if units.stated(unit).is_some() {
                        let why = format!("duplicate field `{unit}`");
                        return Err(serde::de::Error::custom(why));
                    }
                    units.set(unit, count);
                }
                Ok(units)
            }
        }
        deserializer.deserialize_map(Counts)
    }
}

impl JsonSchema for Units {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Units".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Unit::ALL.iter().map(|unit| unit.as_str()).collect();
        json_schema!({
            "type": "object",
            "propertyNames": { "enum": names },
            "additionalProperties": { "type": "integer", "format": "int64", "minimum": 0 },
            "description": "Counts by unit. A total includes its parts: audio_input_tokens are in input_tokens."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_a_map_in_one_order_without_zeros() {
        let units: Units = [(Unit::WebSearches, 2), (Unit::AudioInputTokens, 5), (Unit::Pages, 0)]
            .into_iter()
            .collect();
        let text = serde_json::to_string(&units).unwrap();
        assert_eq!(text, r#"{"audio_input_tokens":5,"web_searches":2}"#);
        assert_eq!(serde_json::from_str::<Units>(&text).unwrap(), units);
        assert_eq!((units.get(Unit::Pages), units.stated(Unit::Pages)), (0, None));
        let none: Units = serde_json::from_str(r#"{"requests":0,"pages":0}"#).unwrap();
        assert_eq!(none.stated(Unit::Requests), Some(0));
        assert_eq!(none.iter().count(), 1);
    }

    #[test]
    fn a_unit_that_is_unknown_or_twice_there_is_named() {
        for (text, named) in [
            (r#"{"tokens":1}"#, "unknown variant `tokens`"),
            (r#"{"pages":1,"pages":2}"#, "duplicate field `pages`"),
            (r#"{"pages":1.5}"#, "invalid type: floating point"),
        ] {
            let error = serde_json::from_str::<Units>(text).unwrap_err().to_string();
            assert!(error.starts_with(named), "{error}");
        }
    }
}
