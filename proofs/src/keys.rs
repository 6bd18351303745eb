//! Ed25519 keys in C2SP's text forms: `NAME+ID+KEY` is public, `PRIVATE+KEY+NAME+ID+KEY` signs.
//! Source: <https://c2sp.org/signed-note>, and Go's `golang.org/x/mod/sumdb/note` for the private form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::hash::Hash;

/// Signs the text of a note.
const NOTE: u8 = 1;
/// Signs that a witness has seen a checkpoint, and when.
const COSIGNATURE: u8 = 4;

/// What the private form begins with.
const PRIVATE: &str = "PRIVATE+KEY+";

/// The longest name of a key, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A public key of another form.
    #[error("it is not a key like NAME+1a2b3c4d+BASE64")]
    NotPublic,
    /// A signing key of another form.
    #[error("it is not a signing key like PRIVATE+KEY+NAME+1a2b3c4d+BASE64")]
    NotPrivate,
    /// The name is not one.
    #[error("a key's name has no spaces and no +, and is like ledger.acme.example")]
    Name,
    /// Not Ed25519.
    #[error("it is not an Ed25519 key")]
    Algorithm,
    /// The id is not that of the key: a character is wrong.
    #[error("its id does not belong to it: is it complete?")]
    Id,
    /// The system has no randomness.
    #[error("the system gives no random bytes")]
    Random,
}

/// What an id of a key is computed from.
fn id_of(name: &str, algorithm: u8, public: &[u8; 32]) -> u32 {
    let text = [name.as_bytes(), b"\n", &[algorithm], public].concat();
    let [a, b, c, d, ..] = Hash::of(&text).0;
    u32::from_be_bytes([a, b, c, d])
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let is_name = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+');
    if is_name { Ok(()) } else { Err(KeyError::Name) }
}

/// `NAME+ID+BASE64`, taken apart: the name, the algorithm and the key.
fn parse(text: &str) -> Option<(&str, u32, Vec<u8>)> {
    // Base64 has pluses, a name has none.
    let mut parts = text.splitn(3, '+');
    let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
    if id.len() != 8 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some((name, u32::from_str_radix(id, 16).ok()?, STANDARD.decode(key).ok()?))
}

/// A key that verifies signatures of notes, or cosignatures of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    algorithm: u8,
    public: [u8; 32],
}

impl VerifyingKey {
    /// The key's name, which for a log is its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What signature lines name it by, beside its name.
    pub fn id(&self) -> u32 {
        id_of(&self.name, self.algorithm, &self.public)
    }

    /// Whether it belongs to a witness.
    pub fn is_witness(&self) -> bool {
        self.algorithm == COSIGNATURE
    }

    /// Whether the bytes behind the id in a signature line sign the note's text.
    pub(crate) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        if self.algorithm == NOTE {
            return key.verify(text.as_bytes(), signature).is_ok();
        }
        let Some((time, signature)) = signature.split_first_chunk::<8>() else { return false };
        let signed = crate::note::cosigned(text, u64::from_be_bytes(*time));
        key.verify(signed.as_bytes(), signature).is_ok()
    }
}

impl std::str::FromStr for VerifyingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, key) = parse(text.trim()).ok_or(KeyError::NotPublic)?;
        check_name(name)?;
        let (algorithm, public) = key.split_first().ok_or(KeyError::NotPublic)?;
        if ![NOTE, COSIGNATURE].contains(algorithm) {
            return Err(KeyError::Algorithm);
        }
        let public = public.try_into().map_err(|_| KeyError::Algorithm)?;
        let key = Self { name: name.to_owned(), algorithm: *algorithm, public };
        if key.id() == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl std::fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = [&[self.algorithm], &self.public[..]].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id(), STANDARD.encode(key))
    }
}

/// A key that signs notes. Its secret is shown by [`SigningKey::reveal`] alone.
pub struct SigningKey {
    name: String,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// A new one, out of the system's randomness.
    pub fn generate(name: &str) -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| KeyError::Random)?;
        Self::of(name, seed)
    }

    /// From its seed (RFC 8032).
    pub fn of(name: &str, seed: [u8; 32]) -> Result<Self, KeyError> {
        check_name(name)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| KeyError::Algorithm)?;
        Ok(Self { name: name.to_owned(), seed, pair })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that verifies what this one signs.
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut public = [0; 32];
        public.copy_from_slice(self.pair.public_key().as_ref());
        VerifyingKey { name: self.name.clone(), algorithm: NOTE, public }
    }

    /// The same key as a witness's: what it signs then is a cosignature.
    pub fn witness_key(&self) -> VerifyingKey {
        VerifyingKey { algorithm: COSIGNATURE, ..self.verifying_key() }
    }

    /// The key in its private form, for who keeps it.
    pub fn reveal(&self) -> String {
        let key = STANDARD.encode([&[NOTE], &self.seed[..]].concat());
        format!("{PRIVATE}{}+{:08x}+{key}", self.name, self.verifying_key().id())
    }

    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(text.as_bytes()).as_ref().to_vec()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.verifying_key())
    }
}

impl std::str::FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let key = text.trim().strip_prefix(PRIVATE).ok_or(KeyError::NotPrivate)?;
        let (name, id, key) = parse(key).ok_or(KeyError::NotPrivate)?;
        let (algorithm, seed) = key.split_first().ok_or(KeyError::NotPrivate)?;
        if *algorithm != NOTE {
            return Err(KeyError::Algorithm);
        }
        let key = Self::of(name, seed.try_into().map_err(|_| KeyError::Algorithm)?)?;
        if key.verifying_key().id() == id { Ok(key) } else { Err(KeyError::Id) }
    }
}
