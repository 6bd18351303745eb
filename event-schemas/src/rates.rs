//! Exact prices of what is used: rates of up to 18 decimal places, and percentages.
//!
//! A [`Rate`] has more places than an [`crate::Amount`]: catalogues print prices for one token or one
//! pixel as floating-point numbers do, with up to 17 digits, and a rate is what they print. Only the
//! cost of a record is rounded to an amount.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Amount, Measure};

/// The places after a rate's decimal point.
pub const RATE_PLACES: usize = 18;

/// The largest rate, in whole units of the currency: beyond it a price is a mistake.
const RATE_UNITS_MAX: i128 = 1_000_000_000;

const ATTO_PER_UNIT: i128 = 1_000_000_000_000_000_000;

/// Why a text is no rate or percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// The text is not a plain decimal number of zero or more.
    #[error("'{0}' is not a decimal number of zero or more, such as 12.50")]
    NotADecimal(String),
    /// Too many digits stand after the decimal point.
    #[error("'{text}' has more than {places} decimal places")]
    TooManyPlaces {
        /// The text.
        text: String,
        /// How many places there may be.
        places: usize,
    },
    /// The number is too large.
    #[error("'{0}' is too large")]
    TooLarge(String),
}

/// An exact price of zero or more, in atto-units (10⁻¹⁸) of the currency, for as much as
/// [`Measure::per`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(i128);

impl Rate {
    /// A rate of that many atto-units; none below zero or above a thousand million units.
    pub const fn from_atto(atto: i128) -> Option<Self> {
        if atto < 0 || atto > RATE_UNITS_MAX * ATTO_PER_UNIT { None } else { Some(Self(atto)) }
    }

    /// The rate in atto-units.
    pub const fn atto(self) -> i128 {
        self.0
    }
}

/// The rate of an amount; none where it is below zero or too large.
impl TryFrom<Amount> for Rate {
    type Error = RateError;

    fn try_from(amount: Amount) -> Result<Self, RateError> {
        let atto = amount.pico().checked_mul(1_000_000).and_then(Self::from_atto);
        atto.ok_or_else(|| RateError::TooLarge(amount.to_string()))
    }
}

/// A plain decimal as a whole number of its smallest places.
fn scaled(text: &str, places: usize) -> Result<i128, RateError> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let dangling_point = text.contains('.') && part.is_empty();
    if whole.is_empty() || dangling_point || !all_digits(whole) || !all_digits(part) {
        return Err(RateError::NotADecimal(text.to_owned()));
    }
    let part = part.trim_end_matches('0');
    if part.len() > places {
        return Err(RateError::TooManyPlaces { text: text.to_owned(), places });
    }
    let too_large = || RateError::TooLarge(text.to_owned());
    if whole.trim_start_matches('0').len() > 18 {
        return Err(too_large());
    }
    format!("{whole}{part:0<places$}").parse().map_err(|_| too_large())
}

/// Without zeros at the end: a number has one spelling.
fn spelled(f: &mut fmt::Formatter<'_>, number: i128, scale: i128, places: usize) -> fmt::Result {
    let sign = if number < 0 { "-" } else { "" };
    let (whole, part) = (number.abs() / scale, number.abs() % scale);
    let text = format!("{sign}{whole}.{part:0places$}");
    f.pad(text.trim_end_matches('0').trim_end_matches('.'))
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let atto = scaled(text, RATE_PLACES)?;
        Self::from_atto(atto).ok_or_else(|| RateError::TooLarge(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        spelled(f, self.0, ATTO_PER_UNIT, RATE_PLACES)
    }
}

/// An exact percentage of up to two decimal places: of mark-ups, and of service tiers that cost a
/// share of the plain price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent(i32);

impl Percent {
    /// Hundredths of a percent in the whole.
    pub const WHOLE: i128 = 10_000;

    /// The largest, in percent.
    const MAX: i32 = 10_000;

    /// A percentage in its hundredths; none below −100 % or above 10,000 %.
    pub const fn from_hundredths(hundredths: i32) -> Option<Self> {
        if hundredths < -10_000 || hundredths > Self::MAX * 100 {
            None
        } else {
            Some(Self(hundredths))
        }
    }

    /// The percentage in its hundredths.
    pub const fn hundredths(self) -> i32 {
        self.0
    }
}

impl FromStr for Percent {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let hundredths = scaled(digits, 2).map(|number| number * sign)?;
        let hundredths = i32::try_from(hundredths).ok().and_then(Self::from_hundredths);
        hundredths.ok_or_else(|| RateError::TooLarge(text.to_owned()))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        spelled(f, i128::from(self.0), 100, 2)
    }
}

macro_rules! as_text {
    ($name:ident, $pattern:literal, $description:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    };
}

