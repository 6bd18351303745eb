//! Master keys: what the keys of persons are wrapped with. They come from outside and are never
//! stored; without them the vault is noise.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::VaultError;
use super::cipher::{Cipher, KEY_BYTES};

/// Why a text names no master keys. It never quotes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// One of them is not a key.
    #[error(
        "master key {nth} is not 32 bytes as 64 hexadecimal digits or in base64; \
         `openssl rand -hex 32` makes one"
    )]
    Malformed {
        /// Which of them, from 1.
        nth: usize,
    },
}

/// The master keys: the first wraps, all of them unwrap. Cheap to clone; nothing shows them.
#[derive(Clone)]
pub struct MasterKeys(Arc<Vec<MasterKey>>);

struct MasterKey {
    id: String,
    cipher: Cipher,
}

/// A key as the vault holds it.
pub(super) struct Wrapped {
    pub(super) master_key_id: String,
    pub(super) wrapped_key: Vec<u8>,
}

impl MasterKeys {
    /// Reads keys that are separated by commas: the one in use, then those that were used before.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let keys = text.split(',').map(str::trim).zip(1..).map(|(text, nth)| {
            let malformed = MasterKeyError::Malformed { nth };
            let bytes = decode(text).ok_or_else(|| malformed.clone())?;
            MasterKey::new(&bytes).map_err(|_| malformed)
        });
        Ok(Self(Arc::new(keys.collect::<Result<_, _>>()?)))
    }

    /// The id of the key that wraps.
    pub(super) fn current_id(&self) -> &str {
        self.0.first().map_or("", |key| &key.id)
    }

    pub(super) fn wrap(
        &self,
        bound_to: &[u8],
        key: &[u8; KEY_BYTES],
    ) -> Result<Wrapped, VaultError> {
        let master = self.0.first().ok_or(VaultError::Cipher)?;
        let wrapped_key = master.cipher.seal(bound_to, key)?;
        Ok(Wrapped { master_key_id: master.id.clone(), wrapped_key })
    }

    /// The key that was wrapped; `whose` says whose it is, for the error.
    pub(super) fn unwrap(
        &self,
        bound_to: &[u8],
        wrapped: &Wrapped,
        whose: &str,
    ) -> Result<[u8; KEY_BYTES], VaultError> {
        let Some(master) = self.0.iter().find(|master| master.id == wrapped.master_key_id) else {
            let master_key_id = wrapped.master_key_id.clone();
            return Err(VaultError::UnknownMasterKey { whose: whose.to_owned(), master_key_id });
        };
        let key = master.cipher.open(bound_to, &wrapped.wrapped_key);
        key.and_then(|key| key.try_into().ok())
            .ok_or_else(|| VaultError::KeyChanged { whose: whose.to_owned() })
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

impl MasterKey {
    fn new(bytes: &[u8; KEY_BYTES]) -> Result<Self, VaultError> {
        // What names a key says nothing of it.
        let named =
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, bytes), b"orgledger master key id");
        Ok(Self { id: hex(&named.as_ref()[..8]), cipher: Cipher::new(bytes)? })
    }
}

fn decode(text: &str) -> Option<[u8; KEY_BYTES]> {
    let bytes = if text.len() == 2 * KEY_BYTES {
        let digits: Option<Vec<u8>> =
            text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        digits?.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    } else {
        STANDARD.decode(text).ok()?
    };
    bytes.try_into().ok()
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(digit: &str) -> String {
        digit.repeat(2 * KEY_BYTES)
    }

    #[test]
    fn a_key_is_hexadecimal_or_base64_and_nothing_else() {
        let hexadecimal = MasterKeys::parse(&digits("0")).unwrap();
        let base64 = MasterKeys::parse(&STANDARD.encode([0; 32])).unwrap();
        assert_eq!(hexadecimal.current_id(), base64.current_id());
        for (text, nth) in [
            (String::new(), 1),
            ("a secret".to_owned(), 1),
            (digits("g"), 1),
            (STANDARD.encode([0; 31]), 1),
            (format!("{},", digits("0")), 2),
            (format!("{},{}", digits("0"), digits("é")), 2),
        ] {
            let refused = MasterKeys::parse(&text).unwrap_err();
            assert_eq!(refused, MasterKeyError::Malformed { nth }, "{text}");
            assert!(text.len() < 8 || !refused.to_string().contains(&text), "it quotes the key");
        }
    }

    #[test]
    fn the_first_wraps_and_all_unwrap() {
        let old = MasterKeys::parse(&digits("1")).unwrap();
        let both = MasterKeys::parse(&format!("{}, {}", digits("2"), digits("1"))).unwrap();
        let new = MasterKeys::parse(&digits("2")).unwrap();
        let wrapped = old.wrap(b"ada", &[7; 32]).unwrap();
        assert_eq!(both.unwrap(b"ada", &wrapped, "ada").unwrap(), [7; 32]);
        let rewrapped = both.wrap(b"ada", &[7; 32]).unwrap();
        assert_eq!(new.unwrap(b"ada", &rewrapped, "ada").unwrap(), [7; 32]);
        let unknown = new.unwrap(b"ada", &wrapped, "ada").unwrap_err().to_string();
        assert!(unknown.contains("ORGLEDGER_MASTER_KEY"), "{unknown}");
        assert!(old.unwrap(b"bob", &wrapped, "bob").is_err(), "another person's row");
    }

    #[test]
    fn nothing_shows_a_key() {
        let shown = format!("{:?}", MasterKeys::parse(&digits("3")).unwrap());
        assert!(!shown.contains("3333"), "{shown}");
    }
}
