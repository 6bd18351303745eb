//! The arguments of what auditors ask. Its doc comments are what `--help` prints, so they have no
//! Markdown.
#![allow(clippy::doc_markdown)]

use std::str::FromStr;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use event_schemas::{Currency, PriceStatus, ProjectId};
use query_api::audit_log::{Actions, ActorText, Outcome, Targets};
use uuid::Uuid;

use super::{parse_end_of_day, parse_time};

/// Every event of an organization.
#[derive(Args)]
pub(crate) struct AuditLogArgs {
    /// The organization, by name or id
    #[arg(long)]
    pub organization: String,
    /// Of these types, with commas between: member.added, or all of a noun, member.*; refusals also by
    /// the command, members.add
    #[arg(long = "type", value_name = "TYPES")]
    pub actions: Option<Actions>,
    /// By this actor: member:ID, operator:NAME, external:NAME, system:NAME
    #[arg(long)]
    pub actor: Option<ActorText>,
    /// About these, by id, with commas between: members, projects, keys, lots, anything
    #[arg(long, value_name = "IDS")]
    pub target: Option<Targets>,
    /// In this project, by id
    #[arg(long)]
    pub project: Option<ProjectId>,
    /// done or refused
    #[arg(long, value_parser = outcome)]
    pub outcome: Option<Outcome>,
    /// Of this request
    #[arg(long)]
    pub request_id: Option<String>,
    /// What happened from then on: a time, or a date, which means its beginning in UTC
    #[arg(long, value_parser = parse_time)]
    pub from: Option<DateTime<Utc>>,
    /// What happened before then
    #[arg(long, value_parser = parse_time)]
    pub to: Option<DateTime<Utc>>,
    /// What was recorded from then on
    #[arg(long, value_parser = parse_time)]
    pub recorded_from: Option<DateTime<Utc>>,
    /// What was recorded before then
    #[arg(long, value_parser = parse_time)]
    pub recorded_to: Option<DateTime<Utc>>,
    /// From this position of the log on
    #[arg(long)]
    pub from_position: Option<i64>,
    /// Up to this position of the log
    #[arg(long)]
    pub at_position: Option<i64>,
    /// The latest first
    #[arg(long)]
    pub newest_first: bool,
    /// At most so many lines; without it, all
    #[arg(long)]
    pub limit: Option<usize>,
    /// How to print
    #[arg(long, default_value = "table")]
    pub format: AuditFormat,
}

fn outcome(text: &str) -> Result<Outcome, String> {
    match text {
        "done" => Ok(Outcome::Done),
        "refused" => Ok(Outcome::Refused),
        other => Err(format!("'{other}' is neither done nor refused")),
    }
}

/// How to print an audit log.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// For the terminal
    Table,
    /// For programs: one document
    Json,
    /// For programs: an object a line
    Ndjson,
    /// For spreadsheets
    Csv,
    /// For a SIEM: an event of OCSF 1.3 a line
    Ocsf,
}

/// What changed between two dates.
#[derive(Args)]
pub(crate) struct DiffArgs {
    /// The organization, by name or id
    #[arg(long)]
    pub organization: String,
    /// From what was true at this time: a time, or a date, which means its end in UTC; without it, from
    /// before there was anything
    #[arg(long, value_parser = parse_end_of_day)]
    pub from: Option<DateTime<Utc>>,
    /// To what was true at this time; without it, to what is true
    #[arg(long, value_parser = parse_end_of_day)]
    pub to: Option<DateTime<Utc>>,
    /// As the log knew it at this position
    #[arg(long)]
    pub at_position: Option<i64>,
    /// Leave out what is the same at both times; of what changed more than once, only how it was and is
    #[arg(long)]
    pub net: bool,
    /// How to print
    #[arg(long, default_value = "table")]
    pub format: DiffFormat,
}

/// How to print a diff.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// For the terminal
    Table,
    /// For programs
    Json,
    /// For a report
    Markdown,
}

/// From what is so to the events behind it.
#[derive(Args)]
pub(crate) struct WhyArgs {
    /// The organization, by name or id
    #[arg(long)]
    pub organization: String,
    /// Why this member has what they have, by login or id; of one who has left, also how that took
    /// effect. Of usage, that of their keys
    #[arg(long)]
    pub member: Option<String>,
    /// In this project, by name or id, beside what they have everywhere. Of usage, that of this project
    #[arg(long)]
    pub project: Option<String>,
    /// Why this thing is as it is, by id: a key, an invite, a group, a lot
    #[arg(long)]
    pub subject: Option<Uuid>,
    /// Why the balance in this currency is what it is. Of usage, what is priced in it
    #[arg(long)]
    pub currency: Option<Currency>,
    /// What this event came from and what it brought about, by its id or its position
    #[arg(long, conflicts_with_all = ["member", "project", "subject", "currency", "usage"])]
    pub event: Option<String>,
    /// When: a time, or a date, which means its end in UTC. Of usage, what had been recorded by then
    #[arg(long, value_parser = parse_end_of_day)]
    pub as_of: Option<DateTime<Utc>>,
    #[command(flatten)]
    pub of_usage: WhyUsageArgs,
    /// As the log knew it at this position
    #[arg(long)]
    pub at_position: Option<i64>,
    /// How to print
    #[arg(long, default_value = "table")]
    pub format: super::TableOrJson,
}

