//! The report: rows by group and currency, and totals.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use event_schemas::OrganizationId;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row as _};
use utoipa::ToSchema;
use uuid::Uuid;

use super::dimension::Dimension;
use super::fold::{Sums, fold_unpriced};
use super::names;
use crate::balances::amount;
use crate::error::QueryError;
use crate::organizations::{self, OrganizationRef};
use crate::snapshot::{Projection, Snapshot};
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
    /// What to group by, in that order; by nothing gives one row a currency.
    pub by: Vec<Dimension>,
    /// From this whole hour on.
    pub from: Option<DateTime<Utc>>,
    /// Up to this whole hour, which is not part of it.
    pub to: Option<DateTime<Utc>>,
    /// Of what usage.
    pub visible: Visible,
}

/// Usage and its cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostReport {
    /// The organization.
    #[schema(value_type = Uuid)]
    pub organization_id: OrganizationId,
    /// Its name.
    pub organization: String,
    /// From this hour on.
    pub from: Option<DateTime<Utc>>,
    /// Up to this hour, which is not part of it.
    pub to: Option<DateTime<Utc>>,
    /// The position of the log that this reflects.
    pub position: i64,
    /// By group, then by currency.
    pub rows: Vec<CostRow>,
    /// Over all rows, by currency.
    pub totals: Vec<CostTotal>,
}

/// One group in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostRow {
    /// The group: a field for each dimension.
    #[serde(flatten)]
    #[schema(value_type = GroupSchema)]
    pub group: Group,
    /// The sums.
    #[serde(flatten)]
    pub sums: Sums,
    /// The currency; null where nothing is priced, or where the group has several currencies and
    /// this is its unpriced usage.
    pub currency: Option<String>,
}

/// All rows of one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CostTotal {
    /// The currency; null as in a row.
    pub currency: Option<String>,
    /// The sums.
    #[serde(flatten)]
    pub sums: Sums,
}

/// A group's fields and values, in the order asked for: each dimension by its name, then, where it
/// has one, its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(pub Vec<(&'static str, Option<String>)>);

impl Serialize for Group {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, value) in &self.0 {
            map.serialize_entry(field, value)?;
        }
        map.end()
    }
}

/// The fields of a group: those that were asked for are there, and null where the usage has none.
#[derive(ToSchema)]
#[allow(dead_code)] // Never built: it describes what `Group` writes.
pub(super) struct GroupSchema {
    /// What the customer's product calls it; empty where it said nothing.
    feature: Option<String>,
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
    /// Who served the model.
    provider: Option<String>,
    /// The model.
    model: Option<String>,
    /// The hour, such as `2026-01-31T13:00:00Z`.
    hour: Option<String>,
    /// The day, such as `2026-01-31`.
    day: Option<String>,
    /// The month, such as `2026-01`.
    month: Option<String>,
}

/// A group's values as they are stored, one for each dimension.
type Values = Vec<Option<String>>;
type ByCurrency = BTreeMap<Option<String>, Sums>;

/// What was used and what it cost. Sums are exact.
pub async fn costs(snapshot: &mut Snapshot, query: &CostsQuery) -> Result<CostReport, QueryError> {
    check(query)?;
    let (organization_id, organization) =
        organizations::find(snapshot, &query.organization).await?;
    let groups = groups(snapshot, organization_id, query).await?;
    let totals = totals(&groups)?;
    let mut rows = Vec::with_capacity(groups.len());
    for (group, by_currency) in named(snapshot, organization_id, &query.by, groups).await? {
        for (currency, sums) in fold_unpriced(by_currency).ok_or_else(too_large)? {
            rows.push(CostRow { group: group.clone(), sums, currency });
        }
    }
    rows.sort_by(|one, two| (&one.group, &one.currency).cmp(&(&two.group, &two.currency)));
    Ok(CostReport {
        organization_id,
        organization,
        from: query.from,
        to: query.to,
        position: snapshot.position(),
        rows,
        totals,
    })
}

fn too_large() -> QueryError {
    QueryError::unreadable("a sum is too large to be written")
}

fn check(query: &CostsQuery) -> Result<(), QueryError> {
    let distinct: BTreeSet<_> = query.by.iter().collect();
    if distinct.len() < query.by.len() {
        return Err(QueryError::invalid("by", "the same is named twice"));
    }
    for (field, time) in [("from", query.from), ("to", query.to)] {
        let is_whole_hour = |time: DateTime<Utc>| {
            time.timestamp() % 3_600 == 0 && time.timestamp_subsec_nanos() == 0
        };
        if !time.is_none_or(is_whole_hour) {
            let why = "usage is kept by the hour: give a whole hour, such as 2026-01-31T13:00:00Z";
            return Err(QueryError::invalid(field, why));
        }
    }
    match (query.from, query.to) {
        (Some(from), Some(to)) if from >= to => {
            Err(QueryError::invalid("to", "it must be after from"))
        }
        _ => Ok(()),
    }
}

