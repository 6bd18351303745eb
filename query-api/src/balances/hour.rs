//! Where a statement begins and ends.

use std::str::FromStr;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, Utc};

/// Where a span of hours begins or ends: an RFC 3339 time, or a date, which means its start in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HourBound(pub(crate) DateTime<Utc>);

impl FromStr for HourBound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A plus sign that was not percent-encoded arrives as a space.
        let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok();
        let start_of_day =
            || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc());
        let time = time.map(|time| time.with_timezone(&Utc)).or_else(start_of_day);
        // Within what Postgres keeps as `timestamptz`, and what four digits of a year can say.
        let time = time.filter(|time| (1..=9_999).contains(&time.year()));
        time.map(Self).ok_or_else(|| {
            format!(
                "'{text}' is neither a time such as 2026-01-31T13:00:00Z nor a date such as \
                 2026-01-31, which means its start in UTC"
            )
        })
    }
}
