//! The command line. Its doc comments are what `--help` prints, so they have no Markdown.
#![allow(clippy::doc_markdown, rustdoc::bare_urls)]

pub(crate) mod seals;
mod usage;
pub(crate) mod webhooks;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use api_conventions::RatePolicy;
use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use event_schemas::Currency;
pub(crate) use usage::{ArchiveArgs, ArchivesArgs, RestoreArgs, UsageCommand};

mod asking;

pub(crate) use asking::{
    AuditFormat, AuditLogArgs, DiffArgs, DiffFormat, Moment, ReplayArgs, ReplayFormat, WhyArgs,
};

use seals::{EvidenceCommand, SigningArgs, SigningKeyCommand, VerifyArgs};
use webhooks::WebhookArgs;

const ABOUT: &str = "\
The system of record for an organization's use of AI: who may do what, which keys exist, what was \
bought, what was used, by which feature and at what price. Every change is an event that stays.

Without DATABASE_URL, every command works on a private Postgres under --data-dir, whether \
`orgledger dev` is running on it or not.";

/// The system of record for an organization's use of AI.
#[derive(Parser)]
#[command(name = "orgledger", version, about = "The system of record for an organization's use of AI", long_about = ABOUT)]
pub(crate) struct Cli {
    /// Where things are.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where the log, the read models and the programs are.
#[derive(Args, Clone)]
pub(crate) struct PlaceArgs {
    /// The directory of the private Postgres and NATS, used where DATABASE_URL is not set
    #[arg(long, global = true, env = "ORGLEDGER_DATA_DIR", default_value = ".orgledger")]
    pub data_dir: PathBuf,
    /// The Postgres that holds the log, as postgres://user:password@host:port/database
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The Postgres that holds the read models, where it is another one
    #[arg(long, global = true, env = "ORGLEDGER_READ_DATABASE_URL", hide_env_values = true)]
    pub read_database_url: Option<String>,
    /// The NATS server with JetStream, as nats://user:password@host:port
    #[arg(long, global = true, env = "NATS_URL", hide_env_values = true)]
    pub nats_url: Option<String>,
    /// The JetStream stream that carries the log
    #[arg(long, global = true, env = "ORGLEDGER_STREAM", default_value = "ORGLEDGER")]
    pub stream: String,
    /// How many servers of a NATS cluster keep the stream, where it is created: 1 or 3
    #[arg(long, global = true, env = "ORGLEDGER_STREAM_REPLICAS", default_value_t = 1)]
    pub(crate) stream_replicas: usize,
    /// The bearer credential of the operator, at least 16 characters
    #[arg(long, global = true, env = "ORGLEDGER_OPERATOR_CREDENTIAL", hide_env_values = true)]
    pub operator_credential: Option<String>,
    /// What secrets of API keys are hashed with, at least 32 characters; keep it, and keep it apart
    /// from the database
    #[arg(long, global = true, env = "ORGLEDGER_KEY_PEPPER", hide_env_values = true)]
    pub key_pepper: Option<String>,
    /// Further operators beside the one named operator, as name=credential with commas between; one
    /// can let another into an organization
    #[arg(long, global = true, env = "ORGLEDGER_OPERATORS", hide_env_values = true)]
    pub operators: Option<String>,
    /// The issuers whose tokens people sign in with, as ISSUER=AUDIENCE or ISSUER=AUDIENCE=JWKS_URI
    /// with commas between, for example https://login.acme.example=orgledger
    #[arg(long, global = true, env = "ORGLEDGER_OIDC_ISSUERS")]
    pub oidc_issuers: Option<String>,
    /// What keys of persons are wrapped with, 32 bytes as 64 hexadecimal digits or in base64; keep it,
    /// and keep it apart from the database. Behind a comma, those used before it
    #[arg(long, global = true, env = "ORGLEDGER_MASTER_KEY", hide_env_values = true)]
    pub master_key: Option<String>,
    /// The Postgres that holds the keys of persons, for projectors fed from NATS; by default the log's
    #[arg(long, global = true, env = "ORGLEDGER_VAULT_DATABASE_URL", hide_env_values = true)]
    pub vault_database_url: Option<String>,
    /// What signs the log.
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
    /// How to log
    #[arg(long, global = true, env = "ORGLEDGER_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

/// How to log.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run everything on this machine: the log, the read models and both APIs on one port
    Dev(DevArgs),
    /// Start `dev`, load the demonstration organization and print its reports
    Demo(DemoArgs),
    /// Run one role of a distributed deployment
    Serve(ServeArgs),
    /// Bring the database's schema to this program's version
    Migrate,
    /// Bring in histories, prices and usage from files
    #[command(subcommand)]
    Import(ImportCommand),
    /// Who has access to what, now or as of a date, since when and granted by whom
    AccessRegister(AccessRegisterArgs),
    /// What was used and what it cost, by any grouping
    Costs(CostsArgs),
    /// What was bought, given and used
    Balance(BalanceArgs),
    /// Give analysts logins of Postgres that see the reports of some organizations
    #[command(subcommand)]
    Analyst(AnalystCommand),
    /// What a balance was, each movement and each day's usage, and what it came to
    Statement(StatementArgs),
    /// Every event of an organization: who did what, to what, from where and why
    AuditLog(AuditLogArgs),
    /// What changed between two dates in access, keys, budgets and money, with who did it and why
    Diff(DiffArgs),
    /// From what is so to the events behind it: who granted it, why, and who attested it
    Why(Box<WhyArgs>),
    /// Fold history again from the first event, and compare it with the live read models
    Replay(ReplayArgs),
    /// Fill a read model anew beside the one in service, and switch to it
    Rebuild(RebuildArgs),
    /// Move months of usage records out of the log's tables into archives, and back; totals stay
    #[command(subcommand)]
    Usage(UsageCommand),
    /// Wrap every key of a person with the first of the master keys, so that the others can go
    RewrapKeys,
    /// Make and show the keys that seal the log
    #[command(subcommand)]
    SigningKey(SigningKeyCommand),
    /// Take evidence of what the log holds elsewhere
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Verify a file of evidence, or the log and the read models of this installation
    Verify(VerifyArgs),
    /// Where the log and the read models stand
    Status(StatusArgs),
    /// Ask a URL, and fail where it does not answer with success (for health checks)
    Probe(ProbeArgs),
    /// Write the files that are generated from the code
    #[command(hide = true)]
    Generate(GenerateArgs),
}

/// How often one credential may ask.
#[derive(Args, Clone, Copy)]
pub(crate) struct RateArgs {
    /// How many requests a second are taken of one credential in the long run; of an address without
    /// a known one a tenth; 0 takes any number
    #[arg(long, env = "ORGLEDGER_RATE_LIMIT_PER_SECOND", default_value_t = 500)]
    pub rate_limit_per_second: u32,
    /// How many requests are taken of one credential at once; of an address without a known one a
    /// tenth
    #[arg(long, env = "ORGLEDGER_RATE_BURST", default_value = "1000")]
    pub rate_burst: NonZeroU32,
}

impl RateArgs {
    /// The policy; none where the limit is off.
    pub(crate) fn policy(self) -> Option<RatePolicy> {
        let per_second = NonZeroU32::new(self.rate_limit_per_second)?;
        Some(RatePolicy { per_second, burst: self.rate_burst })
    }
}

/// Run everything on this machine.
#[derive(Args, Clone)]
pub(crate) struct DevArgs {
    /// The address that both APIs are served on
    #[arg(long, env = "ORGLEDGER_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// How often one credential may ask.
    #[command(flatten)]
    pub rate: RateArgs,
    /// How events are sent to webhooks.
    #[command(flatten)]
    pub(crate) webhooks: WebhookArgs,
}

/// Start `dev`, load the demonstration organization and print its reports.
#[derive(Args, Clone)]
pub(crate) struct DemoArgs {
    /// The address that both APIs are served on; where it is taken, another port of it
    #[arg(long, env = "ORGLEDGER_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Remove what is in the data directory first
    #[arg(long)]
    pub fresh: bool,
    /// Stop after printing, instead of serving until interrupted
    #[arg(long)]
    pub exit: bool,
    /// How often one credential may ask.
    #[command(flatten)]
    pub rate: RateArgs,
    /// How events are sent to webhooks.
    #[command(flatten)]
    pub(crate) webhooks: WebhookArgs,
}

/// Run one role of a distributed deployment.
#[derive(Args, Clone)]
pub(crate) struct ServeArgs {
    /// The role
    pub role: Role,
    /// The address that the role's HTTP is served on: its API, /healthz, /readyz and /metrics
    #[arg(long, env = "ORGLEDGER_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// What the read models are fed from
    #[arg(long, env = "ORGLEDGER_FEED", default_value = "postgres")]
    pub feed: FeedKind,
    /// How often one credential may ask.
    #[command(flatten)]
    pub rate: RateArgs,
    /// How events are sent to webhooks.
    #[command(flatten)]
    pub(crate) webhooks: WebhookArgs,
}

/// A role of a distributed deployment.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Commands over HTTP
    CommandApi,
    /// Queries over HTTP
    QueryApi,
    /// What fills the read models
    Projectors,
    /// What publishes the log to NATS
    Relay,
}

