//! Which issuers are configured, and which addresses of theirs may be fetched from.

use std::str::FromStr;

use reqwest::Url;

/// An issuer whose tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// The issuer's URL, exactly as it stands in its tokens' `iss`.
    pub issuer: String,
    /// The `aud` that its tokens have when they are meant for us: our client id there.
    pub audience: String,
    /// Where its keys are, for an issuer without a discovery document.
    pub jwks_uri: Option<String>,
}

/// Why an issuer cannot be configured so.
#[derive(Debug, thiserror::Error)]
pub enum IssuerConfigError {
    /// A part is missing or empty.
    #[error("an issuer is configured as ISSUER=AUDIENCE or ISSUER=AUDIENCE=JWKS_URI")]
    Form,
    /// Not an absolute URL, or one that carries what no issuer's address has.
    #[error("an issuer's address is a URL without user, query and fragment")]
    Address,
    /// Whoever sits in between could hand out keys of their own.
    #[error("an issuer's address begins with https:// (http:// only on this machine's loopback)")]
    Insecure,
    /// Two audiences of one issuer, or one line too much.
    #[error("an issuer is configured twice")]
    Twice,
    /// The system's trusted certificates cannot be read, for instance.
    #[error("no HTTPS client: {0}")]
    Client(#[source] reqwest::Error),
}

/// `ISSUER=AUDIENCE`, or `ISSUER=AUDIENCE=JWKS_URI`.
impl FromStr for IssuerConfig {
    type Err = IssuerConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The last part may have further equal signs, in its query.
        let mut parts = text.trim().splitn(3, '=');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let issuer = part().ok_or(IssuerConfigError::Form)?.to_owned();
        let audience = part().ok_or(IssuerConfigError::Form)?.to_owned();
        let jwks_uri = match parts.next() {
            Some("") => return Err(IssuerConfigError::Form),
            Some(uri) => Some(uri.to_owned()),
            None => None,
        };
        issuer_address(&issuer)?;
        if let Some(uri) = &jwks_uri {
            address(uri)?;
        }
        Ok(Self { issuer, audience, jwks_uri })
    }
}

/// Whether a text can be an issuer's address.
pub fn is_issuer(text: &str) -> bool {
    issuer_address(text).is_ok()
}

/// The issuer's URL, where it can be one.
pub(super) fn issuer_address(issuer: &str) -> Result<Url, IssuerConfigError> {
    let url = address(issuer)?;
    match url.query() {
        Some(_) => Err(IssuerConfigError::Address),
        None => Ok(url),
    }
}

/// A URL that documents may be fetched from: nobody in between can change what it answers.
pub(super) fn address(text: &str) -> Result<Url, IssuerConfigError> {
    let url = Url::parse(text).map_err(|_| IssuerConfigError::Address)?;
    let user = !url.username().is_empty() || url.password().is_some();
    if user || url.fragment().is_some() || !url.has_host() {
        return Err(IssuerConfigError::Address);
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err(IssuerConfigError::Insecure),
    }
}

/// Whether the host is this machine, by its name alone: nothing is resolved.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_configured_by_two_or_three_parts() {
        let check = |text: &str, expected: (&str, &str, Option<&str>)| {
            let config: IssuerConfig = text.parse().expect("it is one");
            let found =
                (config.issuer.as_str(), config.audience.as_str(), config.jwks_uri.as_deref());
            assert_eq!(found, expected, "{text}");
        };
        let acme = "https://login.acme.example";
        check("https://login.acme.example=orgledger", (acme, "orgledger", None));
        check(" https://login.acme.example=api://orgledger ", (acme, "api://orgledger", None));
        check(
            "https://login.acme.example=orgledger=https://keys.acme.example/jwks?a=b",
            (acme, "orgledger", Some("https://keys.acme.example/jwks?a=b")),
        );
        for local in ["http://127.0.0.1:9000/realm", "http://[::1]:9000", "http://localhost:1"] {
            check(&format!("{local}=orgledger"), (local, "orgledger", None));
        }
    }

    #[test]
    fn what_is_not_a_safe_issuer_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<IssuerConfig>().expect_err(text);
            let name = format!("{error:?}");
            assert_eq!(name, expected, "{text}");
        };
        for text in ["", "https://a.example", "=b", "https://a.example=", "https://a.example=b="] {
            check(text, "Form");
        }
        for text in [
            "a.example=b",
            "https://=b",
            "https://user@a.example=b",
            "https://:word@a.example=b",
            "https://a.example#x=b",
            "https://a.example?x=b",
        ] {
            check(text, "Address");
        }
        for text in [
            "http://a.example=b",
            "http://127.0.0.1.a.example=b",
            "http://localhost.a.example=b",
            "http://10.0.0.1=b",
            "ftp://127.0.0.1=b",
            "https://a.example=b=http://a.example/jwks",
        ] {
            check(text, "Insecure");
        }
    }
}
