//! Signed notes: a text, and signatures of it (<https://c2sp.org/signed-note>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::keys::{SigningKey, VerifyingKey};

/// The largest note that is read, in bytes; a checkpoint has some hundreds.
const NOTE_BYTES_MAX: usize = 64 * 1024;

/// The most signatures that are read.
const SIGNATURES_MAX: usize = 64;

/// Why a note proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a signed note.
    #[error("it is not a signed note: {0}")]
    Malformed(&'static str),
    /// A key that is known has not signed this.
    #[error("the signature of {0} is not of this text")]
    Forged(String),
    /// No key that is known has signed it.
    #[error("none of the keys that you trust has signed it; signatures are of: {0}")]
    Unsigned(String),
}

/// A signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key's name.
    pub name: String,
    /// The key's id.
    pub id: u32,
    /// The signature.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// From a line, without the newline.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        if name.is_empty() || name.contains('+') || name.chars().any(char::is_whitespace) {
            return None;
        }
        let signature = STANDARD.decode(signature).ok()?;
        let (id, bytes) = signature.split_first_chunk::<4>()?;
        let is_any = !bytes.is_empty();
        is_any.then(|| Self {
            name: name.to_owned(),
            id: u32::from_be_bytes(*id),
            bytes: bytes.to_vec(),
        })
    }

    fn is_of(&self, key: &VerifyingKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = [&self.id.to_be_bytes()[..], &self.bytes].concat();
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// What a witness signs of a text at a time, in seconds since 1970 (<https://c2sp.org/tlog-cosignature>).
pub(crate) fn cosigned(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// A text with signatures. Nothing in it counts before [`Note::verified_by`] has found a key that one
/// trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text, with its last newline.
    pub text: String,
    /// Who signed it.
    pub signatures: Vec<Signature>,
}

impl Note {
    /// A text, which ends with a newline, signed by each key.
    pub fn sign<'a>(text: &str, keys: impl IntoIterator<Item = &'a SigningKey>) -> Self {
        let signature = |key: &SigningKey| Signature {
            name: key.name().to_owned(),
            id: key.verifying_key().id(),
            bytes: key.sign(text),
        };
        Self { text: text.to_owned(), signatures: keys.into_iter().map(signature).collect() }
    }

    /// Adds a witness's cosignature, made at a time in seconds since 1970.
    pub fn cosign(&mut self, witness: &SigningKey, time: u64) {
        let signature = witness.sign(&cosigned(&self.text, time));
        self.signatures.push(Signature {
            name: witness.name().to_owned(),
            id: witness.witness_key().id(),
            bytes: [&time.to_be_bytes()[..], &signature].concat(),
        });
    }

    /// Reads one.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed;
        if note.len() > NOTE_BYTES_MAX {
            return Err(malformed("it is too long"));
        }
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(malformed("it has control characters"));
        }
        let end = note.rfind("\n\n").ok_or(malformed("it has no signatures"))?;
        let (text, lines) = (&note[..=end], &note[end + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(malformed("it ends within a line"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            signatures.push(Signature::parse(line).ok_or(malformed("a signature is not one"))?);
            if signatures.len() > SIGNATURES_MAX {
                return Err(malformed("it has too many signatures"));
            }
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// Which of the keys have signed it; at least one. A signature by one of them that does not fit is
    /// no matter of taste: the note is refused.
    pub fn verified_by<'k>(
        &self,
        keys: &'k [VerifyingKey],
    ) -> Result<Vec<&'k VerifyingKey>, NoteError> {
        let mut signers: Vec<&VerifyingKey> = Vec::new();
        for signature in &self.signatures {
            for key in keys.iter().filter(|key| signature.is_of(key)) {
                if !key.verifies(&self.text, &signature.bytes) {
                    return Err(NoteError::Forged(key.to_string()));
                }
                if !signers.contains(&key) {
                    signers.push(key);
                }
            }
        }
        if signers.is_empty() {
            let all = self.signatures.iter().map(|one| format!("{}+{:08x}", one.name, one.id));
            return Err(NoteError::Unsigned(all.collect::<Vec<_>>().join(", ")));
        }
        Ok(signers)
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}
