//! What changed of credits and prices, and what it came to.

use chrono::{DateTime, Utc};
use event_schemas::{Amount, OrganizationId};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sqlx::Row as _;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Area, Became, DiffLine, LINES_MAX, Span};
use crate::balances::amount;
use crate::error::QueryError;
use crate::snapshot::Snapshot;
use crate::within_batch::Later;

/// What an account of credits was, and came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MoneyDiff {
    /// The currency.
    pub currency: String,
    /// The balance at the beginning.
    #[schema(value_type = String)]
    pub before: Amount,
    /// What came in and left, but for usage.
    #[schema(value_type = String)]
    pub moved: Amount,
    /// What was used, by the hours that begin within: below zero.
    #[schema(value_type = String)]
    pub used: Amount,
    /// The balance at the end.
    #[schema(value_type = String)]
    pub after: Amount,
}

/// Movements of credits, policies and the organization's own prices.
pub(super) async fn lines(
    snapshot: &mut Snapshot,
    span: &Span,
) -> Result<Vec<DiffLine>, QueryError> {
    let limit = i64::try_from(LINES_MAX + 1).unwrap_or(i64::MAX);
    let rows = sqlx::query(
        "select position, kind, lot_id, amount::text, currency, other_organization_id, occurred_at
         from read.credit_movements
         where organization_id = $1 and position <= $2
             and ($3::timestamptz is null or occurred_at > $3)
             and ($4::timestamptz is null or occurred_at <= $4)
         order by position limit $5",
    )
    .bind(span.organization_id)
    .bind(span.position)
    .bind(span.from)
    .bind(span.to)
    .bind(limit)
    .fetch_all(snapshot.connection())
    .await?;
    let mut lines = Vec::with_capacity(rows.len());
    for row in &rows {
        let moved = amount(row, "amount")?;
        let (kind, currency): (String, String) = (row.try_get("kind")?, row.try_get("currency")?);
        let other: Option<Uuid> = row.try_get("other_organization_id")?;
        let mut after = json!({ "amount": moved, "currency": currency, "movement": kind });
        if let (Some(other), Some(fields)) = (other, after.as_object_mut()) {
            fields.insert("other_organization_id".to_owned(), json!(other));
        }
        let ids = Map::from_iter([("lot_id".to_owned(), json!(row.try_get::<Uuid, _>("lot_id")?))]);
        let name = format!("{kind} {currency}");
        let at = row.try_get("occurred_at")?;
        let position = row.try_get("position")?;
        lines.push(line("credits", name, ids, (None, Some(after)), at, position));
    }
    lines.extend(told(snapshot, span, limit).await?);
    Ok(lines)
}

/// What stands in the audit log alone: what gateways are told, and prices of the organization's own.
async fn told(
    snapshot: &mut Snapshot,
    span: &Span,
    limit: i64,
) -> Result<Vec<DiffLine>, QueryError> {
    let rows = sqlx::query(
        "select position, target_kind, target_id, before, after, occurred_at from read.audit_log
         where organization_id = $1 and position <= $2
             and action in ('credits.policy_changed', 'price_list.published')
             and ($3::timestamptz is null or occurred_at > $3)
             and ($4::timestamptz is null or occurred_at <= $4)
         order by position limit $5",
    )
    .bind(span.organization_id)
    .bind(span.position)
    .bind(span.from)
    .bind(span.to)
    .bind(limit)
    .fetch_all(snapshot.connection())
    .await?;
    rows.iter()
        .map(|row| {
            let kind: String = row.try_get("target_kind")?;
            let name: String = row.try_get("target_id")?;
            let ids = Map::from_iter([(format!("{kind}_id"), json!(name))]);
            let told = (row.try_get("before")?, row.try_get("after")?);
            let (at, position) = (row.try_get("occurred_at")?, row.try_get("position")?);
            Ok(line(&kind, name, ids, told, at, position))
        })
        .collect()
}

fn line(
    kind: &str,
    name: String,
    ids: Map<String, Value>,
    (before, after): (Option<Value>, Option<Value>),
    at: DateTime<Utc>,
    position: i64,
) -> DiffLine {
    DiffLine {
        area: Area::Money,
        kind: kind.to_owned(),
        name,
        became: if before.is_some() { Became::Changed } else { Became::Began },
        ids,
        before,
        after,
        at,
        position,
        changes: 1,
        event_id: None,
        event_type: None,
        actor: None,
        reason: None,
        recorded_at: None,
    }
}

/// What each account was, and came to.
pub(super) async fn sums(
    snapshot: &mut Snapshot,
    span: &Span,
) -> Result<Vec<MoneyDiff>, QueryError> {
    let organization_id = OrganizationId(span.organization_id);
    let later = Later::than(snapshot, organization_id, span.position).await?;
    let rows = sqlx::query(
        "with entries as (
             select currency, occurred_at as at, amount as moved, 0::numeric as used
             from read.credit_movements where organization_id = $1 and position <= $2
             union all
             select currency, hour, 0, -cost from read.credit_usage where organization_id = $1
             union all
             select currency, hour, 0, cost from read.credit_usage_batches
             where organization_id = $1 and first_position > $2
             union all
             select currency, hour, 0, cost
             from unnest($5::text[], $6::timestamptz[], $7::numeric[]) later(currency, hour, cost)
         ), sums as (
             select currency,
                 coalesce(sum(moved + used) filter (where $3::timestamptz is not null and at <= $3), 0)
                     as before,
                 coalesce(sum(moved) filter (where ($3::timestamptz is null or at > $3)
                     and ($4::timestamptz is null or at <= $4)), 0) as moved,
                 coalesce(sum(used) filter (where ($3::timestamptz is null or at > $3)
                     and ($4::timestamptz is null or at <= $4)), 0) as used
             from entries group by currency
         )
         select currency, before::numeric(38,12)::text as before,
             moved::numeric(38,12)::text as moved, used::numeric(38,12)::text as used
         from sums where before <> 0 or moved <> 0 or used <> 0 order by currency",
    )
    .bind(span.organization_id)
    .bind(span.position)
    .bind(span.from)
    .bind(span.to)
    .bind(later.currencies)
    .bind(later.hours)
    .bind(later.costs)
    .fetch_all(snapshot.connection())
    .await?;
    rows.iter()
        .map(|row| {
            let (before, moved, used) =
                (amount(row, "before")?, amount(row, "moved")?, amount(row, "used")?);
            let currency = row.try_get("currency")?;
            Ok(MoneyDiff { currency, before, moved, used, after: before + moved + used })
        })
        .collect()
}
