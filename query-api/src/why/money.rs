//! Why a balance is what it is.

use event_schemas::{Amount, Currency, OrganizationId};

use super::{Asked, WhyLine, first};
use crate::balances::amount;
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
        events,
        more,
        ..WhyLine::default()
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
