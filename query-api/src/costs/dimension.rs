//! What usage can be grouped by.

use std::fmt;
use std::str::FromStr;

/// What usage can be grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// What the customer's product calls it; empty where it said nothing.
    Feature,
    /// The project.
    Project,
    /// The API key.
    ApiKey,
    /// The member whose key it was.
    Member,
    /// The service account whose key it was.
    ServiceAccount,
    /// Who served the model.
    Provider,
    /// The model.
    Model,
    /// The hour, in UTC.
    Hour,
    /// The day, in UTC.
    Day,
    /// The month, in UTC.
    Month,
}

/// Where a name is looked up by id: the view, its id and its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct NamedBy {
    pub(super) view: &'static str,
    pub(super) id: &'static str,
    pub(super) name: &'static str,
}

impl Dimension {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Feature,
        Self::Project,
        Self::ApiKey,
        Self::Member,
        Self::ServiceAccount,
        Self::Provider,
        Self::Model,
        Self::Hour,
        Self::Day,
        Self::Month,
    ];

    /// Its word, in `by` and as a row's field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Project => "project",
            Self::ApiKey => "api_key",
            Self::Member => "member",
            Self::ServiceAccount => "service_account",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The SQL that rows are grouped by.
    pub(super) const fn grouped(self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Project => "project_id",
            Self::ApiKey => "api_key_id",
            Self::Member => "member_id",
            Self::ServiceAccount => "service_account_id",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Hour => "hour",
            Self::Day => "date_trunc('day', hour, 'UTC')",
            Self::Month => "date_trunc('month', hour, 'UTC')",
        }
    }

    /// The SQL that writes a group's value as text.
    pub(super) fn written(self, column: &str) -> String {
        let pattern = match self {
            Self::Hour => "YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"",
            Self::Day => "YYYY-MM-DD",
            Self::Month => "YYYY-MM",
            _ => return format!("{column}::text"),
        };
        format!("to_char({column} at time zone 'UTC', '{pattern}')")
    }

    /// Where its name is looked up, if it is grouped by an id.
    pub(super) const fn named_by(self) -> Option<NamedBy> {
        let (view, id, name) = match self {
            Self::Project => ("read.projects", "project_id", "name"),
            Self::ApiKey => ("read.api_keys", "api_key_id", "name"),
            Self::Member => ("read.members", "member_id", "login"),
            Self::ServiceAccount => ("read.service_accounts", "service_account_id", "name"),
            Self::Feature | Self::Provider | Self::Model | Self::Hour | Self::Day | Self::Month => {
                return None;
            }
        };
        Some(NamedBy { view, id, name })
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|dimension| dimension.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|dimension| dimension.as_str()).collect();
            format!("'{text}' is not something to group by: it is one of {}", known.join(", "))
        })
    }
}