/// What the read models are fed from.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FeedKind {
    /// The log's Postgres
    Postgres,
    /// JetStream alone: the read models can stand where the log's Postgres cannot be reached
    Nats,
}

/// What to import.
#[derive(Subcommand)]
pub(crate) enum ImportCommand {
    /// A history of people and teams: one JSON change a line
    Membership(ImportMembershipArgs),
    /// A catalogue of model prices, of pydantic/genai-prices or LiteLLM
    Prices(ImportPricesArgs),
    /// A record of usage: a CSV file with one request a row
    Usage(ImportUsageArgs),
}

/// Import a history of people and teams.
#[derive(Args)]
pub(crate) struct ImportMembershipArgs {
    /// The file, one JSON object a line; `.gz` is decompressed
    pub file: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Import a catalogue of model prices.
#[derive(Args)]
pub(crate) struct ImportPricesArgs {
    /// The file; `.gz` is decompressed
    pub file: PathBuf,
    /// From when the prices are in force; by default a first version is in force for all that
    /// happened before, and a later one from now on
    #[arg(long, value_parser = parse_time)]
    pub effective_from: Option<DateTime<Utc>>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Import usage from a CSV file.
#[derive(Args)]
pub(crate) struct ImportUsageArgs {
    /// The file, with headings; `.gz` is decompressed
    pub file: PathBuf,
    /// The organization's name
    #[arg(long)]
    pub organization: String,
    /// The project's name
    #[arg(long)]
    pub project: String,
    /// The model that was used
    #[arg(long)]
    pub model: String,
    /// Who served the model
    #[arg(long)]
    pub provider: String,
    /// The heading of the column that names the feature
    #[arg(long)]
    pub feature_column: String,
    /// Create the organization and the project where they do not exist yet
    #[arg(long)]
    pub create: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Who has access to what.
#[derive(Args)]
pub(crate) struct AccessRegisterArgs {
    /// One organization, by name or id; without it, all
    #[arg(long)]
    pub organization: Option<String>,
    /// The time to look at: 2026-01-31T12:00:00Z, or a date, which means its end in UTC
    #[arg(long, value_parser = parse_end_of_day)]
    pub as_of: Option<DateTime<Utc>>,
    /// The position of the log to look from: what was known then
    #[arg(long)]
    pub at_position: Option<i64>,
    /// How to print
    #[arg(long, default_value = "table")]
    pub format: RegisterFormat,
}

/// How to print an access register.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RegisterFormat {
    /// For the terminal
    Table,
    /// For programs
    Json,
    /// The register that a security team keeps
    Markdown,
    /// For spreadsheets: a line for each person and project
    Csv,
}

/// What was used and what it cost.
#[derive(Args)]
pub(crate) struct CostsArgs {
    /// The organization, by name or id
    #[arg(long)]
    pub organization: String,
    /// What to group by, separated by commas: organization, project, api_key, member,
    /// service_account, end_user, feature, provider, model, service_tier, error_type, a tag such as
    /// tag:team, hour, day, week, month
    #[arg(long, default_value = "feature", value_delimiter = ',')]
    pub by: Vec<String>,
    /// A ready-made report, instead of --by
    #[arg(long, conflicts_with = "by")]
    pub report: Option<ReadyMadeReport>,
    /// From when on: a whole quarter of an hour, or a date, which means its beginning
    #[arg(long)]
    pub from: Option<query_api::costs::Bound>,
    /// Until before when: a whole quarter of an hour, or a date, which means its beginning
    #[arg(long)]
    pub to: Option<query_api::costs::Bound>,
    /// The time zone that days, weeks and months are of: an IANA name such as Europe/Berlin
    #[arg(long, default_value = "UTC")]
    pub time_zone: String,
    /// As known at this time, or at the end of this day (UTC): of what had been recorded by then
    #[arg(long, value_parser = parse_end_of_day)]
    pub as_of: Option<DateTime<Utc>>,
    /// As the log knew it at this position
    #[arg(long)]
    pub at_position: Option<i64>,
    /// How to print
    #[arg(long, default_value = "table")]
    pub format: CostsFormat,
}

/// How to print costs.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CostsFormat {
    /// For the terminal; amounts are rounded to 6 places
    Table,
    /// For programs; amounts have all their digits
    Json,
    /// For spreadsheets; amounts have all their digits
    Csv,
    /// A Parquet file; amounts are decimals
    Parquet,
    /// FOCUS 1.2 as CSV, by day, project, feature, provider and model
    FocusCsv,
    /// FOCUS 1.2 as a Parquet file
    FocusParquet,
}

/// A report that is often asked for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReadyMadeReport {
    /// By week and project
    WeeklyByProject,
    /// By month and organization
    MonthlyByOrganization,
}

