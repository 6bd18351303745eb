//! `orgledger evidence export`.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use event_log::database::{self, Role};
use event_log::usage::{UsageOfRequest, positions_of_request, usage_of_request};
use event_schemas::OrganizationId;
use projectors::seals::{self, Exported, Range, SealError, Wanted};
use proofs::{Checkpoint, VerifyingKey};
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

use crate::analyst::organization;
use crate::cli::PlaceArgs;
use crate::cli::seals::{EvidenceCommand, ExportArgs};
use crate::installation::Installation;
use crate::signing_keys;
use crate::verify::anchored;

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
    log_size: u64,
    /// The sizes of kept checkpoints of which it shows that the log begins with what it was then; none
    /// where no checkpoint was named.
    continued: Option<Vec<u64>>,
    /// Those of which it shows that the log was something else then.
    rewritten: Option<Vec<u64>>,
    /// The position of the one record that it is of.
    record: Option<i64>,
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
    let record = match &args.request {
        Some(request) => Some(position_of(&log, organization_id, request, args.position).await?),
        None => None,
    };
    let kept = match &args.anchor {
        Some(anchor) => Some(kept(anchor, &keys)?),
        None => None,
    };
    let sizes: Vec<u64> = kept.iter().flatten().map(|checkpoint| checkpoint.size).collect();
    let wanted = Wanted {
        organization_id,
        range: Range { from: args.from, to: args.to },
        record,
        kept: &sizes,
        keys: &keys,
        schemas: &schemas(),
    };
    let exported = write(&log, wanted, &args).await;
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
    if let Some(newest) = sizes.iter().max()
        && *newest > exported.log_size
    {
        eprintln!(
            "note: the newest checkpoint in {} has the size {newest}, and what is sealed here {}: this \
             log stands before it, or was PUT BACK to an older state",
            args.anchor.as_deref().unwrap_or(Path::new("the file")).display(),
            exported.log_size
        );
    }
    let (continued, rewritten) = compared(kept.as_deref().unwrap_or_default(), &exported);
    if let Some(size) = rewritten.first() {
        eprintln!(
            "note: the log was WRITTEN ANEW, or {} is not what was kept of it: of size {size} this log has \
             another root than the checkpoint there. The file shows that",
            args.anchor.as_deref().unwrap_or(Path::new("the file")).display(),
        );
    }
    let report = Report {
        bytes: std::fs::metadata(&args.out)?.len(),
        file: args.out,
        organization_id,
        first: exported.first,
        end: exported.end,
        size: exported.size,
        sealed_at: exported.sealed_at,
        log_size: exported.log_size,
        continued: kept.is_some().then_some(continued),
        rewritten: kept.is_some().then_some(rewritten),
        record,
    };
    crate::print(&if args.json { serde_json::to_string_pretty(&report)? } else { told(&report) })?;
    installation.close().await
}

/// The sizes of the kept checkpoints that have the log's root of that size, and of those that have not.
fn compared(kept: &[Checkpoint], exported: &Exported) -> (Vec<u64>, Vec<u64>) {
    let roots = exported.continued.iter();
    roots.map(|(size, _)| *size).partition(|size| {
        let kept = kept.iter().filter(|checkpoint| checkpoint.size == *size);
        let mut of_it = kept.map(|checkpoint| checkpoint.root);
        of_it.all(|root| exported.continued.contains(&(*size, root)))
    })
}

fn told(report: &Report) -> String {
    let what = match report.record {
        Some(position) => {
            format!("the usage record at position {position}, in leaf {}", report.first)
        }
        None => format!("leaves {} to before {}", report.first, report.end),
    };
    let continued = report.continued.as_ref().map_or_else(String::new, |sizes| {
        format!(
            "it shows that the log begins with what it was at {} of the checkpoints that were kept\n",
            sizes.len()
        )
    });
    format!(
        "{}: {what} of {}, sealed at {} ({} bytes)\n\
         {continued}\
         `orgledger verify {}` verifies it anywhere, with the public key that `orgledger signing-key \
         show` prints",
        report.file.display(),
        report.size,
        report.sealed_at.to_rfc3339(),
        report.bytes,
        report.file.display(),
    )
}

/// The position of a request's usage record.
async fn position_of(
    log: &PgPool,
    organization_id: Uuid,
    request: &str,
    position: Option<i64>,
) -> anyhow::Result<i64> {
    let of = OrganizationId(organization_id);
    match usage_of_request(log, of, request, position).await? {
        UsageOfRequest::Found(found, _) => {
            let all = positions_of_request(log, of, request).await?;
            ensure!(
                position.is_some() || all.len() < 2,
                "the request '{request}' was recorded more than once, at the positions {}: --position says \
                 which record is meant",
                all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            );
            Ok(found)
        }
        UsageOfRequest::Absent => bail!(
            "the organization has no usage record of the request '{request}'{}",
            if position.is_some() { " at that position" } else { "" }
        ),
        UsageOfRequest::Archived { months, earlier } => bail!(
            "it may be in an archive, of {}: `orgledger usage restore` puts one back{}",
            months.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            earlier.map(|at| format!("; an earlier one is at --position {at}")).unwrap_or_default()
        ),
    }
}

/// The checkpoints that somebody kept of this log, whoever signed them: who verifies asks that.
fn kept(anchor: &Path, keys: &[VerifyingKey]) -> anyhow::Result<Vec<Checkpoint>> {
    let checkpoints = anchored::unverified(anchor)?;
    if let Some(key) = keys.first() {
        let other = checkpoints.iter().find(|checkpoint| checkpoint.origin != key.name());
        ensure!(
            other.is_none(),
            "{} is of the log {}, and this is {}",
            anchor.display(),
            crate::printable_line(other.map_or("", |other| &other.origin)),
            key.name()
        );
    }
    Ok(checkpoints)
}

/// Writes beside the file and puts it into its place at the end: a disk that is full, or a process that
/// is killed, leaves no half of one.
async fn write(log: &PgPool, wanted: Wanted<'_>, args: &ExportArgs) -> anyhow::Result<Exported> {
    let staged = staged(&args.out);
    let cannot = || format!("cannot write {}", args.out.display());
    let file = File::create(&staged).with_context(cannot)?;
    let out = BufWriter::with_capacity(1024 * 1024, &file);
    let exported = seals::export(log, wanted, out).await;
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
