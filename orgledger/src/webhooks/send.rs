//! Sending one message to an endpoint.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use command_api::webhooks::secret::SigningSecret;
use domain::webhook::{Addresses, addresses};
use event_log::clock;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};

use super::resolve::PublicOnly;

/// How long an endpoint may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);

/// How long it may take to be reached.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// How much of an answer is read, in bytes. Nothing of it is kept: it is read so that the connection can
/// be used again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How long a connection is kept that nothing is sent on.
const IDLE_TIME_MAX: Duration = Duration::from_secs(20);

/// How much of what went wrong is kept, in characters.
const ERROR_CHARS_MAX: usize = 200;

/// What came of sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    /// What became of the message.
    pub(super) fate: Fate,
    /// What the endpoint answered.
    pub(super) status: Option<u16>,
    /// What went wrong.
    pub(super) error: Option<String>,
    /// How long it took.
    pub(super) took: Duration,
    /// How long the endpoint asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The endpoint took it.
    Taken,
    /// It did not.
    Failed,
    /// It says that it is gone for good.
    Gone,
}

impl Fate {
    /// As metrics have it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "delivered",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }
}

/// A message that is signed.
pub(super) struct Signed<'a> {
    /// What it is known by, each time that it is sent.
    pub(super) id: &'a str,
    /// When it is sent, in seconds.
    pub(super) timestamp: i64,
    pub(super) body: Vec<u8>,
    /// By each secret that signs.
    pub(super) secrets: &'a [SigningSecret],
}

impl Signed<'_> {
    fn signatures(&self) -> String {
        let sign = |secret: &SigningSecret| secret.sign(self.id, self.timestamp, &self.body);
        self.secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

/// Sends messages.
pub(super) struct Sender {
    client: Client,
    addresses: Addresses,
}

impl Sender {
    /// To endpoints that have these addresses.
    pub(super) fn new(addresses: Addresses) -> anyhow::Result<Self> {
        let mut client = Client::builder()
            .user_agent(concat!("orgledger/", env!("CARGO_PKG_VERSION")))
            // A redirect would lead to where nobody has said that events go.
            .redirect(Policy::none())
            // A proxy would connect where nothing here has looked.
            .no_proxy()
            .timeout(ANSWER_TIME_MAX)
            .connect_timeout(CONNECT_TIME_MAX)
            .pool_idle_timeout(IDLE_TIME_MAX)
            .pool_max_idle_per_host(1);
        client = match addresses {
            Addresses::Public => client.https_only(true).dns_resolver(Arc::new(PublicOnly)),
            Addresses::Any => client,
        };
        let client = client.build().context("the HTTP client for webhooks")?;
        Ok(Self { client, addresses })
    }

    /// Sends a message, once.
    pub(super) async fn send(&self, url: &str, message: Signed<'_>) -> Outcome {
        let started = Instant::now();
        let answered = self.answer(url, message).await;
        let took = started.elapsed();
        match answered {
            Err(error) => {
                let error = Some(error);
                Outcome { fate: Fate::Failed, status: None, error, took, retry_after: None }
            }
            Ok((status, retry_after)) => {
                let fate = match status {
                    StatusCode::GONE => Fate::Gone,
                    status if status.is_success() => Fate::Taken,
                    _other => Fate::Failed,
                };
                let error = (fate != Fate::Taken).then(|| format!("it answers {status}"));
                Outcome { fate, status: Some(status.as_u16()), error, took, retry_after }
            }
        }
    }

    /// What it answers, and how long it asks to be left alone.
    async fn answer(
        &self,
        url: &str,
        message: Signed<'_>,
    ) -> Result<(StatusCode, Option<Duration>), String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        self.check(&url)?;
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", message.signatures())
            .body(message.body);
        let response = request.send().await.map_err(|error| told(&error))?;
        let status = response.status();
        let retry_after = retry_after(status, response.headers(), clock::now());
        read(response).await;
        Ok((status, retry_after))
    }

    /// A host that is an address is asked of no resolver, so it is looked at here.
    fn check(&self, url: &Url) -> Result<(), String> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        match (self.addresses, host.parse()) {
            (Addresses::Public, Ok(address)) if !addresses::is_public(address) => {
                Err("the url leads to a private, local or reserved address".to_owned())
            }
            (Addresses::Public | Addresses::Any, Ok(_) | Err(_)) => Ok(()),
        }
    }
}

/// What `Retry-After` says beside a status that it belongs to: seconds, or a time.
fn retry_after(status: StatusCode, headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    (at.to_utc() - now).to_std().ok()
}

/// Reads an answer's body, as much as is read at all. Where it breaks off, the status was there before.
async fn read(mut response: Response) {
    let mut bytes = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes += chunk.len();
        if bytes > ANSWER_BYTES_MAX {
            return;
        }
    }
}

/// What went wrong, without the URL, which is known.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() && !error.is_connect() {
        return format!("it does not answer within {} s", ANSWER_TIME_MAX.as_secs());
    }
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        causes.push(next.to_string());
        cause = next.source();
    }
    let reason = causes.last().cloned().unwrap_or_else(|| "the request failed".to_owned());
    let text = if error.is_connect() { format!("it cannot be reached: {reason}") } else { reason };
    text.chars().take(ERROR_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