/// Sums by group and currency, as they are stored.
async fn groups(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    query: &CostsQuery,
) -> Result<BTreeMap<Values, ByCurrency>, QueryError> {
    let mut statement = statement(organization_id, query);
    let rows = statement.build().fetch_all(snapshot.connection()).await?;
    if rows.len() > ROWS_MAX {
        return Err(QueryError::TooManyRows { rows_max: ROWS_MAX });
    }
    let mut groups: BTreeMap<Values, ByCurrency> = BTreeMap::new();
    for row in &rows {
        let values = (0..query.by.len()).map(|index| row.try_get(index));
        let values = values.collect::<Result<Values, _>>()?;
        groups.entry(values).or_default().insert(row.try_get("currency")?, sums(row)?);
    }
    Ok(groups)
}

fn statement(
    organization_id: OrganizationId,
    query: &CostsQuery,
) -> QueryBuilder<'static, Postgres> {
    let columns = |write: &dyn Fn(usize, Dimension) -> String| -> String {
        query.by.iter().enumerate().map(|(index, by)| write(index, *by) + ", ").collect()
    };
    let written = columns(&|index, by| by.written(&format!("d{index}")));
    let selected = columns(&|index, by| format!("{} as d{index}", by.grouped()));
    let grouped = columns(&|index, _| format!("d{index}"));
    let mut statement = QueryBuilder::new(format!(
        "select {written} currency, requests, input_tokens, cached_input_tokens,
             cache_write_tokens, output_tokens, reasoning_tokens, cost, unpriced_requests
         from (
             select {selected} currency,
                 sum(requests)::bigint as requests,
                 sum(input_tokens)::bigint as input_tokens,
                 sum(cached_input_tokens)::bigint as cached_input_tokens,
                 sum(cache_write_tokens)::bigint as cache_write_tokens,
                 sum(output_tokens)::bigint as output_tokens,
                 sum(reasoning_tokens)::bigint as reasoning_tokens,
                 sum(cost)::text as cost,
                 sum(unpriced_requests)::bigint as unpriced_requests
             from read.usage_hourly where organization_id = "
    ));
    statement.push_bind(organization_id.0);
    query.visible.push(&mut statement, Some("project_id"), Some("member_id"));
    if let Some(from) = query.from {
        statement.push(" and hour >= ").push_bind(from);
    }
    if let Some(to) = query.to {
        statement.push(" and hour < ").push_bind(to);
    }
    statement.push(format_args!(" group by {grouped} currency limit {}) sums", ROWS_MAX + 1));
    statement
}

fn sums(row: &PgRow) -> Result<Sums, QueryError> {
    let is_priced = row.try_get::<Option<String>, _>("cost")?.is_some();
    Ok(Sums {
        requests: row.try_get("requests")?,
        input_tokens: row.try_get("input_tokens")?,
        cached_input_tokens: row.try_get("cached_input_tokens")?,
        cache_write_tokens: row.try_get("cache_write_tokens")?,
        output_tokens: row.try_get("output_tokens")?,
        reasoning_tokens: row.try_get("reasoning_tokens")?,
        cost: is_priced.then(|| amount(row, "cost")).transpose()?,
        unpriced_requests: row.try_get("unpriced_requests")?,
    })
}

fn totals(groups: &BTreeMap<Values, ByCurrency>) -> Result<Vec<CostTotal>, QueryError> {
    let mut totals = ByCurrency::new();
    for (currency, sums) in groups.values().flatten() {
        let total = totals.entry(currency.clone()).or_default();
        *total = total.checked_add(*sums).ok_or_else(too_large)?;
    }
    let totals = fold_unpriced(totals).ok_or_else(too_large)?;
    Ok(totals.into_iter().map(|(currency, sums)| CostTotal { currency, sums }).collect())
}

/// Gives ids their names.
async fn named(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    by: &[Dimension],
    groups: BTreeMap<Values, ByCurrency>,
) -> Result<Vec<(Group, ByCurrency)>, QueryError> {
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
                None => fields.push((dimension.as_str(), value)),
                Some((id_field, known)) => {
                    let name = value.as_ref().and_then(|id| known.get(id).cloned());
                    fields.push((dimension.as_str(), name));
                    fields.push((id_field, value));
                }
            }
        }
        Group(fields)
    };
    Ok(groups.into_iter().map(|(values, sums)| (group(values), sums)).collect())
}
