//! The parts that `dev` and `serve` put together, each with its end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use api_conventions::{Authenticator, Limits, RateLimiter, health, limits, rate, serve};
use axum::Router;
use command_api::usage::{UsageQueue, UsageQueueConfig};
use command_api::{CommandApi, Executor};
use domain::webhook::Addresses;
use embedded::{DataDir, EmbeddedError, Postgres};
use event_log::database::{self, Role};
use event_log::relay::{JetStreamConfig, Relay, RelayConfig};
use event_log::{EventLog, HeadWatch, Vault};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use projectors::seals::{self, SealConfig};
use projectors::{Config, Feed, JetStreamFeed, PostgresFeed, Projectors};
use query_api::{QueryState, WAIT_MAX_DEFAULT};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;
use tokio::sync::watch::{Receiver, channel};
use tokio::task::JoinSet;

use crate::anchors::{self, Anchoring};
use crate::cli::webhooks::WebhookArgs;
use crate::cli::{PlaceArgs, RateArgs};
use crate::crossings::Crossings;
use crate::expiry::{self, Expiry};
use crate::installation::Installation;
use crate::lots_left::LotsOfBalances;
use crate::signing_keys;
use crate::watch::{self, Eyes};
use crate::webhooks::Webhooks;

/// How long requests that have begun may take to finish at the end.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// How soon it is noticed that the private Postgres is gone.
const POSTGRES_LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often it is started again before that is given up.
const POSTGRES_STARTS_MAX: usize = 10;

/// Connections that a query API holds at most.
const QUERY_CONNECTIONS_MAX: u32 = 16;

/// Connections that the projectors hold at most: two for each projection, and the listener's.
pub(crate) const PROJECTOR_CONNECTIONS_MAX: u32 = 19;

/// Connections that a query API holds at most to what was sealed, where that is elsewhere.
const SEALS_CONNECTIONS_MAX: u32 = 4;

/// Connections that sealing holds at most: one seals, one listens, one looks, and
/// anchors ask.
const SEALER_CONNECTIONS_MAX: u32 = 4;

/// Connections that commands hold at most to ask what is left of lots of credits.
const LOTS_CONNECTIONS_MAX: u32 = 2;

/// Says when to end: once, to everybody.
#[derive(Clone)]
pub(crate) struct Shutdown(Receiver<bool>);

impl Shutdown {
    /// Ends on Ctrl-C or on the signal that service managers send.
    pub(crate) fn on_signal() -> anyhow::Result<Self> {
        let (end, ended) = channel(false);
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            tracing::info!("shutting down");
            // Nobody listens any more only where everything has ended already.
            let _ = end.send(true);
            // Kept until the process ends, so that a receiver never takes its drop for the end.
            std::future::pending::<()>().await;
        });
        Ok(Self(ended))
    }

    /// Done when it is time to end.
    pub(crate) async fn wait(mut self) {
        let _ = self.0.wait_for(|end| *end).await;
    }
}

