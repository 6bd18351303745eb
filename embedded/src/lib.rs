//! Private Postgres and nats-server processes on this machine.
//!
//! `orgledger dev`, the commands that need no server, and the tests of every crate run on servers
//! that nobody set up: this crate finds the programs, makes a cluster under a data directory,
//! starts it reachable by this machine's user only, and stops it after its last user.
//!
//! Three files in the directory of each server carry all coordination between processes:
//!
//! | file | locked by | means |
//! |---|---|---|
//! | `start.lock` | whoever starts or stops, exclusively | nobody else starts or stops meanwhile |
//! | `users.lock` | every user, shared | the server is wanted |
//! | `server.lock` | the server and its children, exclusively | some process of the server lives |
//!
//! The server inherits `server.lock` as its standard input, so the kernel releases it when the last
//! of its processes is gone. Process ids alone could not tell that: they are reused, and a server
//! that was killed leaves children that still die. So any of us may be killed at any moment.

mod cluster;
mod data_dir;
mod error;
mod locks;
mod nats;
mod place;
mod postgres;
mod process;
mod programs;
mod server;
pub mod testing;
mod unprivileged;

pub use data_dir::DataDir;
pub use error::{EmbeddedError, Rejected};
pub use nats::Nats;
pub use postgres::Postgres;

/// Runs what blocks (file locks, waiting for processes) beside the async runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&tokio::runtime::Handle) -> Result<T, EmbeddedError> + Send + 'static,
) -> Result<T, EmbeddedError> {
    let handle = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || work(&handle)).await.map_err(EmbeddedError::Interrupted)?
}
