//! Asking the server, again where that is safe and may help.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::ArgMatches;
use clap::parser::ValueSource;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::request::Request;

/// How often a request is sent at most.
const TRIES_MAX: u32 = 5;
/// The wait before the second try; it doubles with each further one.
const WAIT_FIRST: Duration = Duration::from_millis(200);
/// A server that wants a longer pause than this gets no further try.
const WAIT_MAX: Duration = Duration::from_secs(30);
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// The longest silence. A server gives a request up itself after 10 s.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A server and who asks it.
pub(super) struct Connection {
    http: Client,
    credential: Option<HeaderValue>,
}

/// What sort of credential a request was sent with, as far as its text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credential {
    None,
    ApiKey,
    InviteToken,
    IssuersToken,
    /// The operator's, or something that is none.
    Other,
}

impl Credential {
    fn of(text: &str) -> Self {
        if text.starts_with("olk_") {
            Self::ApiKey
        } else if text.starts_with("oli_") {
            Self::InviteToken
        } else if text.split('.').count() == 3 {
            Self::IssuersToken
        } else {
            Self::Other
        }
    }
}

/// What a server answered.
pub(super) struct Answer {
    pub(super) asked_with: Credential,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// No answer came.
#[derive(Debug)]
pub(super) struct Unanswered {
    server: String,
    cause: String,
    /// The key of a command that may have been carried out.
    key: Option<String>,
    /// Whether something was sent that no answer came to.
    is_open: bool,
}

impl std::error::Error for Unanswered {}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, cause, key, is_open } = self;
        if is_untrusted(cause) {
            return write!(
                f,
                "{server} is not trusted ({cause}): the authority of its certificate must be in the \
                 system's store, or in the file that SSL_CERT_FILE names"
            );
        }
        if !is_open {
            return write!(
                f,
                "no orgledger answers at {server} ({cause}): start one on this machine with \
                 `orgledger dev`, or name another with --server or ORGLEDGER_SERVER"
            );
        }
        write!(f, "the connection to {server} ended without an answer ({cause})")?;
        match key {
            Some(key) => write!(
                f,
                "; whether it was carried out is not known: the same command with \
                 --idempotency-key {key} finds out, and does nothing twice"
            ),
            None => Ok(()),
        }
    }
}

impl Connection {
    /// A connection as the arguments describe it; nothing is sent yet.
    pub(super) fn open(given: &ArgMatches) -> anyhow::Result<Self> {
        let mut http = Client::builder()
            .user_agent(concat!("orgledger/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIME_MAX)
            .read_timeout(SILENCE_MAX)
            // Elsewhere a credential has nothing to do, and a command could become a query.
            .redirect(Policy::none());
        if given.get_one::<Url>("server").is_some_and(is_this_machine) {
            http = http.no_proxy();
        }
        Ok(Self { http: http.build()?, credential: credential(given)? })
    }

    /// Sends a request until it is answered for good.
    pub(super) async fn ask(&self, request: &Request) -> anyhow::Result<Answer> {
        let mut wait = WAIT_FIRST;
        let mut tries = 1;
        let mut is_open = false;
        loop {
            let answer = self.send(request).await;
            is_open |= answer.as_ref().is_err_and(|error| !error.is_connect());
            match pause(request, &answer, wait) {
                Some(pause) if tries < TRIES_MAX => tokio::time::sleep(pause).await,
                Some(_) | None => {
                    return answer.map_err(|error| unanswered(request, &error, is_open).into());
                }
            }
            tries += 1;
            wait *= 2;
        }
    }

    async fn send(&self, request: &Request) -> reqwest::Result<Answer> {
        let mut sent = self.http.request(request.method.clone(), request.url.clone());
        sent = sent.header(ACCEPT, "application/json, */*;q=0.5");
        if let Some(credential) = &self.credential {
            sent = sent.header(AUTHORIZATION, credential);
        }
        if let Some(key) = &request.key {
            sent = sent.header("idempotency-key", key);
        }
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        if let Some((media_type, bytes)) = &request.body {
            sent = sent.header(CONTENT_TYPE, media_type).body(bytes.clone());
        }
        let answer = sent.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = self.credential.as_ref().and_then(|header| header.to_str().ok());
        let asked_with = text.map_or(Credential::None, |text| {
            Credential::of(text.strip_prefix("Bearer ").unwrap_or(text))
        });
        Ok(Answer { asked_with, status, headers, body: answer.bytes().await?.to_vec() })
    }
}

/// How long to wait before the same request is sent again; none where it must not be, or need not.
fn pause(request: &Request, answer: &reqwest::Result<Answer>, usual: Duration) -> Option<Duration> {
    let (is_safe, pause) = match answer {
        Ok(answer) => {
            let was_turned_away = answer.status == StatusCode::TOO_MANY_REQUESTS;
            (request.is_repeatable() || was_turned_away, answer.wants_pause(usual))
        }
        // What found no connection was not sent.
        Err(error) if is_untrusted(&cause(error)) => (false, None),
        Err(error) => (request.is_repeatable() || error.is_connect(), Some(usual)),
    };
    pause.filter(|_| is_safe)
}

fn unanswered(request: &Request, error: &reqwest::Error, is_open: bool) -> Unanswered {
    let server = request.url.origin().ascii_serialization();
    Unanswered { server, cause: cause(error), key: request.key.clone(), is_open }
}

impl Answer {
    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long to wait before the same is worth another try.
    fn wants_pause(&self, usual: Duration) -> Option<Duration> {
        let passes = matches!(self.status.as_u16(), 429 | 502 | 503 | 504);
        let asked = self.header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
        let pause = asked.map_or(usual, |seconds| Duration::from_secs(seconds).max(usual));
        (passes && pause <= WAIT_MAX).then_some(pause)
    }
}

fn is_this_machine(server: &Url) -> bool {
    let host = server.host_str().unwrap_or_default();
    let address: Option<std::net::IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

/// Who asks. What stands on the command line counts before the environment.
fn credential(given: &ArgMatches) -> anyhow::Result<Option<HeaderValue>> {
    let itself = given.get_one::<String>("credential");
    let file = given.get_one::<PathBuf>("credential-file");
    let is_said = |name| given.value_source(name) == Some(ValueSource::CommandLine);
    let secret = match (itself, file) {
        (Some(itself), Some(_)) if is_said("credential") || !is_said("credential-file") => {
            itself.clone()
        }
        (_, Some(file)) => std::fs::read_to_string(file)
            .with_context(|| format!("the credential's file {} cannot be read", file.display()))?,
        (Some(itself), None) => itself.clone(),
        (None, None) => return Ok(None),
    };
    let mut header = HeaderValue::try_from(format!("Bearer {}", secret.trim()))
        .ok()
        .context("the credential has letters that no credential has")?;
    header.set_sensitive(true);
    Ok(Some(header))
}

/// Whether the server's certificate is why there is no connection; rustls begins so.
fn is_untrusted(cause: &str) -> bool {
    cause.starts_with("invalid peer certificate")
}

/// What lies at the bottom of a failed request.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::Credential;

    #[test]
    fn a_credential_is_known_by_its_form() {
        for (text, expected) in [
            ("olk_adm_abc", Credential::ApiKey),
            ("oli_abc", Credential::InviteToken),
            ("e30.e30.AA", Credential::IssuersToken),
            ("olo_abc", Credential::Other),
            ("anything else", Credential::Other),
        ] {
            assert_eq!(Credential::of(text), expected, "{text}");
        }
    }
}
