//! Events of a month of usage: where its records are. Its totals stay wherever they go.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike as _, Months, NaiveDate};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::stream_events;

/// A month of UTC, such as `2026-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month(NaiveDate);

impl Month {
    /// The month that a day lies in; of a year with four digits.
    pub fn of(day: NaiveDate) -> Option<Self> {
        (0..=9_999).contains(&day.year()).then(|| day.with_day(1)).flatten().map(Self)
    }

    /// Its first day.
    pub fn first_day(self) -> NaiveDate {
        self.0
    }

    /// The first day after it.
    pub fn end(self) -> NaiveDate {
        // Within four digits of a year and a month, chrono's dates do not end.
        self.0.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX)
    }

    /// Its last day.
    pub fn last_day(self) -> NaiveDate {
        self.end().pred_opt().unwrap_or(self.0)
    }

    /// Whether any day from one to another, both included, lies in it.
    pub fn meets(self, first: NaiveDate, last: NaiveDate) -> bool {
        first < self.end() && last >= self.first_day()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

/// A text is no month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a month such as 2026-01")]
pub struct NotAMonth(String);

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let wrong = || NotAMonth(text.to_owned());
        let bytes = text.as_bytes();
        let is_spelled_so = bytes.len() == 7
            && bytes[4] == b'-'
            && bytes.iter().enumerate().all(|(place, byte)| place == 4 || byte.is_ascii_digit());
        if !is_spelled_so {
            return Err(wrong());
        }
        let day = format!("{text}-01").parse::<NaiveDate>().map_err(|_| wrong())?;
        Self::of(day).ok_or_else(wrong)
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Month {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Month".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$",
            "description": "A month of UTC, such as 2026-01."
        })
    }
}

stream_events! {
    /// What happens to the records of a month of usage.
    UsageMonthEvent on "usage_month" {
        /// The month's records are in an archive, which was read back and found to be what the log
        /// has. The month takes no more records.
        Archived = "usage.archived" "1" {
            /// The month.
            month: Month,
            /// How many records.
            records: i64,
            /// The position of the first of them.
            first_position: i64,
            /// The position of the last of them.
            last_position: i64,
            /// SHA-256, in hexadecimal, over the records in order of position: each as a row in
            /// Postgres's binary COPY format, with the columns that the manifest names.
            rows_sha256: String,
            /// SHA-256 of the archive's manifest, in hexadecimal.
            manifest_sha256: String,
        }
        /// The month's records are in the archive alone.
        Dropped = "usage.dropped" "1" {
            /// The month.
            month: Month,
            /// SHA-256 of the archive's manifest, in hexadecimal.
            manifest_sha256: String,
        }
        /// The month's records are back, and it takes records again.
        Restored = "usage.restored" "1" {
            /// The month.
            month: Month,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_one_spelling() {
        for text in ["2026-01", "1999-12", "0001-02"] {
            assert_eq!(text.parse::<Month>().unwrap().to_string(), text);
        }
        for text in
            ["2026-1", "2026-13", "2026-00", "202601", "2026-01-01", "", "+026-01", "２026-1"]
        {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_month_meets_what_reaches_into_it() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let month: Month = "2024-02".parse().unwrap();
        assert_eq!((month.last_day(), month.end()), (day("2024-02-29"), day("2024-03-01")));
        for (first, last, meets) in [
            ("2024-01-01", "2024-01-31", false),
            ("2024-01-31", "2024-02-01", true),
            ("2024-02-29", "2024-02-29", true),
            ("2024-01-01", "2024-04-01", true),
            ("2024-03-01", "2024-03-02", false),
        ] {
            assert_eq!(month.meets(day(first), day(last)), meets, "{first} {last}");
        }
    }
}
