//! What is wrong with a value, in the words of who wrote it. serde says it in those of the program that
//! reads it, with the names of its types.

use std::borrow::Cow;

/// A time as it is sent.
const TIME: &str = "a time such as 2026-01-31T12:00:00Z";
/// What stands between what is there and what should be.
const EXPECTED: &str = ", expected ";

/// How much of a sender's text is said back to them, in characters: enough to know it by.
const QUOTED_CHARS_MAX: usize = 80;
/// How much is said at all.
const SAID_CHARS_MAX: usize = 2_000;

/// The beginning of a text, where it is longer than that.
pub fn shortened(text: &str, chars_max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// serde's message in JSON's words. Where in the text it was stays as it is.
pub fn in_json(why: &str) -> String {
    let (said, place) = match why.rfind(" at line ") {
        Some(at) => why.split_at(at),
        None => (why, ""),
    };
    format!("{}{place}", shortened(&said_in_json(said), SAID_CHARS_MAX))
}

fn said_in_json(why: &str) -> Cow<'_, str> {
    if why.starts_with("data did not match any variant") || why.starts_with("no variant of ") {
        return "it has none of the forms that are taken".into();
    }
    if let Some(rest) = why.strip_prefix("unknown variant ") {
        return match rest.split_once(EXPECTED) {
            Some((word, known)) => {
                let word = shortened(word, QUOTED_CHARS_MAX);
                let known = known.strip_prefix("one of ").unwrap_or(known);
                format!("it is {word} and must be one of {known}").into()
            }
            None => format!("it is {rest}, which is not known").into(),
        };
    }
    let rest = why.strip_prefix("invalid type: ").or_else(|| why.strip_prefix("invalid value: "));
    if let Some((found, expected)) = rest.and_then(|rest| rest.rsplit_once(EXPECTED)) {
        return format!("it is {} and must be {}", given(found), wanted(expected)).into();
    }
    let rest = why.strip_prefix("unknown field ");
    if let Some((name, known)) = rest.and_then(|rest| rest.split_once(EXPECTED)) {
        let name = shortened(name, QUOTED_CHARS_MAX);
        return format!("unknown field {name}{EXPECTED}{known}").into();
    }
    let rest = why.strip_prefix("invalid length ");
    if let Some((length, expected)) = rest.and_then(|rest| rest.rsplit_once(EXPECTED)) {
        return format!("it has {length} parts and must be {}", wanted(expected)).into();
    }
    parsed(why)
}

/// What reading a text as something else says.
fn parsed(why: &str) -> Cow<'_, str> {
    if why.starts_with("UUID parsing failed") {
        return "it is not a UUID".into();
    }
    match why {
        "invalid digit found in string" => "it is not a whole number".into(),
        "cannot parse integer from empty string" => "it is empty and must be a whole number".into(),
        "number too large to fit in target type" => "the number is too large".into(),
        "number too small to fit in target type" => "the number is too small".into(),
        "invalid float literal" | "cannot parse float from empty string" => {
            "it is not a number".into()
        }
        "provided string was not `true` or `false`" => "it must be true or false".into(),
        "input is out of range"
        | "no possible date and time matching input"
        | "input is not enough for unique date and time"
        | "input contains invalid characters"
        | "premature end of input"
        | "trailing input" => format!("it is not {TIME}").into(),
        _ => why.into(),
    }
}

/// What was found there.
fn given(found: &str) -> Cow<'_, str> {
    let quoted = |start: &str| found.strip_prefix(start)?.strip_suffix('`');
    if let Some(number) = quoted("integer `").or_else(|| quoted("floating point `")) {
        return format!("the number {number}").into();
    }
    if let Some(boolean) = quoted("boolean `") {
        return boolean.into();
    }
    if let Some(text) = found.strip_prefix("string ") {
        return format!("the text {}", shortened(text, QUOTED_CHARS_MAX)).into();
    }
    if let Some(text) = quoted("character `") {
        return format!("the text \"{text}\"").into();
    }
    match found {
        "sequence" | "tuple variant" => "a list".into(),
        "map" | "enum" | "struct variant" | "newtype variant" | "unit variant" => {
            "an object".into()
        }
        "unit value" | "Option value" | "unit" => "null".into(),
        _ => found.into(),
    }
}

