//! Running the binary, asking what it serves, and looking into its databases.

pub(crate) mod examples;
pub(crate) mod histories;
mod http;
pub(crate) mod log;
mod place;
mod service;

use std::future::Future;
use std::time::Duration;

pub(crate) use http::{Client, send};
pub(crate) use place::{Directory, Place, installation, workspace_root};
pub(crate) use service::Service;

/// What is given to services whose secrets are not kept in a data directory.
pub(crate) const CREDENTIAL: &str = "an-operator-credential-of-the-tests";
/// What keys of persons are wrapped with.
pub(crate) const MASTER_KEY: &str =
    "0707070707070707070707070707070707070707070707070707070707070707";
pub(crate) const PEPPER: &str = "a-pepper-of-the-tests-with-more-than-32-characters";

/// Longer than anything takes that works, on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for it, and fails the test where it does not come.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|late| panic!("{what}: not within {PATIENCE:?} ({late})"))
}

/// Asks again and again until it is so; for what nothing announces.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    const POLL: Duration = Duration::from_millis(20);
    let asked = async {
        while !is_so().await {
            tokio::time::sleep(POLL).await;
        }
    };
    within(what, asked).await;
}
