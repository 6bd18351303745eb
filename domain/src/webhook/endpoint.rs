//! Where a webhook may be.

use std::net::IpAddr;

use url::{Host, Url};

use super::{Addresses, URL_CHARS_MAX, addresses};

/// Why nothing can be sent to a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is none, or too long.
    #[error(
        "the url is not one such as https://alerts.example.com/orgledger, of at most {URL_CHARS_MAX} characters"
    )]
    NotOne,
    /// It would go over the network in the clear.
    #[error("the url does not begin with https://")]
    NotEncrypted,
    /// It has a name or a password in it, which would be shown to whoever sees the webhook.
    #[error(
        "the url has a user or a password in it: leave them out, and verify the signature instead"
    )]
    UserInfo,
    /// It has a part that is never sent.
    #[error("the url has a fragment (#…), which is never sent: leave it out")]
    Fragment,
    /// It leads into a network that is nobody else's business.
    #[error(
        "the url leads to a private, local or reserved address; name one of the public internet, or run \
         orgledger with ORGLEDGER_WEBHOOKS_PRIVATE_ADDRESSES=allow"
    )]
    NotPublic,
}

/// A URL as it is kept: as it will be asked. What its name leads to is only known when it is asked.
pub(super) fn checked(text: &str, allowed: Addresses) -> Result<String, UrlError> {
    if text.chars().count() > URL_CHARS_MAX {
        return Err(UrlError::NotOne);
    }
    let url = Url::parse(text).map_err(|_| UrlError::NotOne)?;
    let host = url.host().ok_or(UrlError::NotOne)?;
    match (url.scheme(), allowed) {
        ("https", _) => {}
        // What is on loopback goes over no network.
        ("http", Addresses::Any) if is_loopback(&host) => {}
        (_, Addresses::Any | Addresses::Public) => return Err(UrlError::NotEncrypted),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(UrlError::Fragment);
    }
    if allowed == Addresses::Public && !may_be_public(&host) {
        return Err(UrlError::NotPublic);
    }
    let kept = url.to_string();
    if kept.len() > URL_CHARS_MAX || url.port() == Some(0) {
        return Err(UrlError::NotOne);
    }
    Ok(kept)
}

fn address(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
    }
}

fn is_localhost(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(_) | Host::Ipv6(_) => false,
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    is_localhost(host) || address(host).is_some_and(|address| address.is_loopback())
}

fn may_be_public(host: &Host<&str>) -> bool {
    !is_localhost(host) && address(host).is_none_or(addresses::is_public)
}
