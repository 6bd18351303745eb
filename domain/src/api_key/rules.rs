//! The organization's rules for API keys, and how they shape a key.

use chrono::{DateTime, Duration, Utc};
use event_schemas::OrganizationSettings;

use super::ApiKeyError;
use crate::text;

/// The longest time between rotations, in days.
const ROTATION_DAYS_MAX: u32 = 3_650;

/// When a key's secret is to be rotated, and when it ends.
pub(super) struct Term {
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) rotation_due_at: Option<DateTime<Utc>>,
    pub(super) rotation_days: Option<u32>,
}

impl Term {
    /// The term asked for, as the organization's rules have it: what is left open is as long as they
    /// allow.
    pub(super) fn by(
        rules: &OrganizationSettings,
        asked: &Self,
        now: DateTime<Utc>,
    ) -> Result<Self, ApiKeyError> {
        let Self { expires_at, rotation_due_at, rotation_days } = *asked;
        if let Some(expires_at) = expires_at.filter(|end| *end <= now) {
            return Err(ApiKeyError::ExpiryInThePast { expires_at });
        }
        let expires_at = match rules.api_key_lifetime_days_max {
            None => expires_at,
            Some(days_max) => {
                let latest = after(now, days_max);
                if expires_at.is_some_and(|end| end > latest) {
                    return Err(ApiKeyError::LivesTooLong { days_max });
                }
                expires_at.or(Some(latest))
            }
        };
        if rotation_days.is_some_and(|days| days == 0 || days > ROTATION_DAYS_MAX) {
            return Err(ApiKeyError::RotationDays);
        }
        let rotation_days = rotation_days.or(rules.api_key_rotation_days);
        let rotation_due_at = rotation_due_at.or(rotation_days.map(|days| after(now, days)));
        if let Some(days_max) = rules.api_key_rotation_days {
            let latest = after(now, days_max);
            let seldom = rotation_days.is_some_and(|days| days > days_max)
                || rotation_due_at.is_some_and(|due| due > latest);
            if seldom {
                return Err(ApiKeyError::RotatedTooSeldom { days_max });
            }
        }
        Ok(Self { expires_at, rotation_due_at, rotation_days })
    }
}

/// When the next rotation is due: as the key's own policy says, or earlier.
pub(super) fn next_rotation(
    policy_days: Option<u32>,
    asked: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, ApiKeyError> {
    let Some(days_max) = policy_days else { return Ok(asked) };
    let latest = after(now, days_max);
    if asked.is_some_and(|due| due > latest) {
        return Err(ApiKeyError::RotatedTooSeldom { days_max });
    }
    Ok(asked.or(Some(latest)))
}

/// So many days later; the end of time where there is no such day.
fn after(now: DateTime<Utc>, days: u32) -> DateTime<Utc> {
    now.checked_add_signed(Duration::days(i64::from(days))).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A name that follows the organization's convention.
pub(super) fn name(rules: &OrganizationSettings, given: &str) -> Result<String, ApiKeyError> {
    let name = text::name(given)?;
    let Some(pattern) = &rules.api_key_name_pattern else { return Ok(name) };
    // A pattern that the settings accepted can be read.
    let matches = text::whole(pattern).is_some_and(|pattern| pattern.is_match(&name));
    if !matches {
        return Err(ApiKeyError::NameAgainstConvention { pattern: pattern.clone() });
    }
    Ok(name)
}
