//! That a record's parts fit into their wholes: a total includes its parts.

use event_schemas::Unit;

use super::{UsageError, UsageRecord};

/// Units that are parts of one unit, and do not overlap.
const OF_UNITS: &[(Unit, &[Unit])] = &[
    (Unit::AudioInputTokens, &[Unit::CachedAudioInputTokens, Unit::CacheWriteAudioTokens]),
    (Unit::ImageInputTokens, &[Unit::CachedImageInputTokens]),
    (Unit::VideoInputTokens, &[Unit::CachedVideoInputTokens]),
    (Unit::WebSearches, &[Unit::LowContextWebSearches, Unit::HighContextWebSearches]),
    (
        Unit::OutputVideoMs,
        &[
            Unit::OutputVideo480pMs,
            Unit::OutputVideo720pMs,
            Unit::OutputVideo1080pMs,
            Unit::OutputVideo4kMs,
        ],
    ),
    (Unit::Pages, &[Unit::AnnotatedPages]),
];

/// Input by what it is made of, each with its parts that were cached or written.
const MODALITIES: [(Unit, &[Unit]); 3] = [
    (Unit::AudioInputTokens, &[Unit::CachedAudioInputTokens, Unit::CacheWriteAudioTokens]),
    (Unit::ImageInputTokens, &[Unit::CachedImageInputTokens]),
    (Unit::VideoInputTokens, &[Unit::CachedVideoInputTokens]),
];

/// What the output is made of beside plain text.
const OF_OUTPUT: [Unit; 4] = [
    Unit::AudioOutputTokens,
    Unit::ImageOutputTokens,
    Unit::VideoOutputTokens,
    Unit::CitationTokens,
];

const OF_CACHED: [Unit; 3] =
    [Unit::CachedAudioInputTokens, Unit::CachedImageInputTokens, Unit::CachedVideoInputTokens];

const OF_WRITTEN: [Unit; 3] =
    [Unit::CacheWrite1hTokens, Unit::CacheWrite12hTokens, Unit::CacheWriteAudioTokens];

impl UsageRecord {
    /// Refused with the first part that is more than its whole. Counts are in range by now, so no
    /// sum here overflows.
    pub(super) fn parts(&self) -> Result<(), UsageError> {
        if self.units.is_empty() {
            return Ok(());
        }
        for (whole, parts) in OF_UNITS {
            self.within(parts, (whole.as_str(), self.units.get(*whole)))?;
        }
        self.within(&OF_CACHED, ("cached_input_tokens", self.cached_input_tokens))?;
        self.within(&OF_WRITTEN, ("cache_write_tokens", self.cache_write_tokens))?;
        let reasoned = self.output_tokens - self.reasoning_tokens;
        self.within(&OF_OUTPUT, ("output_tokens", reasoned))?;
        // Audio, images and video that were neither cached nor written are in the rest of the input.
        let mut rest = self.input_tokens - self.cached_input_tokens - self.cache_write_tokens;
        for (modality, elsewhere) in MODALITIES {
            rest -= self.units.get(modality) - self.sum(elsewhere);
            if rest < 0 {
                let (part, whole) = (modality.as_str(), "input_tokens");
                return Err(UsageError::PartAboveWhole { part, whole });
            }
        }
        Ok(())
    }

    fn sum(&self, units: &[Unit]) -> i64 {
        units.iter().map(|unit| self.units.get(*unit)).sum()
    }

    fn within(
        &self,
        parts: &[Unit],
        (whole, mut rest): (&'static str, i64),
    ) -> Result<(), UsageError> {
        for part in parts {
            rest -= self.units.get(*part);
            if rest < 0 {
                return Err(UsageError::PartAboveWhole { part: part.as_str(), whole });
            }
        }
        Ok(())
    }
}
