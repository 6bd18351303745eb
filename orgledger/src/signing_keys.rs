//! `orgledger signing-key`, and where keys come from.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use event_log::database::{self, Role};
use proofs::{SigningKey, VerifyingKey};
use uuid::Uuid;

use crate::cli::PlaceArgs;
use crate::cli::seals::{SigningArgs, SigningKeyCommand};
use crate::installation::Installation;
use crate::kept::write_secret;

/// The file in the data directory with the key that was made for it.
const KEPT: &str = "signing-key";

/// Makes or shows keys.
pub(crate) async fn run(place: &PlaceArgs, command: SigningKeyCommand) -> anyhow::Result<()> {
    match command {
        SigningKeyCommand::New(args) => {
            let key = SigningKey::generate(&args.name)?;
            eprintln!("public key: {}", key.verifying_key());
            crate::print(&key.reveal())
        }
        SigningKeyCommand::Show => {
            let installation = Installation::open_existing(place).await?;
            let keys = of(&installation).await?;
            let keys = keys.context(
                "ORGLEDGER_SIGNING_KEY is not set: with a database of your own, secrets are not kept in \
                 a directory",
            )?;
            let shown: Vec<String> =
                keys.iter().map(|key| key.verifying_key().to_string()).collect();
            crate::print(&shown.join("\n"))?;
            installation.close().await
        }
    }
}

/// What seals the log of an installation: named, or made once and kept beside the private cluster; none
/// where neither.
pub(crate) async fn of(installation: &Installation) -> anyhow::Result<Option<Arc<[SigningKey]>>> {
    if let Some(keys) = named(installation.signing())? {
        return Ok(Some(keys));
    }
    let Some(path) = installation.private_file(KEPT) else { return Ok(None) };
    if !path.is_file() {
        let mut log = database::connect(&installation.log, Role::Projector).await?;
        let log_id: Uuid =
            sqlx::query_scalar("select log_id from log.identity").fetch_one(&mut log).await?;
        let key = SigningKey::generate(&format!("orgledger.localhost/{log_id}"))?;
        write_secret(&path, &key.reveal())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    read(&path).map(Some)
}

/// The keys that verify what an installation's own keys sign.
pub(crate) async fn verifying(installation: &Installation) -> anyhow::Result<Vec<VerifyingKey>> {
    let keys = of(installation).await?;
    Ok(keys.iter().flat_map(|keys| keys.iter()).map(SigningKey::verifying_key).collect())
}

fn named(args: &SigningArgs) -> anyhow::Result<Option<Arc<[SigningKey]>>> {
    match (&args.signing_key, &args.signing_key_file) {
        (Some(keys), _) => parse(keys).context("ORGLEDGER_SIGNING_KEY").map(Some),
        (None, Some(path)) => read(path).map(Some),
        (None, None) => Ok(None),
    }
}

fn read(path: &Path) -> anyhow::Result<Arc<[SigningKey]>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| path.display().to_string())
}

fn parse(text: &str) -> anyhow::Result<Arc<[SigningKey]>> {
    let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    let keys = entries.map(str::parse).collect::<Result<Vec<SigningKey>, _>>()?;
    let Some(first) = keys.first() else { bail!("there is no key in it") };
    ensure!(
        keys.iter().all(|key| key.name() == first.name()),
        "all keys that sign a log have its name"
    );
    Ok(keys.into())
}
