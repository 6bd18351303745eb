//! Reports on the terminal: the same queries as over HTTP, printed.

pub(crate) mod access_register;
pub(crate) mod audit_log;
pub(crate) mod balance;
pub(crate) mod costs;
pub(crate) mod diff;
pub(crate) mod statement;
pub(crate) mod status;
pub(crate) mod text;
pub(crate) mod why;

use event_log::database::{self, Role};
use projectors::{Feed, PostgresFeed};
use query_api::{Projection, QueryError, Rows, Snapshot};
use sqlx::PgPool;

use crate::installation::Installation;
use crate::services::PROJECTOR_CONNECTIONS_MAX;

/// Brings the read models to the head of the log, whoever else does so, and opens a picture of it.
pub(crate) async fn up_to_date(
    installation: &Installation,
    projections: &'static [Projection],
) -> anyhow::Result<Snapshot> {
    // Read models of their own database are brought up by their projectors, from JetStream; the
    // report says up to which position.
    let elsewhere = installation.reads_elsewhere();
    let position = if elsewhere { 0 } else { catch_up(installation, projections).await? };
    let pool = database::pool(&installation.read, Role::Reader, 2).await?;
    // Who has the installation may see all of it, and names organizations as people do.
    Ok(Snapshot::open(&pool, Rows::All, projections, position).await?)
}

/// Brings read models to the head of the log; answers where that was.
pub(crate) async fn catch_up(
    installation: &Installation,
    projections: &[Projection],
) -> anyhow::Result<i64> {
    let mut wanted = projectors::all();
    wanted.retain(|one| projections.iter().any(|projection| projection.name() == one.name));
    catch_up_these(installation, &wanted).await
}

/// Brings every read model to the head of the log.
pub(crate) async fn catch_up_all(installation: &Installation) -> anyhow::Result<i64> {
    catch_up_these(installation, &projectors::all()).await
}

async fn catch_up_these(
    installation: &Installation,
    wanted: &[projectors::Registered],
) -> anyhow::Result<i64> {
    let read =
        database::pool(&installation.read, Role::Projector, PROJECTOR_CONNECTIONS_MAX).await?;
    let log = database::pool(&installation.log, Role::Projector, PROJECTOR_CONNECTIONS_MAX).await?;
    let head = head(&log).await?;
    let feed = Feed::Postgres(PostgresFeed::of(log, installation.open_vault().await?));
    projectors::catch_up(&read, &feed, wanted, head).await?;
    Ok(head)
}

/// What a query failed with. A person may have mistyped the organization, so it is named.
pub(crate) fn failed(error: QueryError, organization: &str) -> anyhow::Error {
    match error {
        QueryError::NotFound("organization") => {
            anyhow::anyhow!("there is no organization '{organization}'")
        }
        error => error.into(),
    }
}

/// The head of the log.
pub(crate) async fn head(log: &PgPool) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("select position from log.head").fetch_one(log).await?)
}
