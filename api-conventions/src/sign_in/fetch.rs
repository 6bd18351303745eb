//! Fetching an issuer's keys: its discovery document, then the key set that this names.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;

use super::config::{self, IssuerConfigError};
use super::key_set::KeySet;

/// How long fetching the keys may take, both documents together: with that, a request that must wait
/// for them still ends within its own time.
pub const FETCH_TIME_MAX: Duration = Duration::from_secs(4);
/// The longest document that is read, in bytes. Key sets have a few thousand.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// Why an issuer's keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("it took longer than {} s", FETCH_TIME_MAX.as_secs())]
    TimedOut,
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("its document has more than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    #[error("its discovery document is not one")]
    NotDiscovery,
    #[error("its discovery document is of another issuer")]
    OtherIssuer,
    #[error("its discovery document names an address for its keys that is not safe to fetch from")]
    UnsafeKeys,
    #[error("its key set is not one")]
    NotKeySet,
}

/// Where an issuer's keys are fetched from.
pub(super) struct Source {
    client: Client,
    issuer: String,
    address: Url,
    jwks_uri: Option<Url>,
}

impl Source {
    pub(super) fn new(issuer: &str, jwks_uri: Option<&str>) -> Result<Self, IssuerConfigError> {
        let address = config::issuer_address(issuer)?;
        let jwks_uri = jwks_uri.map(config::address).transpose()?;
        let mut client = Client::builder()
            .user_agent(concat!("orgledger/", env!("CARGO_PKG_VERSION")))
            // A redirect would lead to an address that nobody has checked.
            .redirect(Policy::none())
            .timeout(FETCH_TIME_MAX);
        if address.scheme() == "http" {
            // What is on loopback stays there; a proxy could also change it.
            client = client.no_proxy();
        }
        let client = client.build().map_err(IssuerConfigError::Client)?;
        Ok(Self { client, issuer: issuer.to_owned(), address, jwks_uri })
    }

    /// The keys that the issuer publishes now.
    pub(super) async fn key_set(&self) -> Result<KeySet, FetchError> {
        tokio::time::timeout(FETCH_TIME_MAX, async {
            let uri = match &self.jwks_uri {
                Some(uri) => uri.clone(),
                None => self.discover().await?,
            };
            KeySet::read(&self.get(uri).await?).ok_or(FetchError::NotKeySet)
        })
        .await
        .map_err(|_| FetchError::TimedOut)?
    }

    /// Where the issuer says its keys are. Read anew each time, as it may move them.
    async fn discover(&self) -> Result<Url, FetchError> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: String,
        }
        let mut uri = self.address.clone();
        let path = uri.path().trim_end_matches('/');
        let path = format!("{path}/.well-known/openid-configuration");
        uri.set_path(&path);
        let document = self.get(uri).await?;
        let Discovery { issuer, jwks_uri } =
            serde_json::from_slice(&document).map_err(|_| FetchError::NotDiscovery)?;
        if issuer != self.issuer {
            return Err(FetchError::OtherIssuer);
        }
        let uri = config::address(&jwks_uri).map_err(|_| FetchError::UnsafeKeys)?;
        // An issuer elsewhere has no business on our loopback.
        if uri.scheme() != "https" && self.address.scheme() == "https" {
            return Err(FetchError::UnsafeKeys);
        }
        Ok(uri)
    }

    async fn get(&self, uri: Url) -> Result<Vec<u8>, FetchError> {
        let mut response = self.client.get(uri).send().await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if document.len() + chunk.len() > DOCUMENT_BYTES_MAX {
                return Err(FetchError::TooLong);
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }
}
