//! `orgledger dev`: everything on this machine.

use std::sync::Arc;

use anyhow::{Context, bail};
use command_api::Executor;
use domain::webhook::Addresses;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::cli::webhooks::WebhookArgs;
use crate::cli::{DevArgs, PlaceArgs, RateArgs};
use crate::installation::{Installation, NatsPlace};
use crate::services::{self, Shutdown};
use crate::signing_keys;

/// A running installation: commands can be executed on it, and it serves until it is told to end.
pub(crate) struct Running {
    /// What executes commands.
    pub executor: Executor,
    parts: JoinSet<anyhow::Result<()>>,
    installation: Installation,
    nats: Option<NatsPlace>,
}

/// Starts everything; it serves as soon as this returns.
pub(crate) async fn start(
    place: &PlaceArgs,
    rate: RateArgs,
    webhooks: &WebhookArgs,
    listener: TcpListener,
    shutdown: &Shutdown,
) -> anyhow::Result<Running> {
    if place.read_database_url.is_some() {
        bail!(
            "`dev` and `demo` keep log and read models in one database: unset \
             ORGLEDGER_READ_DATABASE_URL, or run the roles with `orgledger serve`"
        );
    }
    let installation = Installation::open(place).await?;
    let metrics = services::metrics()?;
    let nats = installation.nats().await?;
    let addresses = webhooks.addresses(Addresses::Any);
    let commands = services::command_api(&installation, addresses).await?;
    let executor = commands.executor().clone();
    let own_head = executor.log().own_head();

    let vault = installation.open_vault().await?;
    let feed = services::postgres_feed(&installation.log, vault, Some(own_head.clone())).await?;
    services::first_builds(&installation.read, &feed).await?;
    let projectors = services::projectors(&installation.read, feed, shutdown.clone()).await?;
    let nats_url = nats.as_ref().map(|nats| nats.url.clone());
    signing_keys::record_changes(&installation, executor.log()).await?;
    let head = Some(own_head.clone());
    let sealer = services::sealer(&installation, head, nats_url, shutdown.clone()).await?;
    let mut parts = JoinSet::new();
    if let Some(dir) = installation.private_dir() {
        parts.spawn(services::keep_postgres(dir, shutdown.clone()));
    }
    parts.spawn(async move {
        projectors.await;
        Ok(())
    });
    if let Some(sealer) = sealer {
        parts.spawn(async move {
            sealer.await;
            Ok(())
        });
    }
    if let Some(nats) = &nats {
        let jetstream = services::jetstream(&nats.url, place);
        let end = shutdown.clone();
        parts.spawn(services::usage_queue(&commands, &nats.url, place, shutdown.clone()));
        let relay = services::relay(&installation.log, jetstream, Some(own_head), end).await?;
        parts.spawn(async move {
            // The record and the reports do not depend on it: say so, and go on.
            if let Err(error) = relay.await {
                tracing::error!(error = format!("{error:#}"), "the log is not published any more");
            }
            Ok(())
        });
    }
    let watchers = services::watchers(&executor, &installation.read, shutdown.clone()).await?;
    parts.spawn(watchers);
    let (log, end) = (&installation.log, shutdown.clone());
    parts.spawn(services::webhooks(log, &executor, webhooks, addresses, end).await?);
    let known = Arc::new(commands.credentials().clone());
    let authenticator = Arc::clone(commands.authenticator());
    let queries = services::query_state(&installation.read, authenticator).await?;
    let queries = queries.with_permissions(known);
    let ready = executor.log().pool().clone();
    let router = services::guarded(crate::api::both(commands, queries), ready, &metrics, rate);
    let end = shutdown.clone();
    parts.spawn(async move {
        services::http(listener, router, end).await;
        Ok(())
    });
    Ok(Running { executor, parts, installation, nats })
}

impl Running {
    /// Serves until told to end, then gives the private servers up.
    pub(crate) async fn wait(self) -> anyhow::Result<()> {
        let Self { executor, parts, installation, nats } = self;
        let ended = services::all(parts).await;
        // Whoever listens still knows by it that this is the end and no fault.
        drop(executor.log().pool().close());
        drop(executor);
        if let Some(nats) = nats {
            nats.close().await?;
        }
        installation.close().await?;
        ended
    }

    /// Ends everything now.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.parts.shutdown().await;
        self.wait().await
    }

    /// The installation it runs on.
    pub(crate) fn installation(&self) -> &Installation {
        &self.installation
    }
}

/// Runs everything until interrupted.
pub(crate) async fn run(place: &PlaceArgs, args: &DevArgs) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signal()?;
    let listener = services::bind(args.listen).await?;
    let address = listener.local_addr().context("the listener has no address")?;
    let running = start(place, args.rate, &args.webhooks, listener, &shutdown).await?;
    let installation = running.installation();
    println!("orgledger serves on http://{address}");
    if place.database_url.is_none() {
        let path = place.data_dir.join("operator-credential");
        println!("operator credential: in {}", path.display());
    }
    let pids = installation.postgres_pid();
    tracing::info!(%address, postgres_pid = pids, "ready");
    running.wait().await
}
