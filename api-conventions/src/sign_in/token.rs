//! A token's form, before anybody vouches for it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use super::error::SignInError;
use super::key::Algorithm;

/// The longest token that is read, in bytes: as long as a request's header may well be, and twice what
/// issuers make.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Whether a credential has a token's form.
pub(super) fn is_token(credential: &str) -> bool {
    let in_alphabet = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    parts(credential).is_some_and(|(header, payload, signature)| {
        !header.is_empty()
            && !payload.is_empty()
            && [header, payload, signature].map(in_alphabet) == [true; 3]
    })
}

/// Header, payload and signature, still encoded.
fn parts(token: &str) -> Option<(&str, &str, &str)> {
    let mut parts = token.split('.');
    let three = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(three)
}

/// A token whose form is right. Nothing in it is true yet.
pub(super) struct Token<'a> {
    /// How it is said to be signed.
    pub(super) algorithm: Algorithm,
    /// The key that it is said to be signed with.
    pub(super) key_id: Option<String>,
    /// What the signature is over.
    pub(super) signed: &'a [u8],
    /// The claims, as JSON.
    pub(super) payload: Vec<u8>,
    /// The signature.
    pub(super) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Takes it apart. Refuses a header that asks for anything but a check with a published key.
    pub(super) fn read(token: &'a str) -> Result<Self, SignInError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(SignInError::TooLong);
        }
        let (header, payload, signature) = parts(token).ok_or(SignInError::Malformed)?;
        let signed = &token.as_bytes()[..=header.len() + payload.len()];
        let header: Header = object(&decode(header)?)?;
        let algorithm = header.accept()?;
        let (payload, signature) = (decode(payload)?, decode(signature)?);
        Ok(Self { algorithm, key_id: header.kid, signed, payload, signature })
    }

    /// Who is said to have signed it: tells which keys to check with, and no more.
    pub(super) fn issuer(&self) -> Result<Cow<'_, str>, SignInError> {
        #[derive(Deserialize)]
        struct Issuer<'a> {
            #[serde(borrow)]
            iss: Cow<'a, str>,
        }
        object::<Issuer<'_>>(&self.payload).map(|issuer| issuer.iss)
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Member,
    #[serde(default)]
    jwk: Member,
    #[serde(default)]
    jku: Member,
    #[serde(default)]
    x5c: Member,
    #[serde(default)]
    x5u: Member,
}

impl Header {
    fn accept(&self) -> Result<Algorithm, SignInError> {
        if self.crit == Member::Present {
            return Err(SignInError::CriticalExtension);
        }
        if [&self.jwk, &self.jku, &self.x5c, &self.x5u].contains(&&Member::Present) {
            return Err(SignInError::EmbeddedKey);
        }
        if !self.typ.as_deref().is_none_or(is_accepted_type) {
            return Err(SignInError::WrongType);
        }
        Algorithm::named(&self.alg).ok_or(SignInError::AlgorithmNotAccepted)
    }
}

/// ID tokens have `JWT` or nothing, access tokens may have a type of their own (RFC 9068). What an
/// issuer signs for other ends, a logout say, has another and does not sign anybody in.
fn is_accepted_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}

/// Whether a member is there, whatever it holds: null too.
#[derive(Default, PartialEq, Eq)]
enum Member {
    #[default]
    Absent,
    Present,
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(value).map(|_| Self::Present)
    }
}

/// Without padding, and without bits left over: one text for the same bytes.
fn decode(part: &str) -> Result<Vec<u8>, SignInError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| SignInError::Malformed)
}

/// A JSON object. An array would pass as a struct with its members in order; and serde's error would
/// quote the token, so it goes no further.
pub(super) fn object<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, SignInError> {
    let begins = json.iter().find(|byte| !byte.is_ascii_whitespace());
    if begins != Some(&b'{') {
        return Err(SignInError::Malformed);
    }
    serde_json::from_slice(json).map_err(|_| SignInError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_parts_of_base64url_have_a_tokens_form() {
        for token in ["e30.e30.AA", "e30.e30.", "a-_.b.c"] {
            assert!(is_token(token), "{token}");
        }
        for other in [
            "",
            "olk_live_abc",
            "..",
            "a..c",
            ".b.c",
            "a.b",
            "a.b.c.d",
            "a.b.c=",
            "a.b.é",
            "a b.c.d",
        ] {
            assert!(!is_token(other), "{other}");
        }
    }
}
