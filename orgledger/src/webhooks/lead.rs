//! One process sends at a time: it holds a lock of Postgres, which goes with its connection.

use std::time::Duration;

use event_log::database::{self, DatabaseError, Role};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Executor as _, PgConnection};

/// How often it is looked whether nobody leads any more, and whether this process still does.
const LOOK: Duration = Duration::from_secs(1);

/// How long the lock's connection may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// A machine that is gone says nothing: Postgres finds out within half a minute.
const KEEPALIVES: &str = "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; \
     set tcp_keepalives_count = 3";

const TRY: &str = "select pg_try_advisory_lock(hashtextextended('orgledger webhooks', 0))";

/// The right to send.
pub(super) struct Lead(PgConnection);

impl Lead {
    /// Waits until no other process leads.
    pub(super) async fn take(options: &PgConnectOptions) -> Result<Self, DatabaseError> {
        let mut connection = database::connect(options, Role::Writer).await?;
        connection.execute(KEEPALIVES).await?;
        while !sqlx::query_scalar::<_, bool>(TRY).fetch_one(&mut connection).await? {
            tokio::time::sleep(LOOK).await;
        }
        Ok(Self(connection))
    }

    /// Ends where the lock may be another's by now.
    pub(super) async fn hold(&mut self) -> sqlx::Error {
        loop {
            tokio::time::sleep(LOOK).await;
            let asked = self.0.execute("select 1");
            match tokio::time::timeout(ANSWER_TIME_MAX, asked).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error,
                Err(_) => return std::io::Error::from(std::io::ErrorKind::TimedOut).into(),
            }
        }
    }
}
