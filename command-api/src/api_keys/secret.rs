//! Secrets of API keys, `olk_<environment>_<random><checksum>` (for admin keys `olk_adm_…`), and
//! tokens of invites, `oli_<random><checksum>`.
//!
//! The random part is 32 bytes in base62, 43 characters. The checksum is the CRC-32 of all before
//! it in base62, 6 characters, so that a scanner can tell a key from a lookalike without asking.
//! Stored is an HMAC-SHA-256 under the server's pepper.

use event_schemas::Environment;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::edge;
use crate::execute::Secret;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;

/// The server's pepper: what the stored hashes are keyed with. Without it a stolen database cannot
/// be used to test guesses.
#[derive(Clone)]
pub struct Pepper(Vec<u8>);

impl Pepper {
    /// The least length, in bytes.
    pub const LENGTH_MIN: usize = 32;

    /// A pepper of at least [`Self::LENGTH_MIN`] bytes; none otherwise.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() >= Self::LENGTH_MIN).then_some(Self(bytes))
    }

    /// The hash that is stored of a secret, in hexadecimal.
    pub fn hash(&self, secret: &str) -> String {
        use std::fmt::Write;
        self.mac(&[secret.as_bytes()]).iter().fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// The same of any bytes, one part behind the other.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes keys of any length, so this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// A new secret, in the forms that it is needed in.
pub struct NewSecret {
    /// In the clear, to be shown once.
    pub plaintext: Secret,
    /// What is stored.
    pub hash: String,
    /// What it is recognised by.
    pub redacted: String,
}

/// What an API key is for, as its secret's third part says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretOf {
    /// A project, in its environment where it has one.
    Project(Option<Environment>),
    /// All that its owner may do in the organization.
    Organization,
}

impl SecretOf {
    fn word(self) -> &'static str {
        match self {
            Self::Project(Some(Environment::Development)) => "dev",
            Self::Project(Some(Environment::Staging)) => "stg",
            Self::Project(Some(Environment::Production)) => "prd",
            Self::Project(None) => "any",
            Self::Organization => "adm",
        }
    }
}

/// Makes a secret for a key.
pub fn generate(pepper: &Pepper, of: SecretOf) -> Result<NewSecret, getrandom::Error> {
    secret(pepper, &format!("olk_{}_", of.word()))
}

/// Makes a token for an invite.
pub fn generate_invite_token(pepper: &Pepper) -> Result<NewSecret, getrandom::Error> {
    secret(pepper, "oli_")
}

fn secret(pepper: &Pepper, prefix: &str) -> Result<NewSecret, getrandom::Error> {
    let random = base62(&edge::random_bytes::<32>()?, RANDOM_CHARS);
    let body = format!("{prefix}{random}");
    let text = format!("{body}{}", checksum(&body));
    let redacted = format!("{prefix}{}…{}", &random[..4], &text[text.len() - 4..]);
    Ok(NewSecret { hash: pepper.hash(&text), redacted, plaintext: Secret::new(text) })
}

/// Whether a text is formed like an API key's secret, checksum included.
pub fn is_well_formed(text: &str) -> bool {
    let parts = text.strip_prefix("olk_").and_then(|rest| rest.split_once('_'));
    let known = |word: &str| ["dev", "stg", "prd", "any", "adm"].contains(&word);
    parts.is_some_and(|(word, rest)| known(word) && ends_in_checksum(text, rest))
}

/// Whether a text is formed like an invite's token, checksum included.
pub fn is_invite_token(text: &str) -> bool {
    text.strip_prefix("oli_").is_some_and(|rest| ends_in_checksum(text, rest))
}

fn ends_in_checksum(text: &str, rest: &str) -> bool {
    if rest.len() != RANDOM_CHARS + CHECKSUM_CHARS || !rest.is_ascii() {
        return false;
    }
    let (body, sum) = text.split_at(text.len() - CHECKSUM_CHARS);
    checksum(body) == sum
}

fn checksum(body: &str) -> String {
    base62(&crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECKSUM_CHARS)
}

/// A big-endian number in base 62, padded to `chars`.
fn base62(bytes: &[u8], chars: usize) -> String {
    let mut digits = vec![0_u8; chars];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in digits.iter_mut().rev() {
            let value = u32::from(*digit) * 256 + carry;
            *digit = u8::try_from(value % 62).unwrap_or(0);
            carry = value / 62;
        }
    }
    digits.iter().map(|digit| char::from(ALPHABET[usize::from(*digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pepper() -> Pepper {
        Pepper::new(vec![7; 32]).unwrap()
    }

    #[test]
    fn a_secret_is_well_formed_and_one_changed_letter_is_not() {
        let secret = generate(&pepper(), SecretOf::Project(Some(Environment::Production))).unwrap();
        let text = secret.plaintext.reveal();
        assert!(is_well_formed(text), "{text}");
        assert_eq!(text.len(), "olk_prd_".len() + RANDOM_CHARS + CHECKSUM_CHARS);
        for place in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[place] = if changed[place] == b'x' { b'y' } else { b'x' };
            assert!(!is_well_formed(std::str::from_utf8(&changed).unwrap()), "at {place}");
        }
    }

    #[test]
    fn what_is_stored_and_shown_does_not_give_the_secret_away() {
        let secret = generate(&pepper(), SecretOf::Organization).unwrap();
        let text = secret.plaintext.reveal();
        assert_eq!(secret.hash, pepper().hash(text));
        assert_ne!(secret.hash, Pepper::new(vec![8; 32]).unwrap().hash(text));
        assert!(secret.redacted.len() < 24 && !secret.hash.contains(text));
        assert!(!format!("{:?}", secret.plaintext).contains(text));
    }

    #[test]
    fn base62_is_positional() {
        assert_eq!(base62(&[0], 3), "000");
        assert_eq!(base62(&[61], 3), "00z");
        assert_eq!(base62(&[1, 0], 3), "048");
        assert_eq!(base62(&[255; 32], 43).len(), 43);
    }
}
