//! The keys that an issuer publishes at one time.

use serde::Deserialize;

use super::error::SignInError;
use super::key::PublishedKey;
use super::token::Token;

/// An issuer's keys, those for signatures that are supported.
pub(super) struct KeySet {
    keys: Vec<PublishedKey>,
}

/// What the keys say to a token.
pub(super) enum Verdict {
    /// One of them signed it.
    Signed,
    /// It is not valid, whatever the issuer may publish next.
    Refused(SignInError),
    /// It is not valid by these keys; the issuer may have newer ones.
    KeyMissing(SignInError),
}

impl KeySet {
    /// The set of a JWKS document. None where it is not one.
    pub(super) fn read(document: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        let document: Document = serde_json::from_slice(document).ok()?;
        Some(Self { keys: document.keys.iter().filter_map(PublishedKey::read).collect() })
    }

    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether one of the keys that the token may be signed with has signed it.
    pub(super) fn judge(&self, token: &Token<'_>) -> Verdict {
        match &token.key_id {
            Some(id) => self.judge_named(token, id),
            None => self.judge_unnamed(token),
        }
    }

    fn judge_named(&self, token: &Token<'_>, id: &str) -> Verdict {
        let mut named = self.keys.iter().filter(|key| key.id.as_deref() == Some(id)).peekable();
        if named.peek().is_none() {
            return Verdict::KeyMissing(SignInError::UnknownKey);
        }
        // Two keys of different kinds may share an id (RFC 7517, 4.5).
        let mut fitting = named.filter(|key| key.fits(token.algorithm)).peekable();
        if fitting.peek().is_none() {
            return Verdict::Refused(SignInError::AlgorithmMismatch);
        }
        if fitting.any(|key| made(key, token)) {
            return Verdict::Signed;
        }
        Verdict::Refused(SignInError::BadSignature)
    }

    /// Which key is meant is clear only where there is one. If that did not sign the token, it may
    /// have been replaced: without an id nothing else tells.
    fn judge_unnamed(&self, token: &Token<'_>) -> Verdict {
        match self.keys.as_slice() {
            [] => Verdict::KeyMissing(SignInError::UnknownKey),
            [key] if made(key, token) => Verdict::Signed,
            [key] if key.fits(token.algorithm) => Verdict::KeyMissing(SignInError::BadSignature),
            [_] => Verdict::KeyMissing(SignInError::AlgorithmMismatch),
            [_, _, ..] => Verdict::Refused(SignInError::KeyNotNamed),
        }
    }
}

fn made(key: &PublishedKey, token: &Token<'_>) -> bool {
    key.made(token.algorithm, token.signed, &token.signature)
}
