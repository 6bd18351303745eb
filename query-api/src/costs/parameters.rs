//! What can be asked of a report over HTTP.

use std::str::FromStr;

use api_conventions::{AsOf, Position, Problem};
use event_schemas::{ApiKeyId, MemberId, ProjectId, ServiceAccountId};
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};

use super::dimension::Dimension;
use super::focus::FOCUS_BY;
use super::report::CostsQuery;
use super::span::{Bound, time_zone};
use crate::organizations::OrganizationRef;
use crate::parameters::time_or_date;
use crate::temporal::Temporal;
use crate::viewer::Visible;

fn from_text<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err = String>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// `feature,project`.
#[derive(Debug, Clone)]
pub(crate) struct By(pub(crate) Vec<Dimension>);

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// The name of a time zone.
#[derive(Debug, Clone)]
pub(crate) struct TimeZone(pub(crate) String);

impl FromStr for TimeZone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        time_zone(text).map(Self)
    }
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CostFormat {
    /// JSON.
    #[default]
    Json,
    /// CSV with a header.
    Csv,
    /// A Parquet file.
    Parquet,
    /// FOCUS 1.2 as CSV, by day (UTC), project, feature, provider and model.
    FocusCsv,
    /// The same as a Parquet file.
    FocusParquet,
}

impl CostFormat {
    fn is_focus(self) -> bool {
        matches!(self, Self::FocusCsv | Self::FocusParquet)
    }
}

/// A report that is often asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadyMade {
    /// By week and project.
    WeeklyByProject,
    /// By month and organization.
    MonthlyByOrganization,
}

impl ReadyMade {
    /// What it is grouped by.
    pub fn by(self) -> Vec<Dimension> {
        match self {
            Self::WeeklyByProject => vec![Dimension::Week, Dimension::Project],
            Self::MonthlyByOrganization => vec![Dimension::Month, Dimension::Organization],
        }
    }
}

/// Which report.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CostsParameters {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    pub(super) min_position: Option<Position>,
    /// The report as the log knew it at this position.
    #[param(value_type = Option<i64>, minimum = 0)]
    pub(super) at_position: Option<Position>,
    /// The report as it was known at this time (RFC 3339), or at the end of this day (UTC): of what
    /// had been recorded by then, whenever it happened.
    #[param(schema_with = time_or_date, required = false, example = "2026-01-31")]
    as_of: Option<AsOf>,
    /// A ready-made report, instead of `by`.
    #[param(inline)]
    report: Option<ReadyMade>,
    /// What to group by, with commas between: feature (where nothing is asked), organization,
    /// project, `api_key`, member, `service_account`, `end_user`, provider, model, `service_tier`,
    /// `error_type`, a tag such as `tag:team`, hour, day, week (from Monday), month.
    #[param(value_type = Option<String>, example = "feature,model", pattern = "^(feature|organization|\
        project|api_key|member|service_account|end_user|provider|model|service_tier|error_type|hour|\
        day|week|month|tag:[^,\\u0000-\\u001f\\u007f-\\u009f]+)(,(feature|organization|project|\
        api_key|member|service_account|end_user|provider|model|service_tier|error_type|hour|day|week|\
        month|tag:[^,\\u0000-\\u001f\\u007f-\\u009f]+))*$")]
    #[serde(default, deserialize_with = "from_text")]
    by: Option<By>,
    /// From this quarter of an hour on (RFC 3339), or from the start of this day.
    #[param(schema_with = time_or_date, required = false, example = "2026-01-01")]
    #[serde(default, deserialize_with = "from_text")]
    from: Option<Bound>,
    /// Up to this quarter of an hour, or the start of this day, which is not part of it.
    #[param(schema_with = time_or_date, required = false, example = "2026-02-01")]
    #[serde(default, deserialize_with = "from_text")]
    to: Option<Bound>,
    /// The time zone that days, weeks and months are of: an IANA name, UTC where nothing is asked.
    #[param(value_type = Option<String>, example = "Europe/Berlin")]
    #[serde(default, deserialize_with = "from_text")]
    time_zone: Option<TimeZone>,
    /// Of this project only.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    /// Of this API key only.
    #[param(value_type = Option<Uuid>)]
    api_key_id: Option<ApiKeyId>,
    /// Of this member's keys only.
    #[param(value_type = Option<Uuid>)]
    member_id: Option<MemberId>,
    /// Of this service account's keys only.
    #[param(value_type = Option<Uuid>)]
    service_account_id: Option<ServiceAccountId>,
    /// Of this user of the customer only.
    end_user: Option<String>,
    /// Of this feature only.
    feature: Option<String>,
    /// Of this provider only.
    provider: Option<String>,
    /// Of this model only.
    model: Option<String>,
    /// How to write it.
    #[param(inline)]
    pub(super) format: Option<CostFormat>,
}

impl CostsParameters {
    /// The report that is asked for.
    pub(super) fn query(
        self,
        organization: OrganizationRef,
        visible: Visible,
    ) -> Result<CostsQuery, Problem> {
        let format = self.format.unwrap_or_default();
        let by = match (self.report, self.by) {
            (Some(_), Some(_)) => {
                return Err(Problem::invalid("report", "it says what to group by already"));
            }
            (None, Some(_)) if format.is_focus() => {
                let why = "a FOCUS export says what it is grouped by already";
                return Err(Problem::invalid("by", why));
            }
            (Some(_), None) if format.is_focus() => {
                let why = "a FOCUS export is a report of its own";
                return Err(Problem::invalid("report", why));
            }
            (Some(report), None) => report.by(),
            (None, Some(By(by))) => by,
            (None, None) if format.is_focus() => FOCUS_BY.to_vec(),
            (None, None) => vec![Dimension::Feature],
        };
        let time_zone = self.time_zone.map_or_else(|| "UTC".to_owned(), |TimeZone(zone)| zone);
        if format.is_focus() && time_zone != "UTC" {
            return Err(Problem::invalid("time_zone", "a FOCUS export is in UTC"));
        }
        let only = [
            (Dimension::Project, self.project_id.map(|id| id.to_string())),
            (Dimension::ApiKey, self.api_key_id.map(|id| id.to_string())),
            (Dimension::Member, self.member_id.map(|id| id.to_string())),
            (Dimension::ServiceAccount, self.service_account_id.map(|id| id.to_string())),
            (Dimension::EndUser, self.end_user),
            (Dimension::Feature, self.feature),
            (Dimension::Provider, self.provider),
            (Dimension::Model, self.model),
        ];
        let only = only.into_iter().filter_map(|(dimension, value)| Some((dimension, value?)));
        Ok(CostsQuery {
            organization,
            by,
            only: only.collect(),
            without: Vec::new(),
            from: self.from,
            to: self.to,
            time_zone,
            temporal: Temporal::new(self.as_of, self.at_position),
            visible,
        })
    }
}
