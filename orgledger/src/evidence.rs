//! `orgledger evidence export`.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use event_log::database::{self, Role};
use projectors::seals::{self, Exported, Range, SealError};
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

use crate::analyst::organization;
use crate::cli::PlaceArgs;
use crate::cli::seals::{EvidenceCommand, ExportArgs};
use crate::installation::Installation;
use crate::signing_keys;

/// Connections for sealing what is not sealed yet, and for reading.
const CONNECTIONS_MAX: u32 = 2;

/// Seals what is not sealed yet. Where the log was changed nothing more is, and what there is may be
/// evidence of that too. Whether it is all sealed.
async fn seal(log: &PgPool, keys: &[proofs::SigningKey]) -> anyhow::Result<bool> {
    match seals::catch_up(log, keys).await {
        Ok(_) => Ok(true),
        Err(
            error @ (SealError::Changed { .. }
            | SealError::Shorter { .. }
            | SealError::Records { .. }
            | SealError::Unsound { .. }),
        ) => {
            eprintln!(
                "note: {}; nothing more is sealed",
                crate::printable_line(&error.to_string())
            );
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    organization_id: Uuid,
    first: u64,
    end: u64,
    size: u64,
    sealed_at: chrono::DateTime<chrono::Utc>,
    bytes: u64,
}

/// Exports.
pub(crate) async fn run(place: &PlaceArgs, command: EvidenceCommand) -> anyhow::Result<()> {
    let EvidenceCommand::Export(args) = command;
    let installation = Installation::open_existing(place).await?;
    let log = database::pool(&installation.log, Role::Projector, CONNECTIONS_MAX).await?;
    let organization_id = match &args.organization {
        Some(name) => organization(&installation, name).await?,
        None => Uuid::nil(),
    };
    // What was recorded a moment ago is to be in it.
    let sealed = match signing_keys::of(&installation).await? {
        Some(keys) => seal(&log, &keys).await?,
        None => true,
    };
    let keys = signing_keys::verifying(&installation).await?;
    let exported = write(&log, organization_id, &args, &keys).await;
    if !sealed {
        eprintln!(
            "note: {}",
            if exported.is_ok() {
                "the file has the leaves that were sealed before, with the entries as they stand now: \
                 the verifier says which are not what was sealed"
            } else {
                "nothing was exported"
            }
        );
    }
    let exported = exported?;
    drop(log);
    let report = Report {
        bytes: std::fs::metadata(&args.out)?.len(),
        file: args.out,
        organization_id,
        first: exported.first,
        end: exported.end,
        size: exported.size,
        sealed_at: exported.sealed_at,
    };
    crate::print(&if args.json { serde_json::to_string_pretty(&report)? } else { told(&report) })?;
    installation.close().await
}

fn told(report: &Report) -> String {
    format!(
        "{}: leaves {} to before {} of {}, sealed at {} ({} bytes)\n\
         `orgledger verify {}` verifies it anywhere, with the public key that `orgledger signing-key \
         show` prints",
        report.file.display(),
        report.first,
        report.end,
        report.size,
        report.sealed_at.to_rfc3339(),
        report.bytes,
        report.file.display(),
    )
}

/// Writes beside the file and puts it into its place at the end: a disk that is full, or a process that
/// is killed, leaves no half of one.
async fn write(
    log: &PgPool,
    organization_id: Uuid,
    args: &ExportArgs,
    keys: &[proofs::VerifyingKey],
) -> anyhow::Result<Exported> {
    let staged = staged(&args.out);
    let cannot = || format!("cannot write {}", args.out.display());
    let file = File::create(&staged).with_context(cannot)?;
    let range = Range { from: args.from, to: args.to };
    let schemas = schemas();
    let out = BufWriter::with_capacity(1024 * 1024, &file);
    let exported = seals::export(log, organization_id, range, keys, &schemas, out).await;
    let done = match exported {
        Ok(exported) => file
            .sync_all()
            .and_then(|()| std::fs::rename(&staged, &args.out))
            .map(|()| exported)
            .with_context(cannot),
        Err(error) => Err(error.into()),
    };
    if done.is_err() {
        // What it failed with is told; that a rest of it stays would be no news.
        let _ = std::fs::remove_file(&staged);
    }
    done
}

fn staged(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    name.into()
}

/// The schemas of all events, by their files' names.
fn schemas() -> Vec<(String, String)> {
    let files = event_schemas::published::files();
    let schema =
        |(path, text): (String, String)| Some((path.strip_prefix("schemas/")?.to_owned(), text));
    files.into_iter().filter_map(schema).collect()
}