/// What should be there, of a type or of what serde says of one.
pub(crate) fn wanted(expected: &str) -> Cow<'_, str> {
    let range = |from: i128, to: i128| Cow::from(format!("a whole number from {from} to {to}"));
    match expected {
        "u8" => return range(0, u8::MAX.into()),
        "u16" => return range(0, u16::MAX.into()),
        "u32" => return range(0, u32::MAX.into()),
        "u64" | "usize" => return "a whole number from 0 on".into(),
        "i8" => return range(i8::MIN.into(), i8::MAX.into()),
        "i16" => return range(i16::MIN.into(), i16::MAX.into()),
        "i32" => return range(i32::MIN.into(), i32::MAX.into()),
        "a nonzero u32" => return range(1, u32::MAX.into()),
        "a nonzero u64" | "a nonzero usize" => return range(1, u64::MAX.into()),
        "i64" | "isize" | "u128" | "i128" => return "a whole number".into(),
        "f32" | "f64" => return "a number".into(),
        "bool" | "a boolean" => return "true or false".into(),
        "string" | "str" | "a string" | "a borrowed string" | "a character" | "char" => {
            return "a text".into();
        }
        "string or map" | "a string or map" => return "a text or an object".into(),
        "unit" | "null" => return "null".into(),
        "option" => return "a value or null".into(),
        "variant identifier" | "field identifier" => return "a text".into(),
        _ => {}
    }
    let of = |kinds: &[&str]| kinds.iter().any(|kind| expected.starts_with(kind));
    if of(&["struct", "a map", "map", "internally tagged", "adjacently tagged", "enum"]) {
        return "an object".into();
    }
    if of(&["a sequence", "sequence", "tuple", "a tuple", "an array", "newtype struct"]) {
        return "a list".into();
    }
    if of(&["unit struct"]) {
        return "null".into();
    }
    if expected.to_ascii_lowercase().contains("uuid") {
        return "a UUID".into();
    }
    if expected.contains("date and time") || expected.contains("RFC 3339") {
        return TIME.into();
    }
    expected.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_says_is_said_of_json() {
        for (said, expected) in [
            (
                "invalid type: integer `7`, expected struct CreateProjectRequest at line 1 column 1",
                "it is the number 7 and must be an object at line 1 column 1",
            ),
            (
                "invalid value: integer `-1`, expected u32",
                "it is the number -1 and must be a whole number from 0 to 4294967295",
            ),
            (
                "invalid type: string \"a, expected b\", expected i64",
                "it is the text \"a, expected b\" and must be a whole number",
            ),
            ("invalid type: sequence, expected a string", "it is a list and must be a text"),
            ("invalid type: map, expected a boolean", "it is an object and must be true or false"),
            ("invalid type: null, expected a sequence", "it is null and must be a list"),
            (
                "invalid length 1, expected struct Item with 2 elements",
                "it has 1 parts and must be an object",
            ),
            (
                "unknown variant `x`, expected one of `a`, `b`",
                "it is `x` and must be one of `a`, `b`",
            ),
            ("unknown variant `x`, expected `a`", "it is `x` and must be one of `a`"),
            (
                "data did not match any variant of untagged enum Audience",
                "it has none of the forms that are taken",
            ),
            ("UUID parsing failed: invalid length: found 2", "it is not a UUID"),
            ("premature end of input", "it is not a time such as 2026-01-31T12:00:00Z"),
            ("missing field `name`", "missing field `name`"),
            ("the name is empty", "the name is empty"),
        ] {
            assert_eq!(in_json(said), expected);
        }
    }

    #[test]
    fn what_is_long_is_not_said_back() {
        let long = "é".repeat(100_000);
        for said in [
            format!("invalid type: string \"{long}\", expected i64"),
            format!("unknown field `{long}`, expected one of `a`, `b`"),
            format!("unknown variant `{long}`, expected one of `a`, `b`"),
        ] {
            let said = in_json(&said);
            assert!(said.chars().count() < 200, "{said}");
            assert!(
                said.ends_with("must be a whole number") || said.ends_with("`a`, `b`"),
                "{said}"
            );
        }
        assert!(in_json(&long).chars().count() <= SAID_CHARS_MAX + 1);
    }
}
