//! Pages: a limit, and an opaque cursor that says where the last page ended.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;

/// The most items of one page.
pub const LIMIT_MAX: u16 = 500;

/// The items of a page where nothing is asked.
pub const LIMIT_DEFAULT: u16 = 100;

/// How many items a page may have: 1 to [`LIMIT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// The number of items.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT_DEFAULT)
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(limit @ 1..=LIMIT_MAX) => Ok(Self(limit)),
            _ => Err(format!("'{text}' is not a number from 1 to {LIMIT_MAX}")),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

/// Where the next page begins. Its text is nobody's business but ours: a version, then JSON in
/// hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Cursor(String);

/// The version of cursors that this program writes. Another version's are refused, as a cursor that
/// was made up is.
const CURSOR_VERSION: char = '1';

const CURSOR_CHARACTERS_MAX: usize = 4_096;

impl Cursor {
    /// The cursor of `list` after `key`. The list's name makes another list's cursor invalid.
    pub fn new<K: Serialize>(list: &str, key: &K) -> Result<Self, serde_json::Error> {
        use fmt::Write as _;
        let json = serde_json::to_vec(&(list, key))?;
        let mut text = String::with_capacity(1 + 2 * json.len());
        text.push(CURSOR_VERSION);
        for byte in json {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// The key that a cursor of `list` was made of.
    pub fn key<K: DeserializeOwned>(&self, list: &str) -> Result<K, Problem> {
        self.read::<(String, K)>()
            .filter(|(name, _)| name == list)
            .map(|(_, key)| key)
            .ok_or_else(|| Problem::invalid("cursor", "it is not a next_cursor of this list"))
    }

    fn read<T: DeserializeOwned>(&self) -> Option<T> {
        let hex = self.0.strip_prefix(CURSOR_VERSION)?;
        let digits: Option<Vec<u8>> =
            hex.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
        let json: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        serde_json::from_slice(&json).ok()
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > CURSOR_CHARACTERS_MAX {
            return Err("it is not a next_cursor of this list".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_text(deserializer)
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last one.
    #[schema(value_type = Option<String>)]
    pub next_cursor: Option<Cursor>,
}

/// Reads a parameter by its text.
pub(crate) fn from_text<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_gives_back_its_key_to_its_own_list_alone() {
        let key = ("Zoë \"0\"".to_owned(), 7_i64);
        let cursor = Cursor::new("members", &key).expect("it serialises");
        assert_eq!(cursor.key::<(String, i64)>("members").expect("its own"), key);
        assert!(cursor.key::<(String, i64)>("projects").is_err());
        assert!(cursor.key::<(i64, i64)>("members").is_err());
    }

    #[test]
    fn what_is_not_a_cursor_is_refused() {
        let cursor = Cursor::new("members", &7).expect("it serialises").to_string();
        let other_version = cursor.replacen('1', "2", 1);
        let cut = &cursor[..cursor.len() - 1];
        for text in ["x", "1", "1zz", "1é", cut, &other_version] {
            let cursor: Cursor = text.parse().expect("any text may be one");
            assert!(cursor.key::<i64>("members").is_err(), "{text}");
        }
        assert!(Cursor::from_str("").is_err());
        assert!(Cursor::from_str(&"1".repeat(5_000)).is_err());
    }
}
