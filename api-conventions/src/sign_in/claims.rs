//! What a signed token says, and whether it signs somebody in.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::error::SignInError;
use super::token::object;

/// How far an issuer's clock may be off: a token is taken for so long after its expiry and before its
/// beginning.
pub const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// Whether what an issuer vouched for until `expires_at` is over at `now`. The one place that says so,
/// for who comes in and for what is decided later in their name.
pub fn has_expired(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - expires_at >= LEEWAY
}

/// How far ahead an expiry may lie. Issuers set minutes to a day; what is further off was meant in
/// milliseconds or never meant to end, and a token cannot be called back.
pub const EXPIRY_AHEAD_MAX: TimeDelta = TimeDelta::days(7);
/// The longest subject, in bytes (OpenID Connect Core, 2).
const SUBJECT_BYTES_MAX: usize = 255;
/// The longest address, in bytes (RFC 5321, 4.5.3.1.3, without the angle brackets).
const EMAIL_BYTES_MAX: usize = 254;

/// Whom an issuer vouches for.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedIdentity {
    /// The issuer, as configured.
    pub issuer: Arc<str>,
    /// Who it is, to the issuer: stays when the address changes.
    pub subject: String,
    /// An address that the issuer has verified, as it spells it.
    pub email: String,
    /// Until when the issuer vouches, without [`LEEWAY`].
    pub expires_at: DateTime<Utc>,
}

/// Without the person.
impl std::fmt::Debug for VerifiedIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifiedIdentity")
            .field("issuer", &self.issuer)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The claims that are looked at. Those with a refusal of their own are read as any JSON, so that a
/// wrong type is refused and not taken for an absent claim.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: Option<String>,
    aud: Option<Audience>,
    azp: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iat: Option<Value>,
    email: Option<String>,
    email_verified: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn is_several(&self) -> bool {
        matches!(self, Self::Several(several) if several.len() > 1)
    }

    fn has(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

/// Who signs in with a token of this payload, whose signature is `issuer`'s.
pub(super) fn check(
    payload: &[u8],
    issuer: &Arc<str>,
    audience: &str,
    now: DateTime<Utc>,
) -> Result<VerifiedIdentity, SignInError> {
    let claims: Claims = object(payload)?;
    if *claims.iss != **issuer {
        return Err(SignInError::UnknownIssuer);
    }
    if !claims.aud.as_ref().is_some_and(|aud| aud.has(audience)) {
        return Err(SignInError::WrongAudience);
    }
    claims.party(audience)?;
    let expires_at = claims.expiry(now)?;
    claims.begun(now)?;
    let email = claims.verified_email()?.to_owned();
    let subject = claims.sub.filter(|sub| (1..=SUBJECT_BYTES_MAX).contains(&sub.len()));
    let subject = subject.ok_or(SignInError::NoSubject)?;
    Ok(VerifiedIdentity { issuer: issuer.clone(), subject, email, expires_at })
}

impl Claims {
    fn expiry(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, SignInError> {
        let exp = self.exp.as_ref().ok_or(SignInError::NoExpiry)?;
        let expires_at = time(exp).ok_or(SignInError::AbsurdExpiry)?;
        if expires_at - now > EXPIRY_AHEAD_MAX {
            return Err(SignInError::AbsurdExpiry);
        }
        if has_expired(expires_at, now) {
            return Err(SignInError::Expired);
        }
        Ok(expires_at)
    }

    /// Of several audiences, one asked for the token (`azp`): that must have been us (OpenID Connect
    /// Core, 3.1.3.7). With one audience it is for us, whichever client of ours asked: access tokens
    /// have theirs there.
    fn party(&self, audience: &str) -> Result<(), SignInError> {
        let is_for_several = self.aud.as_ref().is_some_and(Audience::is_several);
        match &self.azp {
            Some(azp) if is_for_several && azp.as_str() != Some(audience) => {
                Err(SignInError::WrongParty)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn begun(&self, now: DateTime<Utc>) -> Result<(), SignInError> {
        for begins in [&self.nbf, &self.iat].into_iter().flatten() {
            let begins = time(begins).ok_or(SignInError::Malformed)?;
            if begins - now > LEEWAY {
                return Err(SignInError::NotYetValid);
            }
        }
        Ok(())
    }

    /// The address, where the issuer says that it is theirs: `true` and nothing that could mean it. A
    /// text in its place was written by something else than the standard, which says whose it is.
    fn verified_email(&self) -> Result<&str, SignInError> {
        let email = self.email.as_deref().filter(|email| can_be_address(email));
        let email = email.ok_or(SignInError::NoEmail)?;
        let is_verified = self.email_verified == Some(Value::Bool(true));
        if is_verified { Ok(email) } else { Err(SignInError::EmailNotVerified) }
    }
}

/// Something on both sides of the last `@`, and nothing that cannot be seen.
fn can_be_address(email: &str) -> bool {
    let visible = email.chars().all(|c| !c.is_whitespace() && !c.is_control());
    let parts = email.rsplit_once('@');
    visible
        && email.len() <= EMAIL_BYTES_MAX
        && parts.is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty())
}

/// The time of a `NumericDate`: seconds since 1970, which may have a fraction; that is dropped.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    let seconds = match value.as_i64() {
        Some(seconds) => seconds,
        None => {
            let since = std::time::Duration::try_from_secs_f64(value.as_f64()?).ok()?;
            i64::try_from(since.as_secs()).ok()?
        }
    };
    let time = DateTime::from_timestamp(seconds, 0)?;
    (seconds >= 0).then_some(time)
}
