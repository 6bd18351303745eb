//! The command line of seals and evidence. Doc comments are what `--help` prints.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::parse_time;

/// What signs the log.
#[derive(Args, Clone)]
pub(crate) struct SigningArgs {
    /// What the log is sealed with, as `signing-key new` prints it; behind a comma, further keys of
    /// the same name that sign as well, while one takes the place of another
    #[arg(long, global = true, env = "ORGLEDGER_SIGNING_KEY", hide_env_values = true)]
    pub(crate) signing_key: Option<String>,
    /// A file with the same, a key a line
    #[arg(long, global = true, env = "ORGLEDGER_SIGNING_KEY_FILE", conflicts_with = "signing_key")]
    pub(crate) signing_key_file: Option<PathBuf>,
    /// Places outside that keep checkpoints, with commas between: file:PATH (appended to), https://… (a
    /// POST each), nats:SUBJECT (of a stream), witness:KEY=https://… (c2sp.org/tlog-witness)
    #[arg(long, global = true, env = "ORGLEDGER_ANCHORS")]
    pub(crate) anchors: Option<String>,
    /// How many seconds lie between two checkpoints that a place gets, at least
    #[arg(long, global = true, env = "ORGLEDGER_ANCHOR_SECONDS", default_value_t = 60)]
    pub(crate) anchor_seconds: u64,
}

/// Keys that seal the log.
#[derive(Subcommand)]
pub(crate) enum SigningKeyCommand {
    /// Make a key and print it; its public key goes to standard error
    New(NewSigningKeyArgs),
    /// Print the public keys of this installation, a line each
    Show,
    /// Put on record which keys seal the log from now on: those that are new, and those that are gone.
    /// `dev` does so by itself
    Record,
}

/// A new key.
#[derive(Args)]
pub(crate) struct NewSigningKeyArgs {
    /// The log's name, which all its keys have: like a URL without its scheme, such as
    /// ledger.acme.example
    #[arg(long)]
    pub(crate) name: String,
}

/// Evidence of what the log holds.
#[derive(Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Write an organization's events and usage, with their proofs, to a file that anybody can verify; or
    /// a single usage record
    Export(ExportArgs),
}

/// Whose evidence, and of when.
#[derive(Args)]
pub(crate) struct ExportArgs {
    /// The organization, by name or id
    #[arg(long, required_unless_present = "common")]
    pub(crate) organization: Option<String>,
    /// What belongs to no organization instead: prices, names
    #[arg(long, conflicts_with = "organization")]
    pub(crate) common: bool,
    /// What was recorded from then on: a time, or a date, which means its beginning in UTC
    #[arg(long, value_parser = parse_time)]
    pub(crate) from: Option<DateTime<Utc>>,
    /// What was recorded until before then: a time, or a date, which means its beginning in UTC
    #[arg(long, value_parser = parse_time)]
    pub(crate) to: Option<DateTime<Utc>>,
    /// The usage record of this request alone: the file says nothing of the others in its batch
    #[arg(long, requires = "organization", conflicts_with_all = ["from", "to"])]
    pub(crate) request: Option<String>,
    /// The record's position, where the request came more than once
    #[arg(long, requires = "request")]
    pub(crate) position: Option<i64>,
    /// A file of checkpoints that were kept outside: the evidence shows to who kept them that the log
    /// still begins with what it was then
    #[arg(long)]
    pub(crate) anchor: Option<PathBuf>,
    /// The file to write
    #[arg(long, default_value = "evidence.tar")]
    pub(crate) out: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Verify a file of evidence, or the log itself.
#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// The file; without one, the log and the read models of this installation are verified
    pub(crate) file: Option<PathBuf>,
    /// The log's public key, such as ledger.acme.example+1a2b3c4d+BASE64; may be given several times.
    /// For the log itself, its own signing key's by default
    #[arg(long, env = "ORGLEDGER_VERIFYING_KEY", value_delimiter = ',')]
    pub(crate) key: Vec<String>,
    /// A file of checkpoints that were kept outside: one that does not fit shows that the log was
    /// written anew, or put back to an older state
    #[arg(long)]
    pub(crate) anchor: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
