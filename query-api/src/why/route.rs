//! `GET /v1/organizations/{organization_id}/why`.
#![allow(clippy::large_stack_arrays)] // `IntoParams` makes one of all that can be asked.

use api_conventions::{AsOf, Path, Position, Problem, Query};
use axum::extract::State;
use event_schemas::{
    ApiKeyId, Currency, MemberId, Permission, PriceStatus, ProjectId, ServiceAccountId,
};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{READS, Tags, Why, WhyQuery, WhyUsage, why};
use crate::costs::{Bound, By, Dimension, OfLine, TimeZone};
use crate::parameters::{OrganizationPath, Point, Refusals, from_text, time_or_date};
use crate::snapshot::Rows;
use crate::state::{QueryState, Reflecting};
use crate::viewer::{Viewer, Visible};

/// What is asked about; all that is named is answered.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhyParameters {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// What the log knew at this position.
    #[param(value_type = Option<i64>, minimum = 0)]
    at_position: Option<Position>,
    /// What was true at this time (RFC 3339), or at the end of this day (a date, in UTC); of usage, as
    /// a report of costs, what had been recorded by then.
    #[param(schema_with = time_or_date, required = false, example = "2026-01-31")]
    as_of: Option<AsOf>,
    /// Why this member has what they have; and where they have left, how that took effect. Of usage,
    /// that of this member's keys only.
    #[param(value_type = Option<Uuid>)]
    member_id: Option<MemberId>,
    /// In this project, beside what they have everywhere. Of usage, that of this project only.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    /// Why this is as it is: the id of a key, an invite, a group, a lot or of anything else.
    #[param(value_type = Option<Uuid>, example = "0190a1b2-77aa-7000-8000-00000000005a")]
    subject: Option<Uuid>,
    /// Why the balance in this currency is what it is. Of usage, what is priced in it.
    #[param(value_type = Option<String>, pattern = "^[A-Z]{3}$", example = "USD")]
    currency: Option<Currency>,
    /// Where usage comes from, as a line of a report of costs has it; so it is asked too where one of
    /// the following is named. The member, the project and the currency then say which usage.
    #[param(example = true)]
    usage: Option<bool>,
    /// Usage of this API key only.
    #[param(value_type = Option<Uuid>)]
    api_key_id: Option<ApiKeyId>,
    /// Usage of this service account's keys only.
    #[param(value_type = Option<Uuid>)]
    service_account_id: Option<ServiceAccountId>,
    /// Usage of this user of the customer only.
    end_user: Option<String>,
    /// Usage of this feature only.
    feature: Option<String>,
    /// Usage of this provider only.
    provider: Option<String>,
    /// Usage of this model only.
    model: Option<String>,
    /// Usage of this service tier only.
    #[param(example = "priority")]
    service_tier: Option<String>,
    /// Requests that failed with this only.
    #[param(example = "timeout")]
    error_type: Option<String>,
    /// Usage with these tags only: a JSON object such as `{"team":"red"}`.
    #[param(value_type = Option<String>, example = "{\"team\":\"red\"}")]
    #[serde(default, deserialize_with = "from_text")]
    tags: Option<Tags>,
    /// Usage without any of these, with commas between: `api_key`, member, `service_account`,
    /// `end_user`, feature, `service_tier`, `error_type`, a tag such as `tag:team`. What nobody is named
    /// for is `unattributed` in a report.
    #[param(value_type = Option<String>, example = "end_user,tag:team", pattern = "^(api_key|member|\
        service_account|end_user|feature|service_tier|error_type|\
        tag:[^,\\u0000-\\u001f\\u007f-\\u009f]+)(,(api_key|member|service_account|end_user|feature|\
        service_tier|error_type|tag:[^,\\u0000-\\u001f\\u007f-\\u009f]+))*$")]
    #[serde(default, deserialize_with = "from_text")]
    without: Option<By>,
    /// Usage of which this is known of the price.
    #[param(inline)]
    price_status: Option<PriceStatus>,
    /// Usage from this quarter of an hour on (RFC 3339), or from the start of this day.
    #[param(schema_with = time_or_date, required = false, example = "2026-01-01")]
    #[serde(default, deserialize_with = "from_text")]
    from: Option<Bound>,
    /// Usage up to this quarter of an hour, or the start of this day, which is not part of it.
    #[param(schema_with = time_or_date, required = false, example = "2026-02-01")]
    #[serde(default, deserialize_with = "from_text")]
    to: Option<Bound>,
    /// The time zone that these days are of: an IANA name, UTC where nothing is asked.
    #[param(value_type = Option<String>, example = "Europe/Berlin")]
    #[serde(default, deserialize_with = "from_text")]
    time_zone: Option<TimeZone>,
}

