//! Servers and databases for tests and benchmarks, of this crate and all others.
//!
//! Tests share one pair of servers, which `with-servers` starts around the whole run, and each
//! makes its own database ([`test_database`]) or names its own streams ([`unique_name`]). A test
//! that kills servers starts its own ([`TestServers`]).

mod database;
mod issuer;
mod servers;
mod watchdog;

pub use database::{TestDatabase, test_database};
pub use issuer::{Answer, Asked, TestIssuer, TestKey, TestKeyKind};
pub use servers::{Durability, TestServers, programs_dir, temporary_data_dir};

use async_nats::{ConnectOptions, ServerAddr};

use crate::unprivileged::random_hex;

/// The environment variable with the shared Postgres server's address.
pub const DATABASE_VARIABLE: &str = "ORGLEDGER_TEST_DATABASE_URL";
/// The environment variable with the shared nats-server's address.
pub const NATS_VARIABLE: &str = "ORGLEDGER_TEST_NATS_URL";

/// The shared nats-server's address, credentials included. Streams and subjects on it are for
/// everybody: name yours with [`unique_name`].
///
/// # Panics
/// Without servers, saying how to get them.
pub fn test_nats_url() -> String {
    variable(NATS_VARIABLE)
}

/// A connection to the shared nats-server.
///
/// # Panics
/// Without servers, saying how to get them, and when the server does not answer.
pub async fn test_nats() -> async_nats::Client {
    let url = test_nats_url();
    let address: ServerAddr = url.parse().expect("the server's URL is one");
    let options = match (address.username(), address.password()) {
        (Some(user), Some(password)) => {
            ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
        }
        _ => ConnectOptions::new(),
    };
    options.connect(address).await.expect("the server answers")
}

/// A name that nobody else has, fit for databases, streams and subjects: `t` and 16 hex digits.
pub fn unique_name() -> String {
    format!("t{}", random_hex())
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set, so there are no servers to test with. Run `make test`, or \
             `cargo run -p embedded --bin with-servers -- cargo nextest run …`"
        )
    })
}
