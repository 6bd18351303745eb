//! Sending events to webhooks, as Standard Webhooks: signed, in order for each, at least once.
//!
//! One process at a time does it (`lead.rs`). It follows the log as the relay does (`follow.rs`) and tells
//! each webhook's worker (`worker.rs`) of events that it may have to send; a worker sends one event at a
//! time (`send.rs`), notes what came of it (`store.rs`), and holds up nobody else. See
//! `docs/adr/0026-webhooks-are-delivered-from-the-log.md`.

mod follow;
mod known;
mod lanes;
mod lead;
mod message;
mod resolve;
mod scan;
pub(crate) mod schedule;
mod send;
mod store;
mod worker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use command_api::Executor;
use domain::webhook::Addresses;
use event_log::clock;
use event_log::database::{self, Role};
use event_schemas::WebhookId;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::services::Shutdown;
use lanes::Lanes;
use lead::Lead;
use schedule::Schedule;
use send::Sender;

/// Connections that sending holds at most, beside the one that leads: one listens, one follows the log,
/// the others are the workers'.
const CONNECTIONS_MAX: u32 = 6;

/// How long to wait after something has failed.
const PAUSE: Duration = Duration::from_secs(2);

/// Who puts it on record that an endpoint takes nothing.
const NAME: &str = "webhooks";

/// What sending needs.
pub(crate) struct Webhooks {
    options: PgConnectOptions,
    shared: Arc<Shared>,
}

/// What workers share.
struct Shared {
    /// The log's database, acting as the writer's role.
    log: PgPool,
    executor: Executor,
    sender: Sender,
    schedule: Schedule,
    lanes: Lanes,
    /// Since when the event has been on record that each webhook is to take next.
    waiting: Mutex<HashMap<WebhookId, DateTime<Utc>>>,
}

impl Webhooks {
    /// Of a log; secrets are those of the executor's pepper.
    pub(crate) async fn new(
        options: &PgConnectOptions,
        executor: &Executor,
        addresses: Addresses,
        schedule: Schedule,
    ) -> anyhow::Result<Self> {
        let shared = Shared {
            log: database::pool(options, Role::Writer, CONNECTIONS_MAX).await?,
            executor: executor.clone(),
            sender: Sender::new(addresses)?,
            schedule,
            lanes: Lanes::default(),
            waiting: Mutex::default(),
        };
        Ok(Self { options: options.clone(), shared: Arc::new(shared) })
    }

    /// Sends, whenever no other process does, until the end.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let lead = async {
            loop {
                if let Err(error) = self.turn().await {
                    let error = format!("{error:#}");
                    tracing::warn!(error, "nothing is sent to webhooks; trying again");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = lead => {}
            () = shutdown.wait() => {}
        }
    }

    /// From when this process leads until it does so no more.
    async fn turn(&self) -> anyhow::Result<()> {
        let mut lead = Lead::take(&self.options).await?;
        tracing::info!("events are sent to webhooks from here");
        let leading = metrics::gauge!("orgledger_webhooks_leading");
        leading.set(1.0);
        // Whichever ends first takes the workers with it.
        let ended = tokio::select! {
            ended = follow::follow(&self.shared) => ended,
            lost = lead.hold() => Err(lost.into()),
        };
        leading.set(0.0);
        self.shared.forget();
        ended
    }
}

impl Shared {
    /// Says which event a webhook is to take next, by when it was recorded; none where there is none.
    fn waits(&self, webhook_id: WebhookId, recorded_at: Option<DateTime<Utc>>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match recorded_at {
            Some(recorded_at) => waiting.insert(webhook_id, recorded_at),
            None => waiting.remove(&webhook_id),
        };
    }

    fn forget(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How old the oldest event is that a webhook has not taken.
    fn tell_age(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = waiting.values().min().copied();
        drop(waiting);
        let age = oldest.map_or(0, |oldest| (clock::now() - oldest).num_seconds().max(0));
        #[allow(clippy::cast_precision_loss)] // Seconds of a few days.
        metrics::gauge!("orgledger_webhook_oldest_undelivered_seconds").set(age as f64);
    }
}
