//! What usage can be grouped by.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::reading::Reading;

/// How a tag is named: `tag:team`.
const TAG: &str = "tag:";

/// What usage can be grouped by.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// The organization.
    Organization,
    /// The project.
    Project,
    /// The API key.
    ApiKey,
    /// The member whose key it was.
    Member,
    /// The service account whose key it was.
    ServiceAccount,
    /// The customer's own user.
    EndUser,
    /// What the customer's product calls it; empty where it said nothing.
    Feature,
    /// Who served the model.
    Provider,
    /// The model.
    Model,
    /// The service tier in the provider's words; null for the plain one.
    ServiceTier,
    /// Why requests failed; null where they did not.
    ErrorType,
    /// What one of the customer's own labels says.
    Tag(String),
    /// The hour.
    Hour,
    /// The day, in the report's time zone.
    Day,
    /// The week, which begins on a Monday, in the report's time zone.
    Week,
    /// The month, in the report's time zone.
    Month,
}

/// Where a name is looked up by id: the view, its id and its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NamedBy {
    pub(super) view: &'static str,
    pub(super) id: &'static str,
    pub(super) name: &'static str,
}

impl Dimension {
    /// All of them but tags, which are the customer's own.
    pub const ALL: &'static [Self] = &[
        Self::Organization,
        Self::Project,
        Self::ApiKey,
        Self::Member,
        Self::ServiceAccount,
        Self::EndUser,
        Self::Feature,
        Self::Provider,
        Self::Model,
        Self::ServiceTier,
        Self::ErrorType,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
    ];

    /// Its word, in `by` and as a row's field.
    pub fn word(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Organization => "organization",
            Self::Project => "project",
            Self::ApiKey => "api_key",
            Self::Member => "member",
            Self::ServiceAccount => "service_account",
            Self::EndUser => "end_user",
            Self::Feature => "feature",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::ServiceTier => "service_tier",
            Self::ErrorType => "error_type",
            Self::Tag(tag) => return Cow::Owned(format!("{TAG}{tag}")),
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        })
    }

    /// The SQL that rows are grouped by, where `time` is the column of when it happened.
    pub(super) fn grouped(&self, time: &str, time_zone: &str) -> String {
        let column = match self {
            Self::Organization => "organization_id",
            Self::Project => "project_id",
            Self::ApiKey => "api_key_id",
            Self::Member => "member_id",
            Self::ServiceAccount => "service_account_id",
            Self::EndUser => "end_user",
            Self::Feature => "feature",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::ServiceTier => "service_tier",
            Self::ErrorType => "error_type",
            Self::Tag(tag) => return format!("tags ->> '{}'", tag.replace('\'', "''")),
            Self::Hour | Self::Day | Self::Week | Self::Month => {
                return format!("date_trunc('{}', {time}, '{time_zone}')", self.word());
            }
        };
        column.to_owned()
    }

    /// The SQL that writes a group's value as text. An hour is written in UTC: in the local one there
    /// are two of the same name when the clocks go back.
    pub(super) fn written(&self, column: &str, time_zone: &str) -> String {
        match self {
            Self::Hour => {
                format!("to_char({column} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
            }
            Self::Day | Self::Week => {
                format!("to_char({column} at time zone '{time_zone}', 'YYYY-MM-DD')")
            }
            Self::Month => format!("to_char({column} at time zone '{time_zone}', 'YYYY-MM')"),
            Self::Organization
            | Self::Project
            | Self::ApiKey
            | Self::Member
            | Self::ServiceAccount
            | Self::EndUser
            | Self::Feature
            | Self::Provider
            | Self::Model
            | Self::ServiceTier
            | Self::ErrorType
            | Self::Tag(_) => format!("{column}::text"),
        }
    }

    /// Where its name is looked up, if it is grouped by an id.
    pub(crate) fn named_by(&self) -> Option<NamedBy> {
        let (view, id, name) = match self {
            Self::Organization => ("read.organizations", "organization_id", "name"),
            Self::Project => ("read.projects", "project_id", "name"),
            Self::ApiKey => ("read.api_keys", "api_key_id", "name"),
            Self::Member => ("read.members", "member_id", "login"),
            Self::ServiceAccount => ("read.service_accounts", "service_account_id", "name"),
            Self::EndUser
            | Self::Feature
            | Self::Provider
            | Self::Model
            | Self::ServiceTier
            | Self::ErrorType
            | Self::Tag(_)
            | Self::Hour
            | Self::Day
            | Self::Week
            | Self::Month => return None,
        };
        Some(NamedBy { view, id, name })
    }

    /// The coarsest of what is kept that has it.
    pub(super) fn coarsest(&self) -> Reading {
        match self {
            Self::Organization
            | Self::Project
            | Self::Feature
            | Self::Hour
            | Self::Day
            | Self::Week
            | Self::Month => Reading::ByFeature,
            Self::Provider | Self::Model => Reading::Hourly,
            Self::ApiKey | Self::Member | Self::ServiceAccount => Reading::QuarterHourly,
            Self::EndUser | Self::ServiceTier | Self::ErrorType | Self::Tag(_) => Reading::Records,
        }
    }

    /// Whether there is usage without it.
    pub fn may_be_absent(&self) -> bool {
        matches!(self, Self::ServiceTier | Self::ErrorType) || self.attributes()
    }

    /// Whether usage without it is unattributed: nobody said whose it was, or what it was for.
    pub(super) fn attributes(&self) -> bool {
        match self {
            Self::ApiKey
            | Self::Member
            | Self::ServiceAccount
            | Self::EndUser
            | Self::Feature
            | Self::Tag(_) => true,
            Self::Organization
            | Self::Project
            | Self::Provider
            | Self::Model
            | Self::ServiceTier
            | Self::ErrorType
            | Self::Hour
            | Self::Day
            | Self::Week
            | Self::Month => false,
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.word())
    }
}

impl FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(tag) = text.strip_prefix(TAG)
            && !tag.is_empty()
            && !tag.contains(char::is_control)
        {
            return Ok(Self::Tag(tag.to_owned()));
        }
        Self::ALL.iter().find(|dimension| dimension.word() == text).cloned().ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(Self::word).collect();
            format!(
                "'{text}' is not something to group by: it is one of {}, or a tag such as \
                 {TAG}team",
                known.join(", ")
            )
        })
    }
}