/// The process's metrics, in Prometheus's text format.
pub(crate) fn metrics() -> anyhow::Result<PrometheusHandle> {
    let seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
    let suffix = |name: &str| metrics_exporter_prometheus::Matcher::Suffix(name.to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(suffix("_seconds"), &seconds)?
        .set_buckets_for_metric(
            suffix("_appends"),
            &[1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0],
        )?
        .install_recorder()
        .context("the metrics recorder was installed before")
}

/// The writing half: the log and what executes commands on it. Webhooks may have these addresses.
pub(crate) async fn command_api(
    installation: &Installation,
    webhook_addresses: Addresses,
) -> anyhow::Result<CommandApi> {
    let log = EventLog::open(&installation.log, installation.master_keys()?).await?;
    report_queue(&log);
    let read = database::pool(&installation.read, Role::Reader, LOTS_CONNECTIONS_MAX).await?;
    let executor = Executor::new(log, installation.pepper()?)
        .with_lots_left(Arc::new(LotsOfBalances { read }))
        .with_webhook_addresses(webhook_addresses);
    let register = installation.register(executor)?;
    let authenticator = Arc::new(installation.authenticator()?);
    Ok(CommandApi::with_credentials(register, authenticator))
}

/// Tells how many commands wait, as long as the log is open.
fn report_queue(log: &EventLog) {
    let log = log.clone();
    tokio::spawn(async move {
        loop {
            #[allow(clippy::cast_precision_loss)] // At most a few thousand.
            metrics::gauge!("orgledger_append_queue_depth").set(log.queue_depth() as f64);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
}

/// The reading half.
pub(crate) async fn query_state(
    read: &PgConnectOptions,
    authenticator: Arc<Authenticator>,
) -> anyhow::Result<QueryState> {
    let pool = database::pool(read, Role::Reader, QUERY_CONNECTIONS_MAX).await?;
    Ok(QueryState::new(pool, authenticator, WAIT_MAX_DEFAULT))
}

/// The reading half in a process of its own. Whose a credential is and what it opens is read from the
/// log itself.
pub(crate) async fn queries(
    place: &PlaceArgs,
    installation: &Installation,
) -> anyhow::Result<QueryState> {
    if place.database_url.is_none() {
        anyhow::bail!(
            "DATABASE_URL is not set: whose a credential is and what it opens, only the log says. \
             The read models may be in another database (ORGLEDGER_READ_DATABASE_URL)"
        );
    }
    let authenticator = installation.authenticator()?;
    let log = EventLog::reading(&installation.log, installation.master_keys()?).await?;
    let register = Arc::new(installation.register(Executor::new(log, installation.pepper()?))?);
    let authenticator = Arc::new(authenticator.with_credentials(register.clone()));
    let queries = query_state(&installation.read, authenticator).await?.with_permissions(register);
    if !installation.reads_elsewhere() {
        return Ok(queries);
    }
    // What was sealed is where the log is.
    let seals = database::pool(&installation.log, Role::Reader, SEALS_CONNECTIONS_MAX).await?;
    Ok(queries.with_seals(seals))
}

/// A feed from the log's Postgres that is told of new entries.
pub(crate) async fn postgres_feed(
    log: &PgConnectOptions,
    vault: Vault,
    own_head: Option<Receiver<i64>>,
) -> anyhow::Result<Feed> {
    let pool = database::pool(log, Role::Projector, PROJECTOR_CONNECTIONS_MAX).await?;
    let head = HeadWatch::start(pool.clone(), own_head);
    Ok(Feed::Postgres(PostgresFeed::following(pool, vault, head)))
}

/// A feed from JetStream alone.
pub(crate) fn jetstream_feed(url: &str, place: &PlaceArgs, vault: Vault) -> Feed {
    Feed::JetStream(JetStreamFeed::new(jetstream(url, place), vault))
}

/// Where JetStream is.
pub(crate) fn jetstream(url: &str, place: &PlaceArgs) -> JetStreamConfig {
    JetStreamConfig {
        stream: place.stream.clone(),
        replicas: place.stream_replicas,
        ..JetStreamConfig::new(url)
    }
}

/// Makes the read models that are not there at all, so that whoever asks a new installation first
/// finds them. Where an older version's serve, they do until the new ones are built.
pub(crate) async fn first_builds(read: &PgConnectOptions, feed: &Feed) -> anyhow::Result<()> {
    let read = database::pool(read, Role::Projector, PROJECTOR_CONNECTIONS_MAX).await?;
    let there = projectors::status(&read).await?;
    let mut missing = projectors::all();
    missing.retain(|one| there.iter().all(|serving| serving.projection != one.name));
    Ok(projectors::catch_up(&read, feed, &missing, 0).await?)
}

/// Starts the private Postgres again whenever it is gone, until the end. Who asks meanwhile is answered
/// 503; nothing that was acknowledged is lost. Where it cannot be started, however often it is tried, that
/// ends the process.
pub(crate) async fn keep_postgres(dir: DataDir, shutdown: Shutdown) -> anyhow::Result<()> {
    let mut running = Postgres::start(&dir).await?;
    let mut look = tokio::time::interval(POSTGRES_LOOK_EVERY);
    let end = shutdown.wait();
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            _ = look.tick() => {}
        }
        if running.pid().is_some() {
            continue;
        }
        tracing::error!("the private Postgres is gone: it is started again");
        // The old share goes only when there is a new one.
        running = start_again(&dir).await.context(
            "the private Postgres was killed and does not start again; mend what its log says, then \
             start this again: what was acknowledged is there",
        )?;
        tracing::info!(postgres_pid = running.pid(), "the private Postgres runs again");
    }
}

/// What killed it may be at it still, or hold what it needs.
async fn start_again(dir: &DataDir) -> Result<Postgres, EmbeddedError> {
    for _ in 1..POSTGRES_STARTS_MAX {
        match Postgres::start(dir).await {
            Ok(running) => return Ok(running),
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::error!(error, "the private Postgres does not start; trying again");
                tokio::time::sleep(POSTGRES_LOOK_EVERY).await;
            }
        }
    }
    Postgres::start(dir).await
}

/// Runs all projections until the end.
pub(crate) async fn projectors(
    read: &PgConnectOptions,
    feed: Feed,
    shutdown: Shutdown,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let read = database::pool(read, Role::Projector, PROJECTOR_CONNECTIONS_MAX).await?;
    let config = Config { read, feed, projections: projectors::all() };
    Ok(Projectors::run(config, shutdown.wait()))
}

/// Seals the log until the end; none where there is nothing to sign with.
pub(crate) async fn sealer(
    installation: &Installation,
    own_head: Option<Receiver<i64>>,
    nats_url: Option<String>,
    shutdown: Shutdown,
) -> anyhow::Result<Option<impl Future<Output = ()> + use<>>> {
    let Some(keys) = signing_keys::of(installation).await? else {
        tracing::warn!(
            "no ORGLEDGER_SIGNING_KEY: the log is not sealed, and nothing proves what it holds \
             (`orgledger signing-key new` makes one)"
        );
        return Ok(None);
    };
    let log = database::pool(&installation.log, Role::Projector, SEALER_CONNECTIONS_MAX).await?;
    let head = HeadWatch::start(log.clone(), own_head);
    let signing = installation.signing();
    let anchoring = Anchoring {
        log: log.clone(),
        nats_url,
        every: Duration::from_secs(signing.anchor_seconds),
    };
    let anchors = anchors::parse(signing.anchors.as_deref())?;
    let anchors = anchors::run(anchoring, anchors, shutdown.clone());
    let sealer = seals::run(SealConfig { log, head, keys }, shutdown.wait());
    Ok(Some(async move {
        tokio::join!(sealer, anchors);
    }))
}

/// Puts on record what read models show and the log does not have, until the end.
pub(crate) async fn watchers(
    executor: &Executor,
    read: &PgConnectOptions,
    shutdown: Shutdown,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
    // Whatever there is to be seen, in any organization.
    let read = database::pool(read, Role::Operator, 2).await?;
    expiry::check(&read).await;
    let eyes = Eyes { executor: executor.clone(), read };
    let expiry = watch::run::<Expiry>(eyes.clone(), shutdown.clone());
    let crossings = watch::run::<Crossings>(eyes, shutdown);
    Ok(async move {
        tokio::join!(expiry, crossings);
        Ok(())
    })
}

/// Sends events to webhooks until the end, whenever no other process does.
pub(crate) async fn webhooks(
    log: &PgConnectOptions,
    executor: &Executor,
    args: &WebhookArgs,
    addresses: Addresses,
    shutdown: Shutdown,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
    let schedule = args.webhooks_retry_seconds.clone();
    let webhooks = Webhooks::new(log, executor, addresses, schedule).await?;
    Ok(async move {
        webhooks.run(shutdown).await;
        Ok(())
    })
}

/// Publishes the log until the end.
pub(crate) async fn relay(
    log: &PgConnectOptions,
    jetstream: JetStreamConfig,
    own_head: Option<Receiver<i64>>,
    shutdown: Shutdown,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
    let pool = database::pool(log, Role::Relay, 4).await?;
    let head = HeadWatch::start(pool, own_head);
    let relay = Relay::new(RelayConfig { log: log.clone(), jetstream, head });
    Ok(async move { Ok(relay.run(shutdown.wait()).await?) })
}

/// Records the usage that is published to NATS, until the end.
pub(crate) fn usage_queue(
    commands: &CommandApi,
    url: &str,
    place: &PlaceArgs,
    shutdown: Shutdown,
) -> impl Future<Output = anyhow::Result<()>> + use<> {
    let config = UsageQueueConfig { replicas: place.stream_replicas, ..UsageQueueConfig::new(url) };
    let queue = UsageQueue::new(commands.recorder().clone(), config);
    async move {
        // Usage over HTTP does not depend on it: say so, and go on.
        if let Err(error) = queue.run(shutdown.wait()).await {
            tracing::error!(%error, "no usage is taken from NATS");
        }
        Ok(())
    }
}

/// Health, metrics and the limits that hold for every request, around an API. Health and metrics are
/// asked by machines that must have an answer: their rate is not limited.
pub(crate) fn guarded(
    api: Router,
    ready: PgPool,
    metrics: &PrometheusHandle,
    rate: RateArgs,
) -> Router {
    let api = match rate.policy() {
        Some(policy) => rate::limit(api, Arc::new(RateLimiter::new(policy))),
        None => api,
    };
    let ready = move || {
        let pool = ready.clone();
        async move {
            let asked = sqlx::query("select 1").execute(&pool).await;
            asked.map(drop).map_err(|error| format!("Postgres does not answer: {error}"))
        }
    };
    let metrics = metrics.clone();
    let health = health::routes(ready, move || metrics.render());
    limits::apply(api.merge(health), Limits::default())
}

/// Binds the address, or says what to do where it is taken.
pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; name another with --listen"))
}

/// Serves until the end; requests that have begun are answered.
pub(crate) async fn http(listener: TcpListener, router: Router, shutdown: Shutdown) {
    serve::serve(listener, router, shutdown.wait(), DRAIN_MAX).await;
}

/// Waits for all parts of a process. The first that fails is told, and the others end too when the
/// process does.
pub(crate) async fn all(mut parts: JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(ended) = parts.join_next().await {
        ended.context("a part of the process panicked")??;
    }
    Ok(())
}
