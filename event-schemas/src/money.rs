//! Exact money: decimals of 12 places with a currency beside them, written as strings.
//!
//! An [`Amount`] counts pico-units (10⁻¹² of the currency's unit) in an `i128`; no float touches
//! it. It is `numeric(38,12)` in Postgres. Rounding happens only where a caller asks for it by
//! name.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Pico-units in one unit of a currency.
pub const PICO_PER_UNIT: i128 = 1_000_000_000_000;

/// The places after the decimal point.
pub const PLACES: usize = 12;

/// The largest absolute value, so that every amount fits `numeric(38,12)`.
pub const AMOUNT_MAX: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;

/// Why a text is not an amount or a currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text is not a plain decimal number.
    #[error("'{0}' is not a decimal number such as 12.50")]
    NotADecimal(String),
    /// More than 12 digits stand after the decimal point.
    #[error("'{0}' has more than {PLACES} decimal places")]
    TooManyPlaces(String),
    /// The amount does not fit `numeric(38,12)`.
    #[error("'{0}' is too large: at most 26 digits before the decimal point")]
    TooLarge(String),
    /// The currency is not three capital letters.
    #[error("'{0}' is not a currency: three capital letters of ISO 4217, such as USD")]
    NotACurrency(String),
}

/// An exact amount of money, in pico-units. The currency stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount of that many pico-units (10⁻¹²).
    pub const fn from_pico(pico: i128) -> Self {
        Self(pico)
    }

    /// The amount in pico-units.
    pub const fn pico(self) -> i128 {
        self.0
    }

    /// Whether the amount is above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// The sum, or nothing where it would not fit `numeric(38,12)`.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let sum = self.0.checked_add(other.0)?;
        (sum.abs() <= AMOUNT_MAX).then_some(Self(sum))
    }

    /// Rounded half away from zero to `places` decimal places, for a person to read. The exact
    /// amount stays what it was.
    pub fn rounded_for_display(self, places: u32) -> String {
        let keep = 10_i128.pow(u32::try_from(PLACES).unwrap_or(12).saturating_sub(places));
        let half = keep / 2;
        let rounded = (self.0.abs() + half) / keep * self.0.signum();
        let scale = 10_i128.pow(places);
        let sign = if rounded < 0 { "-" } else { "" };
        let (whole, part) = (rounded.abs() / scale, rounded.abs() % scale);
        if places == 0 {
            return format!("{sign}{whole}");
        }
        format!("{sign}{whole}.{part:0width$}", width = places as usize)
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Amount {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Amount {
    /// All twelve places, always: an amount has one spelling.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.abs() / PICO_PER_UNIT, self.0.abs() % PICO_PER_UNIT);
        f.pad(&format!("{sign}{whole}.{part:012}"))
    }
}

impl FromStr for Amount {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not_a_decimal = || MoneyError::NotADecimal(text.to_owned());
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let dangling_point = digits.contains('.') && part.is_empty();
        if whole.is_empty() || dangling_point || !all_digits(whole) || !all_digits(part) {
            return Err(not_a_decimal());
        }
        // Zeros at the end say nothing; they do not count as places.
        let part = part.trim_end_matches('0');
        if part.len() > PLACES {
            return Err(MoneyError::TooManyPlaces(text.to_owned()));
        }
        let whole = whole.trim_start_matches('0');
        let too_large = || MoneyError::TooLarge(text.to_owned());
        if whole.len() > 26 {
            return Err(too_large());
        }
        let pico: i128 = format!("{whole}{part:0<12}").parse().map_err(|_| too_large())?;
        Ok(Self(if negative { -pico } else { pico }))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^-?[0-9]{1,26}(\.[0-9]{1,12})?$",
            "description": "An exact decimal amount with up to 12 places, as a string. The currency stands beside it."
        })
    }
}

/// A currency, by its three capital letters of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The United States dollar, in which model prices are published.
    pub const USD: Self = Self(*b"USD");

    pub(crate) const fn letters(self) -> [u8; 3] {
        self.0
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(letters) if letters.iter().all(u8::is_ascii_uppercase) => Ok(Self(letters)),
            _ => Err(MoneyError::NotACurrency(text.to_owned())),
        }
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[A-Z]{3}$",
            "description": "Three capital letters of ISO 4217."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn an_amount_has_one_spelling() {
        for (text, spelled) in [
            ("0", "0.000000000000"),
            ("12.5", "12.500000000000"),
            ("-0.000000000001", "-0.000000000001"),
            ("007.10", "7.100000000000"),
            ("1.0000000000000000", "1.000000000000"),
            ("99999999999999999999999999.999999999999", "99999999999999999999999999.999999999999"),
        ] {
            assert_eq!(amount(text).to_string(), spelled, "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amount_is_named() {
        for text in ["", "-", ".5", "1.", "1e3", "+1", "1,5", " 1", "NaN", "--1", "٣"] {
            assert!(matches!(text.parse::<Amount>(), Err(MoneyError::NotADecimal(_))), "{text:?}");
        }
        assert!(matches!("0.0000000000001".parse::<Amount>(), Err(MoneyError::TooManyPlaces(_))));
        assert!(matches!(
            "100000000000000000000000000".parse::<Amount>(),
            Err(MoneyError::TooLarge(_))
        ));
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        assert_eq!(amount("1.005").rounded_for_display(2), "1.01");
        assert_eq!(amount("-1.005").rounded_for_display(2), "-1.01");
        assert_eq!(amount("1.004999999999").rounded_for_display(2), "1.00");
        assert_eq!(amount("-0.001").rounded_for_display(2), "0.00");
        assert_eq!(amount("2.5").rounded_for_display(0), "3");
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        assert_eq!("USD".parse(), Ok(Currency::USD));
        for text in ["usd", "US", "USDT", "", "U$D", "ÜSD"] {
            assert!(text.parse::<Currency>().is_err(), "{text}");
        }
    }
}
