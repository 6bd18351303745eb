//! Why a balance is what it is, and where the usage of a feature comes from.

use chrono::{DateTime, Utc};
use event_schemas::{Amount, Currency, OrganizationId, ProjectId};
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use super::{Asked, EVENTS_MAX, WhyLine, first};
use crate::balances::amount;
use crate::costs::known::{none_is_archived, records_are_here};
use crate::error::QueryError;
use crate::snapshot::Snapshot;
use crate::temporal::Temporal;
use crate::within_batch::Later;

/// The lines of a balance: what came in and left, and what was used.
pub(super) async fn balance(
    snapshot: &mut Snapshot,
    asked: &Asked,
    currency: Currency,
) -> Result<Vec<WhyLine>, QueryError> {
    let currency = currency.to_string();
    let mut query = asked.events();
    query.push(
        " and t.position in (select m.position from read.credit_movements m
          where m.organization_id = ",
    );
    query.push_bind(asked.organization_id).push(" and m.currency = ").push_bind(currency.clone());
    query.push(")");
    let (events, more) = first(snapshot, query).await?;
    let moved = moved(snapshot, asked, &currency).await?;
    // A batch's line is of when it was recorded; what was used by a time is said by its hours.
    let mut query = Asked { temporal: Temporal::NOW, ..*asked }.events();
    query.push(
        " and t.position in (select b.first_position from read.credit_usage_batches b
          where b.organization_id = ",
    );
    query.push_bind(asked.organization_id).push(" and b.currency = ").push_bind(currency.clone());
    if let Some(time) = asked.temporal.as_of {
        query.push(" and b.hour <= ").push_bind(time);
    }
    query.push(")");
    let (batches, more_batches) = first(snapshot, query).await?;
    let used = used(snapshot, asked, &currency).await?;
    let line = |what: String, events, more| WhyLine {
        kind: "balance".to_owned(),
        what,
        since: None,
        granted_by: None,
        events,
        more,
        attestations: Vec::new(),
    };
    Ok(vec![
        line(format!("{moved} {currency} came in and left"), events, more),
        line(format!("{used} {currency} were used"), batches, more_batches),
    ])
}

async fn moved(
    snapshot: &mut Snapshot,
    asked: &Asked,
    currency: &str,
) -> Result<Amount, QueryError> {
    let row = sqlx::query(
        "select coalesce(sum(amount), 0)::numeric(38,12)::text as amount from read.credit_movements
         where organization_id = $1 and currency = $2 and position <= $3
             and ($4::timestamptz is null or occurred_at <= $4)",
    )
    .bind(asked.organization_id)
    .bind(currency)
    .bind(asked.position)
    .bind(asked.temporal.as_of)
    .fetch_one(snapshot.connection())
    .await?;
    amount(&row, "amount")
}

/// By the hours that begin by the time.
async fn used(
    snapshot: &mut Snapshot,
    asked: &Asked,
    currency: &str,
) -> Result<Amount, QueryError> {
    let organization_id = OrganizationId(asked.organization_id);
    let later = Later::than(snapshot, organization_id, asked.position).await?;
    let row = sqlx::query(
        "select coalesce(sum(cost), 0)::numeric(38,12)::text as amount from (
             select currency, hour, cost from read.credit_usage_batches
             where organization_id = $1 and first_position <= $3
             union all
             select currency, hour, -cost
             from unnest($5::text[], $6::timestamptz[], $7::numeric[]) later(currency, hour, cost)
         ) known
         where currency = $2 and ($4::timestamptz is null or hour <= $4)",
    )
    .bind(asked.organization_id)
    .bind(currency)
    .bind(asked.position)
    .bind(asked.temporal.as_of)
    .bind(later.currencies)
    .bind(later.hours)
    .bind(later.costs)
    .fetch_one(snapshot.connection())
    .await?;
    amount(&row, "amount")
}

/// The line of a feature's usage: the batches that it came with.
pub(super) async fn usage(
    snapshot: &mut Snapshot,
    asked: &Asked,
    feature: &str,
    project_id: Option<ProjectId>,
) -> Result<WhyLine, QueryError> {
    records_are_here(snapshot.connection()).await?;
    let organization_id = OrganizationId(asked.organization_id);
    none_is_archived(snapshot.connection(), organization_id, asked.position, None).await?;
    // Of the log's records, and not of a sum: the batches are what is asked for.
    let mut query = QueryBuilder::new(
        "select r.batch_id, count(*) as records, min(r.occurred_at) as since,
             b.first_position
         from log.usage_batches b join log.usage_records r
             on r.batch_id = b.batch_id and r.occurred_day between b.first_day and b.last_day
         where b.organization_id = ",
    );
    query.push_bind(asked.organization_id);
    query.push(" and r.organization_id = ").push_bind(asked.organization_id);
    query.push(" and b.first_position <= ").push_bind(asked.position);
    query.push(" and b.first_position + r.ordinal <= ").push_bind(asked.position);
    query.push(" and r.feature = ").push_bind(feature.to_owned());
    if let Some(ProjectId(project_id)) = project_id {
        query.push(" and r.project_id = ").push_bind(project_id);
    }
    if let Some(time) = asked.temporal.as_of {
        query.push(" and r.occurred_at <= ").push_bind(time);
    }
    query.push(format_args!(
        " group by r.batch_id, b.first_position order by b.first_position limit {}",
        EVENTS_MAX + 1
    ));
    let rows = query.build().fetch_all(snapshot.connection()).await?;
    let mut batches = Vec::with_capacity(rows.len());
    let mut records = 0_i64;
    let mut since: Option<DateTime<Utc>> = None;
    for row in rows.iter().take(EVENTS_MAX) {
        batches.push(row.try_get::<Uuid, _>("batch_id")?);
        records += row.try_get::<i64, _>("records")?;
        let first: DateTime<Utc> = row.try_get("since")?;
        since = Some(since.map_or(first, |since| since.min(first)));
    }
    let mut query = Asked { temporal: Temporal::NOW, ..*asked }.events();
    query.push(" and t.event_id = any(").push_bind(batches).push(")");
    let (events, _) = first(snapshot, query).await?;
    Ok(WhyLine {
        kind: "usage".to_owned(),
        what: format!("{records} usage records of the feature '{feature}'"),
        since,
        granted_by: None,
        events,
        more: rows.len() > EVENTS_MAX,
        attestations: Vec::new(),
    })
}
