//! A usage record as it is submitted, and what it must be like to be recorded. Usage has no stream
//! and no state: what a record says is checked by itself.

mod parts;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use event_schemas::{ApiKeyId, MemberId, ProjectId, ServiceAccountId, Units};

use crate::pricing::Tokens;
use crate::text::longer_than;

/// The longest request id, provider, model, feature and end user, in characters.
pub const FIELD_CHARS_MAX: usize = 200;
/// The most tokens of one kind in a record: a thousand times the largest context windows.
pub const TOKENS_MAX: i64 = 1_000_000_000;
/// The most tags.
pub const TAGS_MAX: usize = 20;
/// The longest tag key, in characters.
pub const TAG_KEY_CHARS_MAX: usize = 64;
/// The longest tag value, in characters.
pub const TAG_VALUE_CHARS_MAX: usize = 256;
/// How far a caller's clock may be ahead.
pub const CLOCK_AHEAD_MAX: Duration = Duration::hours(1);

/// Midnight of 2000-01-01 UTC: what is earlier is a broken clock, not usage.
const EARLIEST: DateTime<Utc> = match DateTime::from_timestamp(946_684_800, 0) {
    Some(time) => time,
    None => DateTime::UNIX_EPOCH,
};

/// A usage record as it is submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
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
    pub units: Units,
    /// The service tier in the provider's words, such as `batch` or `priority`; none for the plain
    /// one.
    pub service_tier: Option<String>,
    /// Why the request failed, in OpenTelemetry's `error.type`; none where it succeeded.
    pub error_type: Option<String>,
    /// How long the request took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// The customer's own labels.
    pub tags: BTreeMap<String, String>,
}

/// Why a usage record is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// Nothing stands where something must.
    #[error("{field} is empty")]
    Empty {
        /// The field.
        field: &'static str,
    },
    /// A text is too long.
    #[error("{field} is longer than {max} characters")]
    TooLong {
        /// The field.
        field: &'static str,
        /// How many characters it may have.
        max: usize,
    },
    /// A text has a control character in it.
    #[error("{field} has a control character in it")]
    ControlCharacter {
        /// The field.
        field: &'static str,
    },
    /// A count is below zero or absurdly large.
    #[error("{field} is {count}, not between 0 and {TOKENS_MAX}")]
    CountOutOfRange {
        /// The field.
        field: &'static str,
        /// The count.
        count: i64,
    },
    /// More input was cached and written than there was.
    #[error(
        "cached_input_tokens and cache_write_tokens are {cached}, above input_tokens of {input}"
    )]
    CachedAboveInput {
        /// Cached and written input tokens together.
        cached: i64,
        /// All input tokens.
        input: i64,
    },
    /// More output was reasoning than there was.
    #[error("reasoning_tokens are {reasoning}, above output_tokens of {output}")]
    ReasoningAboveOutput {
        /// The reasoning tokens.
        reasoning: i64,
        /// All output tokens.
        output: i64,
    },
    /// More was a part than there was of the whole.
    #[error("{part} are more than the {whole} that they are a part of")]
    PartAboveWhole {
        /// The part, by its field or unit.
        part: &'static str,
        /// The whole.
        whole: &'static str,
    },
    /// It would not have happened yet.
    #[error("occurred_at {occurred_at} is more than an hour in the future")]
    InTheFuture {
        /// When it is said to have happened.
        occurred_at: DateTime<Utc>,
    },
    /// It would have happened before there was any usage.
    #[error("occurred_at {occurred_at} is before the year 2000")]
    TooLongAgo {
        /// When it is said to have happened.
        occurred_at: DateTime<Utc>,
    },
    /// It has too many tags.
    #[error("tags are {count}, more than {TAGS_MAX}")]
    TooManyTags {
        /// How many it has.
        count: usize,
    },
}

impl UsageRecord {
    /// Whether it can be recorded; refused with the first field that is not as it must be.
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), UsageError> {
        required("request_id", &self.request_id)?;
        required("provider", &self.provider)?;
        required("model", &self.model)?;
        text("feature", &self.feature, FIELD_CHARS_MAX)?;
        text("end_user", self.end_user.as_deref().unwrap_or(""), FIELD_CHARS_MAX)?;
        tier_or_error("service_tier", self.service_tier.as_deref())?;
        tier_or_error("error_type", self.error_type.as_deref())?;
        self.counts()?;
        self.parts()?;
        self.time(now)?;
        self.labels()
    }

    /// Its tokens, as they are priced.
    pub fn tokens(&self) -> Tokens {
        Tokens {
            input: self.input_tokens,
            cached_input: self.cached_input_tokens,
            cache_write: self.cache_write_tokens,
            output: self.output_tokens,
            reasoning: self.reasoning_tokens,
        }
    }

    fn counts(&self) -> Result<(), UsageError> {
        count("input_tokens", self.input_tokens)?;
        count("cached_input_tokens", self.cached_input_tokens)?;
        count("cache_write_tokens", self.cache_write_tokens)?;
        count("output_tokens", self.output_tokens)?;
        count("reasoning_tokens", self.reasoning_tokens)?;
        count("duration_ms", self.duration_ms.unwrap_or(0))?;
        self.units.iter().try_for_each(|(unit, used)| count(unit.as_str(), used))?;
        let cached = self.cached_input_tokens + self.cache_write_tokens;
        if cached > self.input_tokens {
            return Err(UsageError::CachedAboveInput { cached, input: self.input_tokens });
        }
        if self.reasoning_tokens > self.output_tokens {
            return Err(UsageError::ReasoningAboveOutput {
                reasoning: self.reasoning_tokens,
                output: self.output_tokens,
            });
        }
        Ok(())
    }

    fn time(&self, now: DateTime<Utc>) -> Result<(), UsageError> {
        let occurred_at = self.occurred_at;
        if occurred_at.signed_duration_since(now) > CLOCK_AHEAD_MAX {
            return Err(UsageError::InTheFuture { occurred_at });
        }
        if occurred_at < EARLIEST {
            return Err(UsageError::TooLongAgo { occurred_at });
        }
        Ok(())
    }

    fn labels(&self) -> Result<(), UsageError> {
        let count = self.tags.len();
        if count > TAGS_MAX {
            return Err(UsageError::TooManyTags { count });
        }
        for (key, value) in &self.tags {
            if key.is_empty() {
                return Err(UsageError::Empty { field: "tag key" });
            }
            text("tag key", key, TAG_KEY_CHARS_MAX)?;
            text("tag value", value, TAG_VALUE_CHARS_MAX)?;
        }
        Ok(())
    }
}

fn required(field: &'static str, value: &str) -> Result<(), UsageError> {
    if value.trim().is_empty() {
        return Err(UsageError::Empty { field });
    }
    text(field, value, FIELD_CHARS_MAX)
}

/// Said or not said; never said as nothing.
fn tier_or_error(field: &'static str, value: Option<&str>) -> Result<(), UsageError> {
    value.map_or(Ok(()), |value| required(field, value))
}

fn text(field: &'static str, value: &str, max: usize) -> Result<(), UsageError> {
    if longer_than(value, max) {
        return Err(UsageError::TooLong { field, max });
    }
    if value.chars().any(char::is_control) {
        return Err(UsageError::ControlCharacter { field });
    }
    Ok(())
}

fn count(field: &'static str, count: i64) -> Result<(), UsageError> {
    if !(0..=TOKENS_MAX).contains(&count) {
        return Err(UsageError::CountOutOfRange { field, count });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
