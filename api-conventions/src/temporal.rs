//! Points in time and in the log as parameters: `as_of`, `at_position` and `min_position`, and where a
//! span of time begins and ends: `from` and `to`.

use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, SubsecRound as _, TimeDelta, Utc};
use serde::{Deserialize, Deserializer};
use utoipa::openapi::{KnownFormat, Object, OneOf, RefOr, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::paging::from_text;

/// When it should have been true: an RFC 3339 time, or a date, which means the end of that day in
/// UTC, its last microsecond: "as of the 31st" includes what happened on the 31st.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsOf(pub DateTime<Utc>);

impl FromStr for AsOf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A plus sign that was not percent-encoded arrives as a space.
        let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
            .ok()
            .map(|time| time.with_timezone(&Utc).trunc_subsecs(6));
        let end_of_day = || {
            let next_day = text.parse::<NaiveDate>().ok()?.checked_add_days(Days::new(1))?;
            let midnight = next_day.and_time(NaiveTime::MIN).and_utc();
            midnight.checked_sub_signed(TimeDelta::microseconds(1))
        };
        time.or_else(end_of_day).filter(is_storable).map(Self).ok_or_else(|| {
            format!(
                "'{text}' is neither a time such as 2026-01-31T12:00:00Z nor a date such as \
                 2026-01-31, which means the end of that day in UTC"
            )
        })
    }
}

/// Within what Postgres keeps as `timestamptz`, and what four digits of a year can say.
fn is_storable(time: &DateTime<Utc>) -> bool {
    use chrono::Datelike as _;
    (1..=9_999).contains(&time.year())
}

impl<'de> Deserialize<'de> for AsOf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

/// Where a span of time begins or ends: an RFC 3339 time, or a date, which means its start in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeBound(pub DateTime<Utc>);

impl FromStr for TimeBound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A plus sign that was not percent-encoded arrives as a space.
        let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok();
        let start_of_day =
            || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc());
        let time = time.map(|time| time.with_timezone(&Utc)).or_else(start_of_day);
        time.filter(is_storable).map(Self).ok_or_else(|| {
            format!(
                "'{text}' is neither a time such as 2026-01-31T13:00:00Z nor a date such as \
                 2026-01-31, which means its start in UTC"
            )
        })
    }
}

impl<'de> Deserialize<'de> for TimeBound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

impl PartialSchema for TimeBound {
    fn schema() -> RefOr<Schema> {
        time_or_date().into()
    }
}

impl ToSchema for TimeBound {}

/// The schema of a parameter that is a time (RFC 3339) or a date.
pub fn time_or_date() -> Schema {
    let text = |format| Object::builder().schema_type(Type::String).format(Some(format));
    OneOf::builder()
        .item(text(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .item(text(SchemaFormat::KnownFormat(KnownFormat::Date)))
        // The parameter's own words are lost where a function makes its schema.
        .description(Some("A time (RFC 3339), or a date (UTC)."))
        .examples(["2026-01-31"])
        .into()
}

/// A position of the log: 0 (before all events) or above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub i64);

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(position @ 0..) => Ok(Self(position)),
            _ => Err(format!("'{text}' is not a position: a whole number, 0 or above")),
        }
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_itself_and_a_date_is_its_end() {
        let check = |text: &str, expected: Option<&str>| {
            let time = text.parse::<AsOf>().ok().map(|AsOf(time)| time.to_rfc3339());
            assert_eq!(time.as_deref(), expected, "{text}");
        };
        check("2026-01-31T12:00:00Z", Some("2026-01-31T12:00:00+00:00"));
        check("2026-01-31T12:00:00+02:00", Some("2026-01-31T10:00:00+00:00"));
        check("2026-01-31T12:00:00 02:00", Some("2026-01-31T10:00:00+00:00"));
        check("2026-01-31", Some("2026-01-31T23:59:59.999999+00:00"));
        check("2026-02-30", None);
        check("2026-01", None);
        check("yesterday", None);
        check("", None);
        check("+262142-12-31", None);
        check("-0044-03-15", None);
        check("1769860800", None);
    }

    #[test]
    fn a_span_begins_at_a_time_or_with_a_day() {
        let check = |text: &str, expected: Option<&str>| {
            let time = text.parse::<TimeBound>().ok().map(|TimeBound(time)| time.to_rfc3339());
            assert_eq!(time.as_deref(), expected, "{text}");
        };
        check("2026-01-31T12:00:00.5Z", Some("2026-01-31T12:00:00.500+00:00"));
        check("2026-01-31T12:00:00 02:00", Some("2026-01-31T10:00:00+00:00"));
        check("2026-01-31", Some("2026-01-31T00:00:00+00:00"));
        check("2026-02-30", None);
        check("", None);
        check("-0044-03-15", None);
    }

    #[test]
    fn a_position_is_a_whole_number() {
        let check = |text: &str, expected| {
            assert_eq!(text.parse().ok(), expected, "{text}");
        };
        check("0", Some(Position(0)));
        check("9223372036854775807", Some(Position(i64::MAX)));
        check("9223372036854775808", None);
        check("-1", None);
        check("1e3", None);
    }
}
