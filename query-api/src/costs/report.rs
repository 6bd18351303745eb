//! The report: lines by group, and totals.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use event_schemas::{OrganizationId, PriceStatus};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::dimension::Dimension;
use super::lines::{Line, Stored, Sums, lines};
use super::names;
use super::read::{self, Groups, Values};
use super::span::Bound;
use crate::error::QueryError;
use crate::organizations::{self, OrganizationRef};
use crate::snapshot::{Projection, Snapshot};
use crate::temporal::Temporal;
use crate::viewer::Visible;

/// What costs are read from: the rollup has the sums, the register the names.
pub const READS: &[Projection] = &[Projection::AccessRegister, Projection::CostPerFeature];

/// The most rows of one report.
pub const ROWS_MAX: usize = 100_000;

/// Which report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostsQuery {
    /// Whose.
    pub organization: OrganizationRef,
    /// What to group by, in that order; by nothing gives one row a line.
    pub by: Vec<Dimension>,
    /// Only usage of these values; an id is the value of what has one.
    pub only: Vec<(Dimension, String)>,
    /// Only usage without any of these: nobody said whose it was, or what it was for.
    pub without: Vec<Dimension>,
    /// From when on.
    pub from: Option<Bound>,
    /// Until before when.
    pub to: Option<Bound>,
    /// The zone that days, weeks and months are of.
    pub time_zone: String,
    /// As known then: `as_of` is a time at which the log had learned of something.
    pub temporal: Temporal,
    /// Of what usage.
    pub visible: Visible,
}

impl CostsQuery {
    /// All that the organization used, by these, as it is known now, in UTC.
    pub fn of(organization: OrganizationRef, by: Vec<Dimension>) -> Self {
        Self {
            organization,
            by,
            only: Vec::new(),
            without: Vec::new(),
            from: None,
            to: None,
            time_zone: "UTC".to_owned(),
            temporal: Temporal::NOW,
            visible: Visible::All,
        }
    }
}

/// Usage and its cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostReport {
    /// The organization.
    #[schema(value_type = Uuid)]
    pub organization_id: OrganizationId,
    /// Its name.
    pub organization: String,
    /// From when on.
    pub from: Option<DateTime<Utc>>,
    /// Until before when.
    pub to: Option<DateTime<Utc>>,
    /// The zone that days, weeks and months are of.
    pub time_zone: String,
    /// As the log knew it at this time; null where it was not asked for.
    pub as_of: Option<DateTime<Utc>>,
    /// As the log knew it at this position; null where it was not asked for.
    pub at_position: Option<i64>,
    /// The position of the log that this reflects.
    pub position: i64,
    /// By group, then by line.
    pub rows: Vec<CostRow>,
    /// Over all rows, by line. Together they are all that was recorded.
    pub totals: Vec<CostTotal>,
}

/// One group's usage that is priced in one currency, or that is unpriced, or not billed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostRow {
    /// The group: a field for each dimension.
    #[serde(flatten)]
    #[schema(value_type = GroupSchema)]
    pub group: Group,
    /// The sums.
    #[serde(flatten)]
    pub sums: Sums,
    /// The currency; null where the usage has no price.
    pub currency: Option<String>,
    /// Whether a price was known. `not_billed`: the requests failed and used nothing.
    pub price_status: PriceStatus,
    /// Whether the usage is attributed to nothing in one of the dimensions that say whose it was or
    /// what it was for.
    pub unattributed: bool,
}

/// All rows of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostTotal {
    /// The currency; null as in a row.
    pub currency: Option<String>,
    /// As in a row.
    pub price_status: PriceStatus,
    /// The sums.
    #[serde(flatten)]
    pub sums: Sums,
}

/// A group's fields and values, in the order asked for: each dimension by its name, then, where it
/// has one, its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(pub Vec<(Cow<'static, str>, Option<String>)>);

impl Group {
    /// What a field says.
    pub(super) fn get(&self, field: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| name == field);
        found.and_then(|(_, value)| value.as_deref())
    }
}

impl Serialize for Group {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, value) in &self.0 {
            map.serialize_entry(field, value)?;
        }
        map.end()
    }
}

