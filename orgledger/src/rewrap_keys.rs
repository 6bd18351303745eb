//! `orgledger rewrap-keys`: after a new master key was put before the old one.

use event_log::database::{self, Role};
use event_log::vault;

use crate::cli::PlaceArgs;
use crate::installation::Installation;

/// Wraps every key with the first master key.
pub(crate) async fn run(place: &PlaceArgs) -> anyhow::Result<()> {
    let installation = Installation::open_existing(place).await?;
    let masters = installation.master_keys()?;
    let mut connection = database::connect(&installation.vault()?, Role::Writer).await?;
    let rewrapped = vault::rewrap(&mut connection, &masters).await?;
    drop(connection);
    crate::print(&format!(
        "{rewrapped} keys were wrapped anew; all are wrapped with the first master key now"
    ))?;
    installation.close().await
}
