//! `orgledger usage`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use event_schemas::Month;

use super::TableOrJson;

/// Where usage records are.
#[derive(Subcommand)]
pub(crate) enum UsageCommand {
    /// Write a month's records to Parquet files, verify them, and take them out of the log's tables
    Archive(ArchiveArgs),
    /// Bring a month's records back, from their archive where they were dropped
    Restore(RestoreArgs),
    /// The months that are archived, and where their records are
    Archives(ArchivesArgs),
}

/// Write a month's records to Parquet files.
#[derive(Args)]
pub(crate) struct ArchiveArgs {
    /// The month, such as 2026-01; it must be over
    #[arg(long)]
    pub month: Month,
    /// The directory of the archives: the month gets a directory of its own in it
    #[arg(long)]
    pub to: PathBuf,
    /// Drop the records from the database too: then the archive is all that has them
    #[arg(long)]
    pub drop: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Bring a month's records back.
#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// The month, such as 2026-01
    #[arg(long)]
    pub month: Month,
    /// The directory of the archives, as `usage archive --to` had it; needed where the records were
    /// dropped
    #[arg(long)]
    pub from: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// The months that are archived.
#[derive(Args)]
pub(crate) struct ArchivesArgs {
    /// How to print
    #[arg(long, default_value = "table")]
    pub format: TableOrJson,
}
