//! `orgledger usage`: months of usage records out of the log's tables into archives, and back.
//!
//! Each step can be done again: a command that was killed goes on where it was when it is run anew.
//! What is on record (`usage.archived`, `usage.dropped`, `usage.restored`) is recorded before records
//! leave the log's tables, and after they are back.

mod archive;
mod list;
mod restore;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use command_api::usage_months::RestoreUsageMonth;
use command_api::{Command, Executor};
use event_log::EventLog;
use event_log::database::{self, Role};
use event_log::usage::archive::ArchiveError;
use event_log::usage::months::{self, MonthState};
use event_schemas::{Month, UsageMonthEvent};
use sqlx::{Connection as _, PgConnection};

use crate::cli::{PlaceArgs, UsageCommand};
use crate::importing::operator;
use crate::installation::Installation;

/// Archives, restores or lists.
pub(crate) async fn run(place: &PlaceArgs, command: UsageCommand) -> anyhow::Result<()> {
    let installation = Installation::open_existing(place).await?;
    match command {
        UsageCommand::Archive(args) => archive::run(&installation, &args).await?,
        UsageCommand::Restore(args) => restore::run(&installation, &args).await?,
        UsageCommand::Archives(args) => list::run(&installation, &args).await?,
    }
    installation.close().await
}

/// A month, and what it takes to move it.
struct Mover {
    month: Month,
    /// Owns the log's tables.
    owner: PgConnection,
    /// Reads the log.
    reader: PgConnection,
    executor: Executor,
}

impl Mover {
    async fn of(installation: &Installation, month: Month) -> anyhow::Result<Self> {
        let mut owner = database::connect(&installation.log, Role::Owner).await?;
        let reader = database::connect(&installation.log, Role::Projector).await?;
        let log = EventLog::open(&installation.log, installation.master_keys()?).await?;
        let executor = Executor::new(log, installation.pepper()?);
        // One at a time for each month; it goes with the connection.
        let alone: bool = sqlx::query_scalar(
            "select pg_try_advisory_lock(hashtextextended('orgledger usage ' || $1, 0))",
        )
        .bind(month.to_string())
        .fetch_one(&mut owner)
        .await?;
        anyhow::ensure!(alone, "another command is at work on the usage of {month}");
        let mut mover = Self { month, owner, reader, executor };
        mover.settle().await?;
        Ok(mover)
    }

    async fn state(&mut self) -> anyhow::Result<MonthState> {
        Ok(months::month_state(&mut self.reader, self.month).await?)
    }

    /// The archive that is on record.
    async fn recorded(&mut self) -> anyhow::Result<Option<Recorded>> {
        let event = months::last_event(&mut self.reader, self.month).await?;
        Ok(match event {
            Some(UsageMonthEvent::Archived { rows_sha256, manifest_sha256, .. }) => {
                Some(Recorded { rows_sha256: Some(rows_sha256), manifest_sha256 })
            }
            Some(UsageMonthEvent::Dropped { manifest_sha256, .. }) => {
                Some(Recorded { rows_sha256: None, manifest_sha256 })
            }
            Some(UsageMonthEvent::Restored { .. }) | None => None,
        })
    }

    /// Puts on record what a killed command had done: a month that is open and on record as archived
    /// was restored.
    async fn settle(&mut self) -> anyhow::Result<()> {
        if self.state().await? == MonthState::Open && self.recorded().await?.is_some() {
            self.record(&RestoreUsageMonth { month: self.month }).await?;
        }
        Ok(())
    }

    /// Executes a command as the operator at this terminal.
    async fn record<C: Command>(&self, command: &C) -> anyhow::Result<()> {
        let context = operator(C::NAME);
        self.executor.execute(&context, command).await?;
        Ok(())
    }

    async fn close(self) -> anyhow::Result<()> {
        self.owner.close().await?;
        self.reader.close().await?;
        Ok(())
    }
}

/// What is on record of an archive.
struct Recorded {
    /// Of the records; none where they were dropped since, and only the archive counts.
    rows_sha256: Option<String>,
    manifest_sha256: String,
}

/// A month's own directory among the archives.
fn directory(archives: &Path, month: Month) -> PathBuf {
    archives.join(format!("usage-{month}"))
}

/// With what to do where the disk is full: what was being done can be done again.
fn told(error: ArchiveError) -> anyhow::Error {
    let is_full = match &error {
        ArchiveError::File { source, .. } => is_full(source),
        ArchiveError::Parquet { source, .. } => {
            let causes = std::iter::successors(std::error::Error::source(source), |error| {
                std::error::Error::source(*error)
            });
            causes.filter_map(|cause| cause.downcast_ref()).any(is_full)
                || source.to_string().contains("os error 28")
        }
        ArchiveError::NoManifest(_)
        | ArchiveError::NotThis { .. }
        | ArchiveError::Differs { .. }
        | ArchiveError::Copied(_)
        | ArchiveError::Unlike(_)
        | ArchiveError::UnknownColumns(_)
        | ArchiveError::Month(_)
        | ArchiveError::Sqlx(_)
        | ArchiveError::Json(_) => false,
    };
    let error = anyhow::Error::new(error);
    if is_full { error.context("the disk is full: make room, and run it again") } else { error }
}

fn is_full(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::StorageFull
}

/// That an archive is the one that is on record.
fn same(found: &str, recorded: &str, directory: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        found == recorded,
        "{} is not the archive that is on record: its manifest's SHA-256 is {found}, and on record is \
         {recorded}",
        directory.display()
    );
    Ok(())
}

/// Tells a person how far it is; a program hears nothing.
fn progress(what: &'static str) -> impl FnMut(i64) + Send {
    use std::io::{IsTerminal as _, Write as _};
    let shows = std::io::stderr().is_terminal();
    move |records| {
        if shows {
            eprint!("\r{records} records {what}");
            let _ = std::io::stderr().flush();
        }
    }
}

/// Where a directory of archives is asked for and was not named.
fn needs_archives(from: Option<&PathBuf>, month: Month) -> anyhow::Result<&PathBuf> {
    from.with_context(|| {
        format!(
            "the records of {month} were dropped: name the directory of their archive with --from"
        )
    })
}
