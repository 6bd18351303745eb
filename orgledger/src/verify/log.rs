//! Verifying the log of this installation, and that its read models follow from it.

use anyhow::{Context as _, ensure};
use event_log::database::{self, Role};
use event_schemas::Month;
use projectors::seals::audit::{Audited, Finding, audit};
use projectors::{Compared, Feed, PostgresFeed};
use proofs::VerifyingKey;
use serde_json::json;

use super::anchored;
use crate::cli::PlaceArgs;
use crate::cli::seals::VerifyArgs;
use crate::installation::Installation;
use crate::services::{self, PROJECTOR_CONNECTIONS_MAX};
use crate::signing_keys;

/// Verifies and says what holds.
pub(super) async fn run(
    place: &PlaceArgs,
    keys: Vec<VerifyingKey>,
    args: &VerifyArgs,
) -> anyhow::Result<()> {
    let installation = Installation::open_existing(place).await?;
    let keys = if keys.is_empty() { signing_keys::verifying(&installation).await? } else { keys };
    ensure!(!keys.is_empty(), "name the log's public key with --key, or its signing key");
    let log = database::pool(&installation.log, Role::Projector, PROJECTOR_CONNECTIONS_MAX).await?;
    let anchors = match &args.anchor {
        // What was kept may be signed by a key that was replaced since. Which ones there were the log
        // says; whoever adds one to it makes no checkpoint of theirs one that was kept.
        Some(path) => {
            let name = keys.first().map(VerifyingKey::name).unwrap_or_default();
            let replaced = signing_keys::on_record(&log, name).await?;
            anchored::read(path, &[keys.clone(), replaced].concat())?
        }
        None => Vec::new(),
    };
    let found = audit(&log, &keys, &anchors).await.context("the log is NOT VERIFIED")?;
    let read_models = read_models(place, &installation, log).await?;
    let text = if args.json {
        serde_json::to_string_pretty(&as_json(&found, &read_models, anchors.len()))?
    } else {
        told(&found, &read_models, anchors.len())
    };
    crate::print(&crate::printable(&text))?;
    installation.close().await
}

/// A read model, and what was found of it.
type ReadModel = (&'static str, State);

/// How far a read model is what the log says.
enum State {
    NotBuilt,
    Same {
        position: i64,
    },
    /// It rests on records that have been archived.
    Archived {
        month: Month,
    },
}

async fn read_models(
    place: &PlaceArgs,
    installation: &Installation,
    log: sqlx::PgPool,
) -> anyhow::Result<Vec<ReadModel>> {
    let connections = PROJECTOR_CONNECTIONS_MAX;
    let read = database::pool(&installation.read, Role::Projector, connections).await?;
    let vault = installation.open_vault().await?;
    let feed = match (installation.reads_elsewhere(), &place.nats_url) {
        (true, Some(url)) => services::jetstream_feed(url, place, vault),
        (true, None) => anyhow::bail!(
            "read models in a database of their own are compared by JetStream: set NATS_URL"
        ),
        (false, _) => Feed::Postgres(PostgresFeed::of(log, vault)),
    };
    let mut compared = Vec::new();
    for projection in projectors::all() {
        match projectors::compare(&read, &feed, &projection).await? {
            Compared::NotServing => compared.push((projection.name, State::NotBuilt)),
            Compared::Same { position } => {
                compared.push((projection.name, State::Same { position }));
            }
            Compared::Archived { month } => {
                compared.push((projection.name, State::Archived { month }));
            }
            Compared::Other(other) => {
                let finding = Finding::ReadModel {
                    projection: projection.name.to_owned(),
                    table: other.table,
                    row: other.row,
                };
                return Err(finding).context(format!(
                    "NOT VERIFIED (the log is; `orgledger rebuild {}` mends this)",
                    projection.name
                ));
            }
        }
    }
    Ok(compared)
}

fn as_json(found: &Audited, read_models: &[ReadModel], anchors: usize) -> serde_json::Value {
    let of = |state: &State| match state {
        State::NotBuilt => json!(null),
        State::Same { position } => json!(position),
        State::Archived { month } => json!({ "not_compared": { "archived": month } }),
    };
    let read_models: serde_json::Map<String, serde_json::Value> =
        read_models.iter().map(|(name, state)| ((*name).to_owned(), of(state))).collect();
    json!({
        "verified": true,
        "origin": found.origin,
        "organizations": found.organizations,
        "events": found.events,
        "usage_records": found.usage_records,
        "archived_usage_records": found.archived_records,
        "position": found.position,
        "unsealed": found.head - found.position,
        "sealed_at": found.sealed_at,
        "corrections": found.corrections,
        "checkpoints": found.checkpoints,
        "checkpoints_of_other_keys": found.vouched,
        "checkpoint": {
            "size": found.checkpoint.size,
            "root": found.checkpoint.root.to_string(),
            "signed_by": found.signers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        },
        "anchors": anchors,
        "read_models": read_models,
    })
}

fn told(found: &Audited, read_models: &[ReadModel], anchors: usize) -> String {
    let signers: Vec<String> = found.signers.iter().map(ToString::to_string).collect();
    let unsealed = match found.head - found.position {
        0 => String::new(),
        more => format!(" ({more} entries after that are not sealed yet)"),
    };
    let corrections = match found.corrections {
        0 => String::new(),
        some => format!(", and {some} corrections of what they cost"),
    };
    let others = match found.vouched {
        0 => String::new(),
        some => format!(
            "; {some} earlier checkpoints by keys that are not named ({}): what they sealed is under \
             the last one",
            found.others.iter().cloned().collect::<Vec<_>>().join(", ")
        ),
    };
    let archived = match found.archived_records {
        0 => String::new(),
        some => format!(
            " ({some} more may be in archives: their batches are sealed, and what the archives hold is \
             proven when they are restored)"
        ),
    };
    let kept = match anchors {
        0 => "not proven: that nobody who holds the signing key wrote the log anew and signed it again: \
              only a checkpoint that was kept elsewhere shows that (--anchor)"
            .to_owned(),
        some => format!("kept elsewhere     {some} checkpoints, and the log agrees with each"),
    };
    let models: Vec<String> = read_models
        .iter()
        .map(|(name, state)| match state {
            State::Same { position } => format!("{name} (up to {position})"),
            State::NotBuilt => format!("{name} (not built yet)"),
            State::Archived { month } => {
                format!("{name} (not compared: usage of {month} is archived)")
            }
        })
        .collect();
    format!(
        "the log is VERIFIED\n\
         \x20 log                {}\n\
         \x20 organizations      {}\n\
         \x20 events             {}\n\
         \x20 usage records      {}{corrections}{archived}\n\
         \x20 up to position     {}{unsealed}\n\
         \x20 sealed at          {}\n\
         \x20 checkpoints        {}, the last of size {}, root {}\n\
         \x20 signed by          {}{others}\n\
         \x20 read models        {}\n{kept}",
        found.origin,
        found.organizations,
        found.events,
        found.usage_records,
        found.position,
        found.sealed_at.to_rfc3339(),
        found.checkpoints,
        found.checkpoint.size,
        found.checkpoint.root,
        signers.join(", "),
        models.join(", "),
    )
}
