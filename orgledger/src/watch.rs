//! Watchers: what read models show and the log does not have is put on record by commands. Each looks
//! every so often; whatever it finds is decided on by the stream that it is about, so that any number
//! of processes may look at once, and the second finds nothing to do.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use command_api::{Command, CommandContext, ExecuteError, Executor};
use domain::organization::Authority;
use event_log::clock;
use event_schemas::{Actor, EventMetadata};
use sqlx::PgPool;

use crate::services::Shutdown;

/// How many of each kind are put on record at a time.
pub(crate) const AT_ONCE: i64 = 500;

/// What a watcher looks in and acts with.
#[derive(Clone)]
pub(crate) struct Eyes {
    /// Executes what follows from what is seen.
    pub(crate) executor: Executor,
    /// The read models of all organizations.
    pub(crate) read: PgPool,
}

/// Something that is looked for.
pub(crate) trait Watch: Send + Sync + 'static {
    /// What acts, as an actor's id.
    const NAME: &'static str;

    /// How often it looks.
    const EVERY: Duration;

    /// Puts on record what is to be seen at a time.
    fn look(eyes: &Eyes, now: DateTime<Utc>) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Looks until the process ends.
pub(crate) async fn run<W: Watch>(eyes: Eyes, shutdown: Shutdown) {
    let look = async {
        loop {
            if let Err(error) = W::look(&eyes, clock::now()).await {
                let error = format!("{error:#}");
                tracing::warn!(watcher = W::NAME, error, "what was looked for is not on record");
            }
            tokio::time::sleep(W::EVERY).await;
        }
    };
    tokio::select! {
        () = look => {}
        () = shutdown.wait() => {}
    }
}

/// What a question to the read models finds; nothing where they are not built yet.
pub(crate) fn found<T>(rows: Result<Vec<T>, sqlx::Error>) -> Result<Vec<T>, sqlx::Error> {
    match rows {
        Err(error) if is_undefined(&error) => Ok(Vec::new()),
        rows => rows,
    }
}

/// Postgres's codes for a table and for a column that are not there: the read model is not built yet,
/// or an older version of it serves.
fn is_undefined(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["42P01", "42703"].contains(&&*code))
}

/// Puts on record what is so since a time. A refusal says that somebody was faster, or that it is not
/// so after all.
pub(crate) async fn record<W: Watch, C: Command>(
    eyes: &Eyes,
    now: DateTime<Utc>,
    since: DateTime<Utc>,
    command: &C,
) -> anyhow::Result<()> {
    put_on_record(&eyes.executor, W::NAME, now, since, command).await
}

/// The same, in the name of any part of orgledger that acts by itself.
pub(crate) async fn put_on_record<C: Command>(
    executor: &Executor,
    name: &'static str,
    now: DateTime<Utc>,
    since: DateTime<Utc>,
    command: &C,
) -> anyhow::Result<()> {
    let context = CommandContext {
        metadata: EventMetadata {
            actor: Actor::system(name),
            correlation_id: format!("{name} {}", now.to_rfc3339()),
            causation_id: None,
            traceparent: None,
            source_address: None,
            credential: None,
        },
        authority: Authority::System,
        now,
        occurred_at: since,
        idempotency_key: None,
        expected_sequence: None,
        presented: None,
    };
    match executor.execute(&context, command).await {
        Ok(_) => Ok(()),
        Err(ExecuteError::Refused(refusal)) => {
            tracing::debug!(watcher = name, %refusal, "it is not so after all");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
