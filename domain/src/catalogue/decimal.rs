//! Numbers as they stand in a JSON file.

use event_schemas::{Rate, RateError};

use super::Why;

/// The largest exponent that a price is written with.
const EXPONENT_MAX: i32 = 40;

/// A price as it stands in the file, moved by so many places: `1.5e-07` for one token, by 6 places
/// for a million. Exponents are written out; nothing is rounded.
pub(super) fn rate(text: &str, places: i32) -> Result<Rate, Why> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse().map_err(|_| Why::NotAPrice)?),
        None => (text, 0_i32),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let exponent = exponent.checked_add(places).filter(|exponent| exponent.abs() <= EXPONENT_MAX);
    let length = i32::try_from(whole.len()).map_err(|_| Why::NotAPrice)?;
    let point = length + exponent.ok_or(Why::NotAPrice)?;
    let all = format!("{whole}{part}");
    let plain = match usize::try_from(point) {
        Ok(0) => format!("0.{all}"),
        Ok(point) if point >= all.len() => format!("{all:0<point$}"),
        Ok(point) => format!("{}.{}", all.get(..point).ok_or(Why::NotAPrice)?, &all[point..]),
        Err(_) => format!("0.{}{all}", "0".repeat(point.unsigned_abs() as usize)),
    };
    plain.parse().map_err(|error| match error {
        RateError::TooManyPlaces { .. } => Why::TooManyPlaces,
        RateError::NotADecimal(_) | RateError::TooLarge(_) => Why::NotAPrice,
    })
}

/// A whole number, that may be written as `256000.0`.
pub(super) fn whole(text: &str) -> Option<i64> {
    text.strip_suffix(".0").unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_as_it_stands_in_the_file() {
        for (text, places, rate_text) in [
            ("2.5", 0, "2.5"),
            ("15", 0, "15"),
            ("1e-07", 6, "0.1"),
            ("1.25E-3", 0, "0.00125"),
            ("12.5e1", 0, "125"),
            ("3e2", 0, "300"),
            ("0.0", 6, "0"),
            ("1.5e-06", 6, "1.5"),
            ("2.9999900000000002e-06", 6, "2.9999900000000002"),
            ("0.0002833333333333333", 3, "0.2833333333333333"),
            ("0.000000000000000001", 0, "0.000000000000000001"),
        ] {
            let read = rate(text, places).map(|rate| rate.to_string());
            assert_eq!(read.as_deref(), Ok(rate_text), "{text}");
        }
        assert_eq!(rate("1e-19", 0), Err(Why::TooManyPlaces));
        for text in ["-1", "\"1\"", "null", "{}", "1e999999", "1ee", "ü.5e-1", ""] {
            assert_eq!(rate(text, 0), Err(Why::NotAPrice), "{text}");
        }
        assert_eq!((whole("256000.0"), whole("7"), whole("7.5")), (Some(256_000), Some(7), None));
    }
}
