//! The ways in which signing in fails.

/// Why nobody is signed in. Says nothing of the token, so it may be logged and answered.
///
/// [`Self::IssuerUnreachable`] is our side's trouble (503, to be tried again after
/// [`super::REFRESH_INTERVAL_MIN`]); all others say that the token is not valid (401).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// It has more than [`super::TOKEN_BYTES_MAX`] bytes.
    #[error("the token is too long")]
    TooLong,
    /// It is not three base64url parts, of which the first two are JSON objects with claims of the
    /// right types.
    #[error("the token is malformed")]
    Malformed,
    /// It is signed for something else than saying who somebody is, a logout for instance.
    #[error("the token is of another type than an ID token or an access token")]
    WrongType,
    /// Its header has `crit`, an extension that must be understood. None is.
    #[error("the token asks for an extension that is not supported")]
    CriticalExtension,
    /// Its header brings a key along, or says where one is. Only the issuer's published keys count.
    #[error("the token brings its own key")]
    EmbeddedKey,
    /// `none`, a shared secret, or an algorithm that is not supported.
    #[error("the token's algorithm is not accepted")]
    AlgorithmNotAccepted,
    /// The key is of another kind, or published for another algorithm.
    #[error("the token's algorithm is not that of its key")]
    AlgorithmMismatch,
    /// Compared exactly.
    #[error("the token's issuer is not one that is configured")]
    UnknownIssuer,
    /// Nothing usable is known of the issuer's keys, and they cannot be had now.
    #[error("the issuer's keys cannot be fetched at the moment")]
    IssuerUnreachable,
    /// It has no `kid`, and the issuer has several keys.
    #[error("the token does not say which of the issuer's keys it is signed with")]
    KeyNotNamed,
    /// The issuer does not publish it, or not any more.
    #[error("the token's key is not one that the issuer publishes")]
    UnknownKey,
    /// It was not signed by that key, or changed afterwards.
    #[error("the token's signature is not valid")]
    BadSignature,
    /// It was made for somebody else.
    #[error("the token is for another audience")]
    WrongAudience,
    /// It has several audiences, and `azp` says that another of them asked for it.
    #[error("the token was made for another party")]
    WrongParty,
    /// No `exp`: it would be valid for ever.
    #[error("the token does not say until when it is valid")]
    NoExpiry,
    /// Not a time, or more than [`super::EXPIRY_AHEAD_MAX`] ahead.
    #[error("the token's expiry is not one that an issuer would set")]
    AbsurdExpiry,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// No `sub`, or an empty or an overlong one.
    #[error("the token does not say who it is about")]
    NoSubject,
    /// No `email`, or one that cannot be an address.
    #[error("the token has no email address")]
    NoEmail,
    /// `email_verified` is absent or anything but true.
    #[error("the token's email address is not verified by its issuer")]
    EmailNotVerified,
}
