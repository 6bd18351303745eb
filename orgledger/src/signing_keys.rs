//! `orgledger signing-key`, and where keys come from.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use event_log::database::{self, Role};
use event_log::{Append, EventLog, NewEvent, StreamKey, clock};
use event_schemas::{Actor, EventMetadata, SigningKeyEvent, StreamEvent as _};
use proofs::{Note, SigningKey, VerifyingKey};
use sqlx::PgPool;
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
        SigningKeyCommand::Record => {
            let installation = Installation::open_existing(place).await?;
            let log = EventLog::open(&installation.log, installation.master_keys()?).await?;
            let keys = verifying(&installation).await?;
            let changes = record(&log, &keys).await?;
            drop(log);
            crate::print(&match changes {
                0 => "the keys that seal the log are on record already".to_owned(),
                some => format!("{some} changes of the keys that seal the log are on record"),
            })?;
            installation.close().await
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

/// The keys of a name that the log has on record, those that were retired too.
pub(crate) async fn on_record(log: &PgPool, name: &str) -> anyhow::Result<Vec<VerifyingKey>> {
    let keys: Vec<String> = sqlx::query_scalar(
        "select payload ->> 'key' from log.events
         where aggregate_type = $1 and aggregate_id = $2 and payload ->> 'key' is not null
         order by sequence",
    )
    .bind(SigningKeyEvent::STREAM)
    .bind(name)
    .fetch_all(log)
    .await?;
    Ok(keys.iter().filter_map(|key| key.parse().ok()).collect())
}

/// Puts on record that the log is sealed by other keys than before, where it is.
pub(crate) async fn record_changes(
    installation: &Installation,
    log: &EventLog,
) -> anyhow::Result<()> {
    let keys = verifying(installation).await?;
    let mut sealed = database::connect(&installation.log, Role::Projector).await?;
    let last: Option<String> =
        sqlx::query_scalar("select note from seal.checkpoints order by size desc limit 1")
            .fetch_optional(&mut sealed)
            .await?;
    let Some(last) = last else { return Ok(()) };
    let signed = Note::parse(&last)?.signatures;
    let mut before: Vec<(&str, u32)> = signed.iter().map(|one| (&*one.name, one.id)).collect();
    let mut now: Vec<(&str, u32)> = keys.iter().map(|key| (key.name(), key.id())).collect();
    before.sort_unstable();
    now.sort_unstable();
    if before != now {
        record(log, &keys).await?;
    }
    Ok(())
}

/// Puts on record which keys seal the log: each that is new, and each that is gone. How many changes that
/// were. Two that do so at once meet in the log's conflict check.
pub(crate) async fn record(log: &EventLog, keys: &[VerifyingKey]) -> anyhow::Result<usize> {
    let Some(name) = keys.first().map(VerifyingKey::name) else { return Ok(0) };
    let rows: Vec<(i64, String, serde_json::Value)> = sqlx::query_as(
        "select sequence, event_type, payload from log.events
         where aggregate_type = $1 and aggregate_id = $2 order by sequence",
    )
    .bind(SigningKeyEvent::STREAM)
    .bind(name)
    .fetch_all(log.pool())
    .await?;
    let mut there = BTreeSet::new();
    for (_, event_type, payload) in &rows {
        match serde_json::from_value(payload.clone()).with_context(|| event_type.clone())? {
            SigningKeyEvent::Introduced { key } => there.insert(key),
            SigningKeyEvent::Retired { key } => there.remove(&key),
        };
    }
    let wanted: BTreeSet<String> = keys.iter().map(ToString::to_string).collect();
    let new = wanted.difference(&there).map(|key| SigningKeyEvent::Introduced { key: key.clone() });
    let gone = there.difference(&wanted).map(|key| SigningKeyEvent::Retired { key: key.clone() });
    let changes: Vec<SigningKeyEvent> = new.chain(gone).collect();
    if changes.is_empty() {
        return Ok(0);
    }
    let now = clock::now();
    let metadata: Arc<str> = serde_json::to_string(&EventMetadata {
        actor: Actor::system("signing-keys"),
        correlation_id: format!("signing-keys {}", now.to_rfc3339()),
        causation_id: None,
        traceparent: None,
        source_address: None,
        credential: None,
    })?
    .into();
    let event = |change: &SigningKeyEvent| {
        NewEvent::new(change, name.into(), None, Arc::clone(&metadata), now)
    };
    let events = changes.iter().map(event).collect::<Result<Vec<_>, _>>()?;
    let sequence = rows.last().map_or(0, |(sequence, _, _)| *sequence);
    let expected = vec![(StreamKey::new(SigningKeyEvent::STREAM, name), sequence)];
    log.append(Append { events, expected, ..Append::default() }).await?;
    Ok(changes.len())
}

fn named(args: &SigningArgs) -> anyhow::Result<Option<Arc<[SigningKey]>>> {
    let named = args.signing_key.as_ref().filter(|keys| !keys.trim().is_empty());
    match (named, &args.signing_key_file) {
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
