//! The relay itself: what publishes the log, whatever happens to either server.

use std::pin::pin;
use std::time::Duration;

use async_nats::jetstream::stream::Stream;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

use super::connection::{JetStreamConfig, Link};
use super::pipeline::Pipeline;
use super::source::Source;
use super::stream::{self, Interrupted, Refused, Tail};
use crate::database::{self, Role};
use crate::follow::HeadWatch;

/// How long the relay waits after the first failure; each further one doubles it.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// How long it waits at most.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(5);

/// How often an idle relay looks whether its stream is still as it left it.
const IDLE_CHECK: Duration = Duration::from_secs(2);

/// After so many refusals in a row, somebody should look: about a second.
const FENCED_TOLD: u32 = 7;

/// What a relay needs to know.
#[derive(Clone)]
pub struct RelayConfig {
    /// How to connect to the log's database.
    pub log: PgConnectOptions,
    /// Where the log is published.
    pub jetstream: JetStreamConfig,
    /// Tells when the log has grown.
    pub head: HeadWatch,
}

/// Publishes the log to `JetStream`: every position once and in order. Any number of relays may run
/// on one stream; they get in each other's way and do no harm.
pub struct Relay {
    config: RelayConfig,
    /// How long to wait before the next try.
    retry_after: Duration,
    /// The failure that was logged; none while all is well.
    failure: Option<String>,
}

impl Relay {
    /// A relay, which begins with [`Relay::run`].
    pub fn new(config: RelayConfig) -> Self {
        Self { config, retry_after: RETRY_AFTER, failure: None }
    }

    /// Publishes until `shutdown` is done. While a server is away it tries again, and says so once.
    ///
    /// # Errors
    /// When somebody has to change something first; trying again would change nothing.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Refused> {
        let mut shutdown = pin!(shutdown);
        loop {
            let session = Session { config: &self.config, head: self.config.head.clone() };
            let (told, mut connected) = tokio::sync::oneshot::channel();
            let interrupted = {
                let mut session = pin!(session.run(told));
                loop {
                    tokio::select! {
                        () = &mut shutdown => return Ok(()),
                        Ok(()) = &mut connected => {
                            self.retry_after = RETRY_AFTER;
                            if self.failure.take().is_some() {
                                tracing::info!("the relay publishes again");
                            }
                            // Once told, there is nothing more to be told.
                            connected = tokio::sync::oneshot::channel().1;
                        }
                        interrupted = &mut session => break interrupted,
                    }
                }
            };
            metrics::gauge!("orgledger_relay_connected").set(0.0);
            self.report(interrupted)?;
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                () = tokio::time::sleep(self.retry_after) => {}
            }
            self.retry_after = RETRY_AFTER_MAX.min(self.retry_after * 2);
        }
    }

    /// Logs a failure when it is a new one.
    fn report(&mut self, interrupted: Interrupted) -> Result<(), Refused> {
        if let Interrupted::Refused(refused) = interrupted {
            tracing::error!(error = %refused, "the relay stops");
            return Err(refused);
        }
        let failure = interrupted.to_string();
        if self.failure.is_none() {
            tracing::warn!(error = failure, "the relay is interrupted and tries again");
        } else if self.failure.as_ref() != Some(&failure) {
            tracing::debug!(error = failure, "the relay is still interrupted");
        }
        self.failure = Some(failure);
        Ok(())
    }
}

/// One connection to both servers, for as long as it holds.
struct Session<'a> {
    config: &'a RelayConfig,
    head: HeadWatch,
}