as_text!(
    Rate,
    r"^[0-9]{1,10}(\.[0-9]{1,18})?$",
    "An exact price of zero or more with up to 18 decimal places, as a string."
);
as_text!(
    Percent,
    r"^-?[0-9]{1,5}(\.[0-9]{1,2})?$",
    "An exact percentage with up to 2 decimal places, as a string."
);

/// Prices by what they are for. What has none costs what the whole that it is a part of costs:
/// cached input what input costs, reasoning what output costs. Where neither has a price, usage of
/// it is unpriced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rates(Vec<(Measure, Rate)>);

impl Rates {
    /// No price at all.
    pub const NONE: Self = Self(Vec::new());

    /// Whether there is no price at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The price of a measure.
    pub fn get(&self, measure: Measure) -> Option<Rate> {
        self.0.iter().find(|(known, _)| *known == measure).map(|(_, rate)| *rate)
    }

    /// Sets the price of a measure.
    pub fn set(&mut self, measure: Measure, rate: Rate) {
        match self.0.binary_search_by_key(&measure, |(known, _)| *known) {
            Ok(place) => self.0[place].1 = rate,
            Err(place) => self.0.insert(place, (measure, rate)),
        }
    }

    /// The prices, in the measures' order.
    pub fn iter(&self) -> impl Iterator<Item = (Measure, Rate)> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<(Measure, Rate)> for Rates {
    fn from_iter<I: IntoIterator<Item = (Measure, Rate)>>(rates: I) -> Self {
        let mut all = Self::NONE;
        rates.into_iter().for_each(|(measure, rate)| all.set(measure, rate));
        all
    }
}

impl Serialize for Rates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(measure, rate)| (measure.as_str(), rate)))
    }
}

impl<'de> Deserialize<'de> for Rates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Prices;
        impl<'de> serde::de::Visitor<'de> for Prices {
            type Value = Rates;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("prices by what they are for")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Rates, A::Error> {
                let mut rates = Rates::NONE;
                while let Some(word) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                    let measure: Measure = word.parse().map_err(serde::de::Error::custom)?;
                    if rates.get(measure).is_some() {
                        let why = format!("duplicate field `{measure}`");
                        return Err(serde::de::Error::custom(why));
                    }
                    rates.set(measure, map.next_value()?);
                }
                Ok(rates)
            }
        }
        deserializer.deserialize_map(Prices)
    }
}

impl JsonSchema for Rates {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rates".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Measure::all().map(Measure::as_str).collect();
        let rate = generator.subschema_for::<Rate>();
        json_schema!({
            "type": "object",
            "propertyNames": { "enum": names },
            "additionalProperties": rate,
            "description": "Prices by what they are for: a million tokens, characters or pixels, a thousand searches, queries or requests, a thousand seconds, or one of anything else."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_one_spelling() {
        for (text, spelled) in [
            ("0", "0"),
            ("3.000000000000", "3"),
            ("0.000000000000000001", "0.000000000000000001"),
            ("007.10", "7.1"),
            ("1000000000", "1000000000"),
            ("2.9999900000000002", "2.9999900000000002"),
        ] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), spelled, "{text}");
        }
        for text in ["", "-1", ".5", "1.", "1e3", "+1", " 1", "0.0000000000000000001", "1000000001"]
        {
            assert!(text.parse::<Rate>().is_err(), "{text:?}");
        }
        assert!("9".repeat(60).parse::<Rate>().is_err());
    }

    #[test]
    fn a_percentage_has_two_places_and_a_sign() {
        for (text, hundredths) in
            [("50", 5_000), ("-12.5", -1_250), ("0.01", 1), ("10000", 1_000_000)]
        {
            let percent: Percent = text.parse().unwrap();
            assert_eq!((percent.hundredths(), percent.to_string()), (hundredths, text.to_owned()));
        }
        for text in ["1.001", "-100.01", "10000.01", "--1", "", "99999999999999999999"] {
            assert!(text.parse::<Percent>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn rates_are_a_map_by_word() {
        let text = r#"{"input_tokens":"3","web_searches":"10"}"#;
        let rates: Rates =
            serde_json::from_str(r#"{"web_searches":"10.0","input_tokens":"3"}"#).unwrap();
        assert_eq!(serde_json::to_string(&rates).unwrap(), text);
        assert_eq!(rates.get(Measure::Output), None);
        for measure in Measure::all() {
            assert_eq!(measure.as_str().parse(), Ok(measure));
        }
        for wrong in [r#"{"input":"3"}"#, r#"{"pages":3}"#, r#"{"pages":"1","pages":"1"}"#] {
            assert!(serde_json::from_str::<Rates>(wrong).is_err(), "{wrong}");
        }
    }
}