impl WhyParameters {
    fn asks_usage(&self) -> bool {
        let texts = [
            &self.end_user,
            &self.feature,
            &self.provider,
            &self.model,
            &self.service_tier,
            &self.error_type,
        ];
        self.usage == Some(true)
            || self.api_key_id.is_some()
            || self.service_account_id.is_some()
            || texts.iter().any(|text| text.is_some())
            || self.tags.is_some()
            || self.without.is_some()
            || self.price_status.is_some()
            || self.from.is_some()
            || self.to.is_some()
            || self.time_zone.is_some()
    }

    /// What usage is asked about, of what the caller sees of it.
    fn usage(self, visible: Visible) -> WhyUsage {
        let only = [
            (Dimension::Project, self.project_id.map(|id| id.to_string())),
            (Dimension::ApiKey, self.api_key_id.map(|id| id.to_string())),
            (Dimension::Member, self.member_id.map(|id| id.to_string())),
            (Dimension::ServiceAccount, self.service_account_id.map(|id| id.to_string())),
            (Dimension::EndUser, self.end_user),
            (Dimension::Feature, self.feature),
            (Dimension::Provider, self.provider),
            (Dimension::Model, self.model),
            (Dimension::ServiceTier, self.service_tier),
            (Dimension::ErrorType, self.error_type),
        ];
        let only = only.into_iter().filter_map(|(dimension, value)| Some((dimension, value?)));
        WhyUsage {
            only: only.chain(self.tags.map(|Tags(tags)| tags).unwrap_or_default()).collect(),
            without: self.without.map(|By(dimensions)| dimensions).unwrap_or_default(),
            line: OfLine { currency: self.currency, price_status: self.price_status },
            from: self.from,
            to: self.to,
            time_zone: self.time_zone.map_or_else(|| "UTC".to_owned(), |TimeZone(zone)| zone),
            visible,
        }
    }
}

impl Point for WhyParameters {
    fn point(&self) -> (Option<AsOf>, Option<Position>, Option<Position>) {
        (self.as_of, self.at_position, self.min_position)
    }
}

/// From what a register, a balance or a report says to the events behind it: who granted it and why, and
/// who has attested it.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/why", operation_id = "get_why",
    tag = "audit log", params(OrganizationPath, WhyParameters),
    responses((status = 200, body = Why), Refusals))]
pub(crate) async fn get_why(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(parameters): Query<WhyParameters>,
) -> Result<Reflecting<Why>, Problem> {
    viewer.must(Permission::AuditRead)?;
    let asks_usage = parameters.asks_usage();
    if parameters.currency.is_some() && !asks_usage {
        viewer.must(Permission::CreditsRead)?;
    }
    let position_min = parameters.position_min();
    let (subject, temporal) = (parameters.subject, parameters.temporal());
    let query = if asks_usage {
        let visible = viewer.visible(&state, Permission::UsageRead).await?;
        let usage = Some(parameters.usage(visible));
        WhyQuery { subject, usage, temporal, ..WhyQuery::default() }
    } else {
        WhyQuery {
            member_id: parameters.member_id,
            project_id: parameters.project_id,
            subject,
            currency: parameters.currency,
            usage: None,
            temporal,
        }
    };
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, position_min).await?;
    let body = why(&mut snapshot, path.organization_id, &query).await?;
    Ok(Reflecting::new(snapshot.position(), body))
}
