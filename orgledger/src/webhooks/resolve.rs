//! What names lead to, for who may ask the public internet alone. The addresses that this gives are the
//! ones that are connected to, so a name that changes in between leads nowhere else.

use std::net::SocketAddr;

use domain::webhook::addresses::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// What is said of a name that leads to no public address.
const NOT_PUBLIC: &str = "the name leads to a private, local or reserved address";

/// Asks the system, and gives its public addresses.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|found| is_public(found.ip())).collect();
            if public.is_empty() {
                return Err(NOT_PUBLIC.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}