/// The fields of a group: those that were asked for are there, and null where the usage has none. A
/// tag is a field such as `tag:team`.
#[derive(ToSchema)]
#[allow(dead_code)] // Never built: it describes what `Group` writes.
pub(super) struct GroupSchema {
    /// The organization's name.
    organization: Option<String>,
    /// The organization.
    organization_id: Option<Uuid>,
    /// The project's name.
    project: Option<String>,
    /// The project.
    project_id: Option<Uuid>,
    /// The API key's name.
    api_key: Option<String>,
    /// The API key.
    api_key_id: Option<Uuid>,
    /// The member's login.
    member: Option<String>,
    /// The member.
    member_id: Option<Uuid>,
    /// The service account's name.
    service_account: Option<String>,
    /// The service account.
    service_account_id: Option<Uuid>,
    /// The customer's own user.
    end_user: Option<String>,
    /// What the customer's product calls it; empty where it said nothing.
    feature: Option<String>,
    /// Who served the model.
    provider: Option<String>,
    /// The model.
    model: Option<String>,
    /// The service tier; null for the plain one.
    service_tier: Option<String>,
    /// Why the requests failed; null where they did not.
    error_type: Option<String>,
    /// When the hour begins, in UTC, such as `2026-01-31T13:00:00Z`.
    hour: Option<String>,
    /// The day, such as `2026-01-31`.
    day: Option<String>,
    /// The Monday of the week, such as `2026-01-26`.
    week: Option<String>,
    /// The month, such as `2026-01`.
    month: Option<String>,
}

/// What was used and what it cost. Sums are exact.
pub async fn costs(snapshot: &mut Snapshot, query: &CostsQuery) -> Result<CostReport, QueryError> {
    let distinct: BTreeSet<_> = query.by.iter().collect();
    if distinct.len() < query.by.len() {
        return Err(QueryError::invalid("by", "the same is named twice"));
    }
    let (organization_id, organization) =
        organizations::find(snapshot, &query.organization).await?;
    let read::Found { groups, from, to } = read::groups(snapshot, organization_id, query).await?;
    let mut rows = Vec::with_capacity(groups.len());
    let mut totals: BTreeMap<Line, Sums> = BTreeMap::new();
    for (group, unattributed, by_currency) in
        named(snapshot, organization_id, &query.by, groups).await?
    {
        for (currency, stored) in by_currency {
            for (line, sums) in lines(currency, stored) {
                let total = totals.entry(line.clone()).or_default();
                *total = total.checked_add(&sums).ok_or_else(too_large)?;
                rows.push(CostRow {
                    group: group.clone(),
                    sums,
                    price_status: line.price_status,
                    currency: line.currency,
                    unattributed,
                });
            }
        }
    }
    rows.sort_by(|one: &CostRow, two| {
        let line = |row: &CostRow| (row.price_status, row.currency.clone());
        one.group.cmp(&two.group).then_with(|| line(one).cmp(&line(two)))
    });
    let totals = totals.into_iter().map(|(line, sums)| CostTotal {
        price_status: line.price_status,
        currency: line.currency,
        sums,
    });
    Ok(CostReport {
        organization_id,
        organization,
        from,
        to,
        time_zone: query.time_zone.clone(),
        as_of: query.temporal.as_of,
        at_position: query.temporal.at_position,
        position: snapshot.position(),
        rows,
        totals: totals.collect(),
    })
}

fn too_large() -> QueryError {
    QueryError::unreadable("a sum is too large to be written")
}

type NamedGroup = (Group, bool, BTreeMap<Option<String>, Stored>);

/// Gives ids their names, and says what is unattributed.
async fn named(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    by: &[Dimension],
    groups: Groups,
) -> Result<Vec<NamedGroup>, QueryError> {
    let mut names = Vec::with_capacity(by.len());
    for (index, dimension) in by.iter().enumerate() {
        let known = match dimension.named_by() {
            Some(named_by) => {
                let ids: BTreeSet<&str> =
                    groups.keys().filter_map(|values| values[index].as_deref()).collect();
                let ids: Result<Vec<Uuid>, _> = ids.iter().map(|id| id.parse()).collect();
                let ids = ids.map_err(QueryError::unreadable)?;
                let known = names::latest(snapshot, organization_id, named_by, ids).await?;
                let known = known.into_iter().map(|(id, name)| (id.to_string(), name));
                Some((named_by.id, known.collect::<BTreeMap<_, _>>()))
            }
            None => None,
        };
        names.push(known);
    }
    let group = |values: Values| {
        let mut fields = Vec::with_capacity(2 * values.len());
        for ((dimension, known), value) in by.iter().zip(&names).zip(values) {
            match known {
                None => fields.push((dimension.word(), value)),
                Some((id_field, known)) => {
                    let name = value.as_ref().and_then(|id| known.get(id).cloned());
                    fields.push((dimension.word(), name));
                    fields.push((Cow::Borrowed(*id_field), value));
                }
            }
        }
        Group(fields)
    };
    let unattributed = |values: &Values| {
        let nobody = |value: &Option<String>| value.as_deref().unwrap_or_default().is_empty();
        by.iter().zip(values).any(|(dimension, value)| dimension.attributes() && nobody(value))
    };
    Ok(groups
        .into_iter()
        .map(|(values, sums)| {
            let unattributed = unattributed(&values);
            (group(values), unattributed, sums)
        })
        .collect())
}