/// Who reads reports in plain SQL.
#[derive(Subcommand)]
pub(crate) enum AnalystCommand {
    /// Let a login see an organization; makes the login where it is not there, and prints its password
    Grant(AnalystArgs),
    /// Let a login see an organization no more; drops the login that sees none
    Revoke(AnalystArgs),
    /// Who sees what
    List,
}

/// Whose login, and which organization.
#[derive(Args)]
pub(crate) struct AnalystArgs {
    /// The analyst's login of Postgres
    pub login: String,
    /// The organization, by name or id
    #[arg(long)]
    pub organization: String,
}

/// What was bought, given and used.
#[derive(Args)]
pub(crate) struct BalanceArgs {
    /// The organization, by name or id
    #[arg(long)]
    pub organization: String,
    /// The time to look at: a whole hour, or a date, which means its end in UTC
    #[arg(long, value_parser = parse_end_of_day)]
    pub as_of: Option<DateTime<Utc>>,
    /// As the log knew it at this position
    #[arg(long)]
    pub at_position: Option<i64>,
    /// How to print
    #[arg(long, default_value = "table")]
    pub format: TableOrJson,
}

/// What a balance was, each movement and each day's usage, and what it came to.
#[derive(Args)]
pub(crate) struct StatementArgs {
    /// The organization, by name or id
    #[arg(long)]
    pub organization: String,
    /// In this currency only
    #[arg(long)]
    pub currency: Option<Currency>,
    /// From when on: a whole hour, or a date, which means its beginning in UTC
    #[arg(long, value_parser = parse_time)]
    pub from: Option<DateTime<Utc>>,
    /// Until before when: a whole hour, or a date, which means its beginning in UTC
    #[arg(long, value_parser = parse_time)]
    pub to: Option<DateTime<Utc>>,
    /// What had happened by a whole hour, or by the end of a date in UTC: the statement ends then
    #[arg(long, value_parser = parse_end_of_day)]
    pub as_of: Option<DateTime<Utc>>,
    /// As the log knew it at this position
    #[arg(long)]
    pub at_position: Option<i64>,
    /// How to print
    #[arg(long, default_value = "table")]
    pub format: StatementFormat,
}

