//! What has a price: kinds of tokens, and units.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::Unit;

/// What a rate is for: a kind of tokens, or a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// `input_tokens`.
    Input,
    /// `cached_input_tokens`.
    CachedInput,
    /// `cache_write_tokens`.
    CacheWrite,
    /// `output_tokens`.
    Output,
    /// `reasoning_tokens`.
    Reasoning,
    /// Anything else.
    Unit(Unit),
}

impl Measure {
    const TOKENS: [Self; 5] =
        [Self::Input, Self::CachedInput, Self::CacheWrite, Self::Output, Self::Reasoning];

    /// Every measure, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::TOKENS.into_iter().chain(Unit::ALL.iter().copied().map(Self::Unit))
    }

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input_tokens",
            Self::CachedInput => "cached_input_tokens",
            Self::CacheWrite => "cache_write_tokens",
            Self::Output => "output_tokens",
            Self::Reasoning => "reasoning_tokens",
            Self::Unit(unit) => unit.as_str(),
        }
    }

    /// For how many of it a rate is: a million tokens, characters or pixels, a thousand searches,
    /// queries or requests, a thousand seconds, or one.
    pub const fn per(self) -> i64 {
        use Unit as U;
        let Self::Unit(unit) = self else { return 1_000_000 };
        match unit {
            U::CacheWrite1hTokens
            | U::CacheWrite12hTokens
            | U::AudioInputTokens
            | U::CachedAudioInputTokens
            | U::CacheWriteAudioTokens
            | U::ImageInputTokens
            | U::CachedImageInputTokens
            | U::VideoInputTokens
            | U::CachedVideoInputTokens
            | U::AudioOutputTokens
            | U::ImageOutputTokens
            | U::VideoOutputTokens
            | U::CitationTokens
            | U::InputPixels
            | U::OutputPixels
            | U::InputCharacters
            | U::OutputCharacters
            | U::InputAudioMs
            | U::OutputAudioMs
            | U::InputVideoMs
            | U::OutputVideoMs
            | U::OutputVideo480pMs
            | U::OutputVideo720pMs
            | U::OutputVideo1080pMs
            | U::OutputVideo4kMs
            | U::ComputeMs => 1_000_000,
            U::Requests
            | U::WebSearches
            | U::LowContextWebSearches
            | U::HighContextWebSearches
            | U::MapSearches
            | U::FileSearches
            | U::Queries => 1_000,
            U::CodeInterpreterSessions
            | U::InputImages
            | U::OutputImages
            | U::Pages
            | U::AnnotatedPages => 1,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Measure {
    type Err = crate::roles::UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::TOKENS.into_iter().find(|measure| measure.as_str() == text);
        known.or_else(|| text.parse().ok().map(Self::Unit)).ok_or_else(|| Self::Err {
            text: text.to_owned(),
            what: "what a price can be for",
            known: Self::all().map(Self::as_str).collect::<Vec<_>>().join(", "),
        })
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
