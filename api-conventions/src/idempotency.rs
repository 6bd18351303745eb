//! The idempotency key that every command carries.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::problem::{IDEMPOTENCY_KEY_REQUIRED, Problem};

/// The header.
pub const IDEMPOTENCY_KEY_HEADER: &str = "idempotency-key";

const CHARACTERS_MAX: usize = 255;

/// The caller's name for this command: sent again, it is the same command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub String);

impl std::str::FromStr for IdempotencyKey {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let usable = (1..=CHARACTERS_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic());
        usable.then(|| Self(text.to_owned())).ok_or_else(required)
    }
}

fn required() -> Problem {
    Problem::new(IDEMPOTENCY_KEY_REQUIRED)
        .with_detail(format!(
            "Send one Idempotency-Key header of 1 to {CHARACTERS_MAX} visible ASCII characters, \
             such as a UUID: a new one for each command, the same one when trying again."
        ))
        .with("field", "Idempotency-Key")
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY_HEADER).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(required());
        };
        value.to_str().map_err(|_| required())?.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_1_to_255_visible_characters() {
        let check = |text: &str, usable| {
            assert_eq!(text.parse::<IdempotencyKey>().is_ok(), usable, "{text:?}");
        };
        check("a", true);
        check(&"k".repeat(255), true);
        check("", false);
        check(&"k".repeat(256), false);
        check("two words", false);
        check("tab\t", false);
        check("schlüssel", false);
    }
}
