//! What ends by time alone: invites that nobody accepted, keys past their end.
//!
//! No decision depends on this: a key past its end is refused and an invite cannot be accepted
//! whether or not that is on record yet. This puts it on record, so that reports and consumers of
//! the log see it. Any number of processes may do so at once: the second finds nothing to do.

use std::time::Duration;

use chrono::{DateTime, Utc};
use command_api::api_keys::ExpireApiKey;
use command_api::break_glass::ExpireBreakGlass;
use command_api::invites::ExpireInvite;
use command_api::{Command, CommandContext, ExecuteError, Executor};
use domain::organization::Authority;
use event_log::clock;
use event_schemas::{Actor, ApiKeyId, BreakGlassId, EventMetadata, InviteId, OrganizationId};
use sqlx::PgPool;
use uuid::Uuid;

use crate::services::Shutdown;

/// How often it is looked for what has ended.
const EVERY: Duration = Duration::from_secs(30);

/// How many of each kind are put on record at a time.
const AT_ONCE: i64 = 500;

/// Puts on record what has ended, until the process ends.
pub(crate) async fn run(executor: Executor, read: PgPool, shutdown: Shutdown) {
    let look = async {
        if let Err(error) = check(&read).await {
            tracing::warn!(error = format!("{error:#}"), "nothing expires yet");
        }
        loop {
            if let Err(error) = sweep(&executor, &read, clock::now()).await {
                tracing::warn!(error = format!("{error:#}"), "looking for what has expired failed");
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = look => {}
        () = shutdown.wait() => {}
    }
}

/// Says where the read models are not in the database that they are looked for in.
async fn check(read: &PgPool) -> anyhow::Result<()> {
    let there: bool = sqlx::query_scalar("select to_regclass('read.api_keys') is not null")
        .fetch_one(read)
        .await?;
    anyhow::ensure!(
        there,
        "the access register is not built in this database; if the read models are in another one, \
         name it in ORGLEDGER_READ_DATABASE_URL"
    );
    Ok(())
}

/// Puts on record what has ended by `now`; answers how much that was.
async fn sweep(executor: &Executor, read: &PgPool, now: DateTime<Utc>) -> anyhow::Result<usize> {
    let mut recorded = 0;
    for (organization_id, api_key_id) in due(read, API_KEYS, now).await? {
        let expire = ExpireApiKey { organization_id, api_key_id: ApiKeyId(api_key_id) };
        recorded += usize::from(execute(executor, now, &expire).await?);
    }
    for (organization_id, invite_id) in due(read, INVITES, now).await? {
        let expire = ExpireInvite { organization_id, invite_id: InviteId(invite_id) };
        recorded += usize::from(execute(executor, now, &expire).await?);
    }
    for (organization_id, break_glass_id) in due(read, BREAK_GLASS, now).await? {
        let break_glass_id = BreakGlassId(break_glass_id);
        let expire = ExpireBreakGlass { organization_id, break_glass_id };
        recorded += usize::from(execute(executor, now, &expire).await?);
    }
    Ok(recorded)
}

const API_KEYS: &str = "select organization_id, api_key_id from read.api_keys
    where known_to is null and valid_to is null and state = 'active' and expires_at <= $1
    order by expires_at limit $2";

const BREAK_GLASS: &str = "select organization_id, break_glass_id from read.break_glass
    where known_to is null and valid_to is null and state = 'open' and expires_at <= $1
    order by expires_at limit $2";

const INVITES: &str = "select organization_id, invite_id from read.invites
    where known_to is null and valid_to is null and state = 'open' and expires_at <= $1
    order by expires_at limit $2";

async fn due(
    read: &PgPool,
    sql: &'static str,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<(OrganizationId, Uuid)>> {
    let found: Result<Vec<(Uuid, Uuid)>, sqlx::Error> =
        sqlx::query_as(sql).bind(now).bind(AT_ONCE).fetch_all(read).await;
    match found {
        Ok(rows) => Ok(rows.into_iter().map(|(org, id)| (OrganizationId(org), id)).collect()),
        // The read model is not built yet: nothing is known to have ended.
        Err(error) if code(&error).as_deref() == Some("42P01") => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// Postgres's code for an error.
fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Whether it was put on record. A refusal says that somebody was faster, or that it was renewed.
async fn execute<C: Command>(
    executor: &Executor,
    now: DateTime<Utc>,
    command: &C,
) -> anyhow::Result<bool> {
    let context = CommandContext {
        metadata: EventMetadata {
            actor: Actor::system("expiry"),
            correlation_id: format!("expiry {}", now.to_rfc3339()),
            causation_id: None,
            traceparent: None,
            source_address: None,
            credential: None,
        },
        authority: Authority::System,
        now,
        occurred_at: now,
        idempotency_key: None,
        expected_sequence: None,
        presented: None,
    };
    match executor.execute(&context, command).await {
        Ok(_) => Ok(true),
        Err(ExecuteError::Refused(refusal)) => {
            tracing::debug!(%refusal, "not expired after all");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}
