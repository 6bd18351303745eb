//! A connection to a nats-server that has what the relay needs.

use std::time::Duration;

use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use tokio::sync::watch;

use super::stream::{Interrupted, Refused};

/// How long a request or an acknowledgement may take. Generous: a server that syncs every message
/// to a slow disk acknowledges hundreds in flight one after the other.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Where the log is published.
#[derive(Debug, Clone)]
pub struct JetStreamConfig {
    /// The servers, separated by commas, credentials included: `nats://user:password@host:4222`.
    pub url: String,
    /// The stream's name.
    pub stream: String,
    /// The first word (or words) of every subject. No other stream may carry them.
    pub subject_prefix: String,
    /// How many servers of a cluster keep the stream: 1 or 3. Used when the stream is created.
    pub replicas: usize,
}

impl JetStreamConfig {
    /// The stream `ORGLEDGER` with subjects `orgledger.>`, on one server.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            stream: "ORGLEDGER".to_owned(),
            subject_prefix: "orgledger".to_owned(),
            replicas: 1,
        }
    }

    /// Every subject of the stream.
    pub(super) fn subjects(&self) -> String {
        format!("{}.>", self.subject_prefix)
    }
}

/// What is known of a connection: how often it was there, and whether it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct State {
    connects: u64,
    lost: bool,
}

/// A connection, and word of its loss.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) context: jetstream::Context,
    state: watch::Receiver<State>,
}

impl Link {
    /// Connects, and refuses a server that lacks what the relay needs.
    pub(super) async fn connect(config: &JetStreamConfig, name: &str) -> Result<Self, Interrupted> {
        let (told, mut state) = watch::channel(State::default());
        let servers = servers(&config.url)?;
        let client = options(&servers)
            .name(name)
            .event_callback(move |event| {
                told.send_modify(|state| match event {
                    Event::Connected => {
                        state.connects += 1;
                        state.lost = false;
                    }
                    Event::Disconnected | Event::Closed => state.lost = true,
                    Event::LameDuckMode
                    | Event::Draining
                    | Event::SlowConsumer(_)
                    | Event::ServerError(_)
                    | Event::ClientError(_) => {}
                });
                std::future::ready(())
            })
            .connect(servers)
            .await
            .map_err(|error| Interrupted::nats("connecting to NATS", error))?;
        let info = client.server_info();
        if !client.is_server_compatible(2, 12, 0) {
            return Err(Refused::TooOld { found: info.version }.into());
        }
        // Told by another task, a moment later; from here on it counts.
        let connected = state.wait_for(|state| state.connects > 0).await.map(drop);
        connected.map_err(|error| Interrupted::nats("connecting to NATS", error))?;
        let context = ContextBuilder::new().timeout(ANSWER_TIMEOUT).build(client.clone());
        Ok(Self { client, context, state })
    }

    /// Waits for the connection to break.
    pub(super) async fn lost(&self) {
        // An error means that the client is gone, which is the same.
        let _ = self.state.clone().wait_for(|state| state.lost).await;
    }

    /// How often the client has connected so far.
    pub(super) fn connects(&self) -> u64 {
        self.state.borrow().connects
    }

    /// Waits until the client has connected again after having done so `connects` times.
    pub(super) async fn connected_again(&self, connects: u64) {
        let again = |state: &State| state.connects > connects;
        if self.state.clone().wait_for(again).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A client of the servers that a URL names, with the credentials in it, for what else goes through
/// NATS. It goes on trying to connect for as long as it takes.
pub async fn nats_client(url: &str, name: &str) -> Result<Client, Refused> {
    let servers = match servers(url) {
        Ok(servers) => servers,
        Err(Interrupted::Refused(refused)) => return Err(refused),
        Err(other) => return Err(Refused::Url { error: other.to_string() }),
    };
    let client = options(&servers).name(name).retry_on_initial_connect().connect(servers).await;
    client.map_err(|error| Refused::Url { error: error.to_string() })
}

/// The same, connected already, or with what failed.
pub async fn connected_nats_client(url: &str, name: &str) -> Result<Client, async_nats::Error> {
    let servers = servers(url)?;
    Ok(options(&servers).name(name).connect(servers).await?)
}

/// The servers that a URL names.
fn servers(url: &str) -> Result<Vec<ServerAddr>, Interrupted> {
    let parsed: Result<_, std::io::Error> =
        url.split(',').map(|server| server.trim().parse()).collect();
    parsed.map_err(|error| Refused::Url { error: error.to_string() }.into())
}

/// The client reads no credentials out of a URL by itself.
fn options(servers: &[ServerAddr]) -> ConnectOptions {
    let credentials =
        servers.iter().find_map(|server| Some((server.username()?, server.password())));
    match credentials {
        Some((user, Some(password))) => {
            ConnectOptions::with_user_and_password(decoded(user), decoded(password))
        }
        Some((token, None)) => ConnectOptions::with_token(decoded(token)),
        None => ConnectOptions::new(),
    }
}

/// A part of a URL with its `%40`s turned back into what they stand for.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        if let Some(decoded) = code.filter(|_| byte == b'%') {
            bytes.push(decoded);
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_servers_and_credentials() {
        let named = servers("nats://a:p%40ss@one:4222, two:4223,tls://three").unwrap();
        let hosts: Vec<_> = named.iter().map(|server| (server.host(), server.port())).collect();
        assert_eq!(hosts, [("one", 4222), ("two", 4223), ("three", 4222)]);
        assert_eq!(named[0].password().map(decoded).as_deref(), Some("p@ss"));
        assert!(matches!(
            servers("nats://one, not a server"),
            Err(Interrupted::Refused(Refused::Url { .. }))
        ));
    }

    #[test]
    fn what_is_no_code_stays_as_it_is() {
        for (part, expected) in
            [("100%", "100%"), ("%zz%3a", "%zz:"), ("%C3%A4", "ä"), ("%", "%"), ("", "")]
        {
            assert_eq!(decoded(part), expected);
        }
    }
}
