//! `orgledger serve`: one role of a distributed deployment.

use anyhow::{Context, bail};
use axum::Router;
use domain::webhook::Addresses;
use event_log::database::{self, Holds, Role as DatabaseRole};
use tokio::task::JoinSet;

use crate::api;
use crate::cli::{FeedKind, PlaceArgs, Role, ServeArgs};
use crate::installation::Installation;
use crate::services::{self, Shutdown};

/// Runs one role until told to end.
pub(crate) async fn run(place: &PlaceArgs, args: &ServeArgs) -> anyhow::Result<()> {
    if place.database_url.is_none() && !(reads_only(args) && place.read_database_url.is_some()) {
        bail!(
            "DATABASE_URL is not set: `orgledger serve` runs on a Postgres that you name; `orgledger dev` brings its own"
        );
    }
    let reads_elsewhere = place.read_database_url.is_some();
    if reads_elsewhere && args.role == Role::Projectors && args.feed == FeedKind::Postgres {
        bail!(
            "read models in a database of their own (ORGLEDGER_READ_DATABASE_URL) are fed from JetStream: add --feed nats"
        );
    }
    let shutdown = Shutdown::on_signal()?;
    let listener = services::bind(args.listen).await?;
    // Not the address that was asked for: with port 0 the system chooses one.
    let address = listener.local_addr().context("the listener has no address")?;
    let installation = Installation::find(place).await?;
    check(&installation, args).await?;
    let metrics = services::metrics()?;
    let mut parts: JoinSet<anyhow::Result<()>> = JoinSet::new();
    let end = shutdown.clone();
    let (api, ready) = match args.role {
        Role::CommandApi => {
            let addresses = args.webhooks.addresses(Addresses::Public);
            let commands = services::command_api(&installation, addresses).await?;
            let ready = commands.executor().log().pool().clone();
            if let Some(url) = &place.nats_url {
                parts.spawn(services::usage_queue(&commands, url, place, shutdown.clone()));
            }
            let (executor, hooks) = (commands.executor(), &args.webhooks);
            let webhooks =
                services::webhooks(&installation.log, executor, hooks, addresses, end.clone());
            parts.spawn(webhooks.await?);
            parts.spawn(services::watchers(executor, &installation.read, end).await?);
            (api::commands(commands), ready)
        }
        Role::QueryApi => {
            let queries = services::queries(place, &installation).await?;
            let ready = database::pool(&installation.read, DatabaseRole::Reader, 1).await?;
            (api::queries(queries), ready)
        }
        Role::Projectors => {
            let vault = installation.open_vault().await?;
            let feed = match args.feed {
                FeedKind::Postgres => {
                    services::postgres_feed(&installation.log, vault, None).await?
                }
                FeedKind::Nats => services::jetstream_feed(nats_url(place)?, place, vault),
            };
            if args.feed == FeedKind::Postgres
                && let Some(sealer) =
                    services::sealer(&installation, None, place.nats_url.clone(), end.clone())
                        .await?
            {
                parts.spawn(async move {
                    sealer.await;
                    Ok(())
                });
            }
            let projectors = services::projectors(&installation.read, feed, end).await?;
            parts.spawn(async move {
                projectors.await;
                Ok(())
            });
            let ready = database::pool(&installation.read, DatabaseRole::Projector, 1).await?;
            (Router::new(), ready)
        }
        Role::Relay => {
            let jetstream = services::jetstream(nats_url(place)?, place);
            parts.spawn(services::relay(&installation.log, jetstream, None, end).await?);
            let ready = database::pool(&installation.log, DatabaseRole::Relay, 1).await?;
            (Router::new(), ready)
        }
    };
    let router = services::guarded(api, ready, &metrics, args.rate);
    tracing::info!(%address, "ready");
    parts.spawn(async move {
        services::http(listener, router, shutdown).await;
        Ok(())
    });
    services::all(parts).await
}

/// Whether the role never touches the log's database.
fn reads_only(args: &ServeArgs) -> bool {
    match args.role {
        Role::Projectors => args.feed == FeedKind::Nats,
        Role::CommandApi | Role::QueryApi | Role::Relay => false,
    }
}

/// Refuses databases that are too old, unsafe or not migrated, before anything is served.
async fn check(installation: &Installation, args: &ServeArgs) -> anyhow::Result<()> {
    let serves_on = if reads_only(args) { &installation.read } else { &installation.log };
    if database::logs_in_above_row_security(serves_on).await? {
        tracing::warn!(
            "the database user is above row-level security: let services log in as one that is no \
             superuser and has no BYPASSRLS (docs/operating.md, Users and privileges)"
        );
    }
    if reads_only(args) {
        database::check_server(&installation.read).await?;
        return Ok(database::check_migrated(&installation.read, Holds::ReadModels).await?);
    }
    database::check_server(&installation.log).await?;
    Ok(database::check_migrated(&installation.log, Holds::LogAndReadModels).await?)
}

fn nats_url(place: &PlaceArgs) -> anyhow::Result<&str> {
    place
        .nats_url
        .as_deref()
        .context("NATS_URL is not set: this role needs a NATS server with JetStream")
}

/// Brings the schemas to this program's version.
pub(crate) async fn migrate(place: &PlaceArgs) -> anyhow::Result<()> {
    let installation = Installation::migrate(place).await?;
    crate::print("the database is at this program's version")?;
    installation.close().await
}