/// Which line of a report of costs. The member, the project and the currency count, too.
#[derive(Args)]
#[command(next_help_heading = "Where usage comes from, as a line of a report of costs has it")]
pub(crate) struct WhyUsageArgs {
    /// Where usage comes from; so it is asked too where one of the following is named
    #[arg(long)]
    pub usage: bool,
    /// Usage of this API key, by name or id
    #[arg(long, conflicts_with = "event")]
    pub api_key: Option<String>,
    /// Usage of this service account's keys, by name or id
    #[arg(long, conflicts_with = "event")]
    pub service_account: Option<String>,
    /// Usage of this user of the customer
    #[arg(long, conflicts_with = "event")]
    pub end_user: Option<String>,
    /// Usage of this feature
    #[arg(long, conflicts_with = "event")]
    pub feature: Option<String>,
    /// Usage of this provider
    #[arg(long, conflicts_with = "event")]
    pub provider: Option<String>,
    /// Usage of this model
    #[arg(long, conflicts_with = "event")]
    pub model: Option<String>,
    /// Usage of this service tier
    #[arg(long, conflicts_with = "event")]
    pub service_tier: Option<String>,
    /// Requests that failed with this
    #[arg(long, conflicts_with = "event")]
    pub error_type: Option<String>,
    /// Usage with this tag, such as team=red; may be given several times
    #[arg(long, value_name = "TAG=VALUE", conflicts_with = "event")]
    pub tag: Vec<String>,
    /// Usage without any of these, with commas between: api_key, member, service_account, end_user,
    /// feature, service_tier, error_type, a tag such as tag:team
    #[arg(long, value_delimiter = ',', conflicts_with = "event")]
    pub without: Vec<String>,
    /// Usage of which this is known of the price: priced, unpriced or not_billed
    #[arg(long, conflicts_with = "event")]
    pub price_status: Option<PriceStatus>,
    /// Usage from when on: a whole quarter of an hour, or a date, which means its beginning
    #[arg(long, conflicts_with = "event")]
    pub from: Option<query_api::costs::Bound>,
    /// Usage until before when: a whole quarter of an hour, or a date, which means its beginning
    #[arg(long, conflicts_with = "event")]
    pub to: Option<query_api::costs::Bound>,
    /// The time zone that these days are of: an IANA name such as Europe/Berlin
    #[arg(long, conflicts_with = "event")]
    pub time_zone: Option<String>,
}

impl WhyUsageArgs {
    /// Whether one of them is given.
    pub(crate) fn are_given(&self) -> bool {
        let texts = [
            &self.api_key,
            &self.service_account,
            &self.end_user,
            &self.feature,
            &self.provider,
            &self.model,
            &self.service_tier,
            &self.error_type,
            &self.time_zone,
        ];
        self.usage
            || texts.iter().any(|text| text.is_some())
            || !self.tag.is_empty()
            || !self.without.is_empty()
            || self.price_status.is_some()
            || self.from.is_some()
            || self.to.is_some()
    }
}

/// Fold history again from the first event.
#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// Up to this position, or to what the log had at this time (a date means its end in UTC); without
    /// it, to where each live read model stands
    #[arg(long, value_name = "POSITION|TIME")]
    pub to: Option<Moment>,
    /// These read models alone, with commas between
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub only: Vec<String>,
    /// Walk event by event, and show what each changes; on a terminal, return goes on
    #[arg(long)]
    pub step: bool,
    /// With --step, walk from this position on; what is before is folded at once
    #[arg(long, requires = "step")]
    pub from: Option<i64>,
    /// Show the rows of this organization, by name or id, as they are at the end
    #[arg(long)]
    pub organization: Option<String>,
    /// How to print
    #[arg(long, default_value = "table")]
    pub format: ReplayFormat,
}

/// How to print a replay.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplayFormat {
    /// For the terminal
    Table,
    /// For programs
    Json,
}

/// A position of the log, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A position.
    Position(i64),
    /// What the log had then.
    Time(DateTime<Utc>),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(position @ 0..) => Ok(Self::Position(position)),
            Ok(_) => Err("a position is 0 or above".to_owned()),
            Err(_) => parse_end_of_day(text).map(Self::Time),
        }
    }
}
