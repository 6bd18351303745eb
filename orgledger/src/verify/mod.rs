//! `orgledger verify`: a file of evidence anywhere, or the log of this installation.

pub(crate) mod anchored;
mod file;
mod log;
mod record;

use anyhow::Context as _;
use proofs::VerifyingKey;

use crate::cli::PlaceArgs;
use crate::cli::seals::VerifyArgs;

/// Verifies, and fails where it does not hold.
pub(crate) async fn run(place: &PlaceArgs, args: &VerifyArgs) -> anyhow::Result<()> {
    let keys = args.key.iter().map(|key| key.parse().with_context(|| format!("--key {key}")));
    let keys = keys.collect::<anyhow::Result<Vec<VerifyingKey>>>()?;
    match &args.file {
        Some(path) => file::run(path, &keys, args),
        None => log::run(place, keys, args).await,
    }
}
