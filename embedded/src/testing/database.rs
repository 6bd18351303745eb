//! A database of a test's own on the shared server.

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::{DATABASE_VARIABLE, unique_name, variable};

/// More than any test uses at once, and few enough for many tests in parallel.
const POOL_CONNECTIONS_MAX: u32 = 10;

/// A fresh, empty database; dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
    server: PgConnectOptions,
}

/// Creates a database on the server that `ORGLEDGER_TEST_DATABASE_URL` names.
///
/// # Panics
/// Without a server, saying how to get one, and when the server refuses.
pub async fn test_database() -> TestDatabase {
    let server_url = variable(DATABASE_VARIABLE);
    let server = PgConnectOptions::from_str(&server_url)
        .expect("the server's URL is one")
        .disable_statement_logging();
    let name = unique_name();
    // Copying files takes two thirds of the time of writing them through the log, measured with
    // four clients at once on Postgres 15, with and without fsync.
    execute(&server, &format!("CREATE DATABASE {name} TEMPLATE template0 STRATEGY = file_copy"))
        .await
        .expect("the server creates a database");
    TestDatabase { url: with_database(&server_url, &name), name, server }
}

impl TestDatabase {
    /// How to connect to it, as its owner.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// The same as a `DATABASE_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A pool of connections to it.
    ///
    /// # Panics
    /// When the server refuses the first connection.
    pub async fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(POOL_CONNECTIONS_MAX)
            .connect_with(self.connect_options())
            .await
            .expect("the database that was just created takes connections")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let server = self.server.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A runtime of its own: this one may be about to end. When it fails, the server is gone or
        // the database stays behind on it; neither should fail the test that has just passed.
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(&server, &statement)).map_err(std::io::Error::other)
        })
        .join();
    }
}

async fn execute(server: &PgConnectOptions, statement: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(server).await?;
    connection.execute(statement).await?;
    connection.close().await
}

/// The URL with another database in its path.
fn with_database(url: &str, name: &str) -> String {
    let (rest, query) = match url.split_once('?') {
        Some((rest, query)) => (rest, format!("?{query}")),
        None => (url, String::new()),
    };
    let authority = rest.find("://").map_or(0, |scheme| scheme + 3);
    let path = rest[authority..].find('/').map_or(rest.len(), |slash| authority + slash);
    format!("{}/{name}{query}", &rest[..path])
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn only_the_path_of_an_url_is_replaced() {
        let cases = [
            (
                "postgres://u@%2Frun%2Fpg:5432/postgres?sslmode=disable",
                "postgres://u@%2Frun%2Fpg:5432/x?sslmode=disable",
            ),
            ("postgres://u:p@host", "postgres://u:p@host/x"),
            ("postgres:///postgres?host=/run/pg", "postgres:///x?host=/run/pg"),
        ];
        for (url, expected) in cases {
            assert_eq!(with_database(url, "x"), expected);
        }
    }
}
