//! Signing in with a company's issuer: hostile tokens, changing keys, and issuers that fail.

mod claims;
mod failures;
mod keys;
mod tokens;

use api_conventions::sign_in::{IssuerConfig, Issuers, SignInError};
use chrono::{DateTime, TimeDelta, Utc};
use embedded::testing::TestIssuer;
use serde_json::Value;

const AUDIENCE: &str = "orgledger";
const EMAIL: &str = "ada@acme.example";
/// When every test begins, in seconds since 1970.
const NOW: i64 = 1_800_000_000;

/// That many seconds after the test began.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).expect("it is a time") + TimeDelta::seconds(seconds)
}

fn config(issuer: &TestIssuer) -> IssuerConfig {
    format!("{}={AUDIENCE}", issuer.url()).parse().expect("it is an issuer")
}

/// The issuer alone, with nothing known of it yet.
fn issuers(issuer: &TestIssuer) -> Issuers {
    Issuers::new(vec![config(issuer)]).expect("it can be configured")
}

/// The claims of a token that is valid for a day.
fn claims(issuer: &TestIssuer) -> Value {
    let mut claims = issuer.claims(AUDIENCE, EMAIL, NOW);
    claims["exp"] = (NOW + 86_400).into();
    claims
}

/// No refusal.
const SIGNED_IN: Option<SignInError> = None;

/// Why the token does not sign in the one whom [`claims`] are about, at that second.
async fn verify(issuers: &Issuers, token: &str, seconds: i64) -> Option<SignInError> {
    match issuers.verify(token, at(seconds)).await {
        Ok(identity) => {
            assert_eq!(identity.email, EMAIL);
            SIGNED_IN
        }
        Err(refusal) => Some(refusal),
    }
}
