//! What is behind a line of a report: the batches that its records came with, and the events that priced
//! them again.

use chrono::{DateTime, Utc};
use event_schemas::usage::UNPRICED;
use event_schemas::{Currency, OrganizationId, PriceStatus};
use sqlx::{Postgres, QueryBuilder, Row as _};

use super::known::{known, records_are_here};
use super::read::prepare;
use super::reading::Reading;
use super::report::CostsQuery;
use super::span;
use super::statement::Plan;
use crate::error::QueryError;
use crate::snapshot::Snapshot;

/// Which lines of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OfLine {
    /// What is priced in this currency.
    pub currency: Option<Currency>,
    /// Of which this is known of the price.
    pub price_status: Option<PriceStatus>,
}

/// Entries of the log, by position, each with how many records of the line it has.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) positions: Vec<(i64, i64)>,
    /// Whether there are more.
    pub(crate) more: bool,
    /// How many records all entries have.
    pub(crate) records: i64,
    /// When the earliest request was made.
    pub(crate) since: Option<DateTime<Utc>>,
}

/// What is behind lines of a report.
pub(crate) struct Behind {
    /// The batches, by the position of their first record.
    pub(crate) batches: Entries,
    /// The `usage.repriced` events.
    pub(crate) repricings: Entries,
}

impl OfLine {
    /// Refuses what no line can be.
    pub(crate) fn check(self) -> Result<(), QueryError> {
        let priced = self.price_status.is_none_or(|status| status == PriceStatus::Priced);
        if self.currency.is_some() && !priced {
            return Err(QueryError::invalid("currency", "what has no price has no currency"));
        }
        Ok(())
    }

    /// Adds the condition on a record with the price that it has, or had.
    pub(super) fn push(self, statement: &mut QueryBuilder<'static, Postgres>) {
        match self.price_status {
            None => statement.push("true"),
            Some(PriceStatus::Priced) => statement.push("cost_pico is not null"),
            Some(PriceStatus::Unpriced) => statement.push(UNPRICED),
            Some(PriceStatus::NotBilled) => {
                statement.push(format_args!("cost_pico is null and not {UNPRICED}"))
            }
        };
        if let Some(currency) = self.currency {
            statement.push(" and currency = ").push_bind(currency.to_string());
        }
    }
}

/// What is behind lines of a report; of each kind at most so many entries. What a report is grouped by
/// makes no difference.
pub(crate) async fn behind(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    query: &CostsQuery,
    line: OfLine,
    entries_max: usize,
) -> Result<Behind, QueryError> {
    records_are_here(snapshot.connection()).await?;
    let (from, to) = span::resolved(snapshot.connection(), query).await?;
    let known = known(snapshot, organization_id, query.temporal).await?;
    let plan = Plan {
        organization_id,
        by: &[],
        only: &query.only,
        without: &query.without,
        visible: &query.visible,
        from,
        to,
        time_zone: &query.time_zone,
        reading: Reading::Records,
        known,
        position: snapshot.position(),
    };
    prepare(snapshot.connection(), &plan).await?;
    Ok(Behind {
        batches: entries(snapshot, plan.batches(line, entries_max), entries_max).await?,
        repricings: entries(snapshot, plan.repricings(line, entries_max), entries_max).await?,
    })
}

async fn entries(
    snapshot: &mut Snapshot,
    statement: Option<QueryBuilder<'static, Postgres>>,
    entries_max: usize,
) -> Result<Entries, QueryError> {
    let Some(mut statement) = statement else { return Ok(Entries::default()) };
    let rows = statement.build().fetch_all(snapshot.connection()).await?;
    let mut found = Entries { more: rows.len() > entries_max, ..Entries::default() };
    for row in rows.iter().take(entries_max) {
        found.positions.push((row.try_get("position")?, row.try_get("records")?));
        found.records = row.try_get("all_records")?;
        found.since = row.try_get("since")?;
    }
    Ok(found)
}