/// How to print a statement.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatementFormat {
    /// For the terminal; amounts are rounded
    Table,
    /// For programs; amounts have all their digits
    Json,
    /// For spreadsheets; amounts have all their digits
    Csv,
}

/// How to print.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableOrJson {
    /// For the terminal
    Table,
    /// For programs
    Json,
}

/// Fill a read model anew.
#[derive(Args)]
pub(crate) struct RebuildArgs {
    /// The read model: access_register, access_reviews, audit_log, balances, budgets, cost_per_feature, last_use, oversight or prices
    pub name: String,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Where everything stands.
#[derive(Args)]
pub(crate) struct StatusArgs {
    /// How to print
    #[arg(long, default_value = "table")]
    pub format: TableOrJson,
}

/// Ask a URL.
#[derive(Args)]
pub(crate) struct ProbeArgs {
    /// A plain http URL, such as http://127.0.0.1:8080/readyz
    pub url: String,
}

/// Write the files that are generated from the code.
#[derive(Args)]
pub(crate) struct GenerateArgs {
    /// Write nothing; fail where a file is not what would be written
    #[arg(long)]
    pub check: bool,
}

/// A time, or a date that means its beginning.
fn parse_time(text: &str) -> Result<DateTime<Utc>, String> {
    parse(text, chrono::NaiveTime::MIN)
}

/// A time, or a date that means its end.
fn parse_end_of_day(text: &str) -> Result<DateTime<Utc>, String> {
    let end = chrono::NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999).unwrap_or_default();
    parse(text, end)
}

fn parse(text: &str, time_of_date: chrono::NaiveTime) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    text.parse::<NaiveDate>().map(|date| date.and_time(time_of_date).and_utc()).map_err(|_| {
        "not a time such as 2026-01-31T12:00:00Z, or a date such as 2026-01-31".to_owned()
    })
}
