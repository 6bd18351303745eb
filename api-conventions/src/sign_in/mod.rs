//! Signing in with a company's OpenID Connect provider: a bearer token that a configured issuer has
//! signed becomes a [`VerifiedIdentity`].
//!
//! [`Issuers::verify`] takes a token (an ID token, or a JWT access token with an address) through
//!
//! 1. `token.rs`, its form: three parts, a header that asks for nothing unusual;
//! 2. `key_source.rs`, the issuer's published keys, fetched by `fetch.rs` and kept for a while;
//! 3. `key_set.rs` and `key.rs`, the signature, by the one key that the token names;
//! 4. `claims.rs`, what it says: for whom, until when, and which verified address.
//!
//! Signatures are ring's. The rest is written out here instead of taken from a JWT library, because
//! each thing that must be refused is then a line of ours with a test: of the libraries that verify
//! with ring, none is free of a known flaw in checking claims.
//!
//! Nothing here reads the clock: the time comes in. And nothing of a token is ever in an error, in
//! a log or in `Debug`.

mod claims;
mod config;
mod error;
mod fetch;
mod key;
mod key_set;
mod key_source;
mod token;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use claims::{EXPIRY_AHEAD_MAX, LEEWAY, VerifiedIdentity, has_expired};
pub use config::{IssuerConfig, IssuerConfigError, is_issuer};
pub use error::SignInError;
pub use fetch::{DOCUMENT_BYTES_MAX, FETCH_TIME_MAX};
pub use key_source::{KEYS_FRESH_MAX, KEYS_USABLE_MAX, REFRESH_INTERVAL_MIN, RETRY_INTERVAL_MIN};
pub use token::TOKEN_BYTES_MAX;

use key_source::KeySource;
use token::Token;

/// The issuers whose tokens are taken, and their keys. Clones share the keys.
#[derive(Clone)]
pub struct Issuers {
    issuers: Arc<[Issuer]>,
}

struct Issuer {
    name: Arc<str>,
    audience: String,
    keys: KeySource,
}

impl Issuers {
    /// Fetches nothing yet: an issuer that is down does not keep anybody from starting.
    pub fn new(configs: Vec<IssuerConfig>) -> Result<Self, IssuerConfigError> {
        let mut issuers: Vec<Issuer> = Vec::with_capacity(configs.len());
        for config in configs {
            let IssuerConfig { issuer, audience, jwks_uri } = config;
            if audience.is_empty() {
                return Err(IssuerConfigError::Form);
            }
            if issuers.iter().any(|other| *other.name == *issuer) {
                return Err(IssuerConfigError::Twice);
            }
            let name: Arc<str> = issuer.into();
            let keys = KeySource::new(name.clone(), jwks_uri.as_deref())?;
            issuers.push(Issuer { name, audience, keys });
        }
        Ok(Self { issuers: issuers.into() })
    }

    /// Whether tokens of this issuer are taken. Compared exactly, as OpenID Connect asks for.
    pub fn knows(&self, issuer: &str) -> bool {
        self.find(issuer).is_some()
    }

    /// Whether a credential has the form of a token, so that other credentials skip this path. One
    /// without a signature has it too: it is for [`Issuers::verify`] to refuse.
    pub fn is_token(credential: &str) -> bool {
        token::is_token(credential)
    }

    /// Who the token says is there, at `now`. Waits for the issuer where its keys are not known, too
    /// old, or lack the one that the token names; for [`FETCH_TIME_MAX`] at most.
    pub async fn verify(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<VerifiedIdentity, SignInError> {
        let token = Token::read(token)?;
        let issuer = self.find(&token.issuer()?).ok_or(SignInError::UnknownIssuer)?;
        issuer.keys.verify(&token, now).await?;
        claims::check(&token.payload, &issuer.name, &issuer.audience, now)
    }

    fn find(&self, name: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| *issuer.name == *name)
    }
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.issuers.iter().map(|issuer| &issuer.name)).finish()
    }
}
