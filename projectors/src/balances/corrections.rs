//! What a page's corrections of prices come to.

use std::collections::BTreeMap;

use event_schemas::{Amount, OrganizationId};
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row as _};

use super::account::Part;
use super::entries::Key;
use super::usage::{LotEnds, currency, pico};
use crate::feed::CorrectionSource;
use crate::projection::ProjectionError;

/// What one event's corrections do to an account.
#[derive(Debug)]
pub(super) struct Corrected {
    pub(super) key: Key,
    /// The event.
    pub(super) position: i64,
    pub(super) recorded_at: DateTime<Utc>,
    /// What cost more than it should have: all of it together.
    pub(super) given_back: Amount,
    /// What cost less than it should have, or nothing yet.
    pub(super) parts: Vec<Part>,
}

/// Adds what the page's corrections change to what is kept by the hour, and by the event, as a batch of
/// records is that came then; answers what each event gives back to an account, and draws of it, in
/// parts that the ends of lots divide.
pub(super) async fn add(
    tx: &mut PgConnection,
    source: &CorrectionSource,
    ends: &LotEnds,
) -> Result<Vec<Corrected>, ProjectionError> {
    let statement = format!(
        "with ends as (
             {}
         ), changed as materialized (
             select organization_id, currency, position, recorded_at, occurred_at,
                 date_trunc('hour', occurred_at, 'UTC') as hour, sum(sign * cost_pico) as pico
             from {} as corrected where cost_pico is not null
             group by organization_id, currency, position, recorded_at, occurred_at, batch_id, ordinal
         ), by_hour as (
             insert into credit_usage as u (organization_id, currency, hour, cost)
             select organization_id, currency, hour, sum(pico) * 0.000000000001
             from changed group by 1, 2, 3
             on conflict (organization_id, currency, hour) do update
                 set cost = u.cost + excluded.cost
         ), by_event as (
             insert into credit_usage_batches (organization_id, currency, first_position, hour, cost)
             select organization_id, currency, position, hour, sum(pico) * 0.000000000001
             from changed group by 1, 2, 3, 4
         )
         select organization_id, currency, position, recorded_at, max(occurred_at) as at,
             coalesce(sum(pico) filter (where pico > 0), 0)::text as drawn,
             coalesce(-sum(pico) filter (where pico < 0), 0)::text as given_back
         from changed left join ends e using (organization_id, currency)
         group by organization_id, currency, position, recorded_at,
             width_bucket(occurred_at, e.ends), pico > 0",
        LotEnds::query(3),
        source.relation
    );
    let organizations: Vec<_> = source.organizations.iter().map(|id| id.0).collect();
    let query = sqlx::query(&statement)
        .bind(&source.positions)
        .bind(&source.recorded_at)
        .bind(organizations);
    let rows = ends.bind(query).fetch_all(tx).await?;
    let mut corrected: BTreeMap<(i64, Key), Corrected> = BTreeMap::new();
    for row in &rows {
        let key = (OrganizationId(row.try_get(0)?), currency(row.try_get(1)?)?);
        let (position, recorded_at) = (row.try_get(2)?, row.try_get(3)?);
        let entry = corrected.entry((position, key)).or_insert_with(|| Corrected {
            key,
            position,
            recorded_at,
            given_back: Amount::ZERO,
            parts: Vec::new(),
        });
        let (amount, given_back) =
            (pico(row.try_get("drawn")?)?, pico(row.try_get("given_back")?)?);
        entry.given_back = entry.given_back + given_back;
        if amount.is_positive() {
            entry.parts.push(Part { at: row.try_get("at")?, amount });
        }
    }
    let mut corrected: Vec<Corrected> = corrected.into_values().collect();
    // As of a batch.
    for one in &mut corrected {
        one.parts.sort_unstable_by_key(|part| part.at);
    }
    Ok(corrected)
}