impl Session<'_> {
    /// Publishes until something fails, and says what. `connected` is told once all is open.
    async fn run(mut self, connected: tokio::sync::oneshot::Sender<()>) -> Interrupted {
        match self.publish(connected).await {
            Ok(never) => match never {},
            Err(interrupted) => interrupted,
        }
    }

    async fn publish(
        &mut self,
        connected: tokio::sync::oneshot::Sender<()>,
    ) -> Result<std::convert::Infallible, Interrupted> {
        let config = self.config;
        let link = Link::connect(&config.jetstream, "orgledger relay").await?;
        let stream = stream::open(&link, &config.jetstream).await?;
        let mut log = database::connect(&config.log, Role::Relay).await?;
        let log_id =
            sqlx::query_scalar("select log_id from log.identity").fetch_one(&mut log).await?;
        metrics::gauge!("orgledger_relay_connected").set(1.0);
        let mut connected = Some(connected);
        let mut fenced = 0_u32;
        loop {
            let tail = stream::tail(&stream, &config.jetstream).await?;
            self.check(&mut log, log_id, tail).await?;
            if let Some(connected) = connected.take() {
                // Nobody listens any more when the relay is shutting down.
                let _ = connected.send(());
            }
            let mut stored = tail.position();
            let publishing =
                self.publish_after(tail, &link, &stream, &mut log, log_id, &mut stored);
            let interrupted = tokio::select! {
                ended = publishing => match ended {
                    Ok(never) => match never {},
                    Err(interrupted) => interrupted,
                },
                () = link.lost() => {
                    Interrupted::nats("publishing", "the connection to NATS was lost")
                }
            };
            let Interrupted::Fenced(why) = interrupted else { return Err(interrupted) };
            metrics::counter!("orgledger_relay_fenced_total").increment(1);
            tracing::debug!(why, "reading anew where the stream stands");
            // Without progress in between, another relay is at work, or the stream was purged: the
            // server remembers ids for two minutes, also those of messages that are gone.
            fenced = if stored > tail.position() { 0 } else { fenced.saturating_add(1) };
            if fenced == FENCED_TOLD {
                tracing::warn!(why, "the stream keeps refusing what comes next");
            }
            tokio::time::sleep(Duration::from_millis(10) * (1 << fenced.min(6))).await;
        }
    }

    /// Refuses a stream that is not this log's.
    async fn check(
        &self,
        log: &mut PgConnection,
        log_id: Uuid,
        tail: Tail,
    ) -> Result<(), Interrupted> {
        let Some(last) = tail.last else { return Ok(()) };
        let stream = self.config.jetstream.stream.clone();
        if last.log_id != log_id {
            return Err(Refused::OtherLog { stream, found: last.log_id, log_id }.into());
        }
        let head: i64 = sqlx::query_scalar("select position from log.head").fetch_one(log).await?;
        if last.last_position > head {
            let position = last.last_position;
            return Err(Refused::Ahead { stream, position, head }.into());
        }
        Ok(())
    }

    /// Publishes what follows the stream's last message, and whatever is appended from then on.
    async fn publish_after(
        &mut self,
        tail: Tail,
        link: &Link,
        stream: &Stream,
        log: &mut PgConnection,
        log_id: Uuid,
        stored: &mut i64,
    ) -> Result<std::convert::Infallible, Interrupted> {
        let config = &self.config.jetstream;
        let bytes_max = link.client.max_payload();
        let mut source =
            Source::after(tail.position(), log, &config.subject_prefix, log_id).await?;
        let mut pipeline = Pipeline::new(&link.context, &config.stream, bytes_max, tail);
        loop {
            let next = source.next().await;
            if let Ok(Some(message)) = next {
                let sent = pipeline.publish(message).await;
                *stored = pipeline.stored();
                sent?;
                continue;
            }
            let settled = pipeline.settle().await;
            *stored = pipeline.stored();
            settled?;
            // What was read before the log failed is in the stream by now.
            next?;
            tokio::select! {
                () = self.head.beyond(source.upto()) => {}
                () = tokio::time::sleep(IDLE_CHECK) => still_there(stream, &pipeline).await?,
            }
        }
    }
}

/// Finds out whether somebody has emptied the stream or added to it.
async fn still_there(stream: &Stream, pipeline: &Pipeline<'_>) -> Result<(), Interrupted> {
    let state = stream::info(stream).await?.state;
    let emptied = state.messages == 0 && pipeline.stored() > 0;
    if emptied || state.last_sequence != pipeline.sequence() {
        return Err(Interrupted::Fenced(format!(
            "it holds {} messages up to {} instead of {}",
            state.messages,
            state.last_sequence,
            pipeline.sequence()
        )));
    }
    Ok(())
}
