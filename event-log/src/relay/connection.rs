//! A connection to a nats-server that has what the relay needs.

use std::time::Duration;

use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectOptions, Event};
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
    pub(super) async fn connect(
        config: &JetStreamConfig,
        name: &str,
    ) -> Result<Self, Interrupted> {
        let (told, mut state) = watch::channel(State::default());
        let servers: Vec<&str> = config.url.split(',').map(str::trim).collect();
        let client = ConnectOptions::new()
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
            .connect(servers.as_slice())
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
