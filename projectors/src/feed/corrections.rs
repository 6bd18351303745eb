//! A page's corrections as something to select from: what stood before is taken away, what stands from
//! then on is added.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::usage_repricing::USAGE_REPRICED;
use event_schemas::{
    Month, OrganizationId, RecordedEvent, RecordedUsage, RepricedUsage, UsageRepricingEvent,
};
use sqlx::PgConnection;

use super::usage;
use crate::events;
use crate::projection::ProjectionError;

/// Where records that came with their corrections are put, and the corrections.
const STAGED_RECORDS: &str = "pg_temp.orgledger_corrected_records";
const STAGED: &str = "pg_temp.orgledger_corrections_page";

/// The corrections of a page.
#[derive(Debug, Clone)]
pub enum CorrectionsPage {
    /// Those of its events, which the log's table in the same database holds.
    InTheLog,
    /// The corrections themselves, by the positions of their events.
    Records(Vec<(i64, Vec<RepricedUsage>)>),
}

/// A page's corrections, for a statement whose first two parameters are the events' positions and when
/// the log learned of them.
#[derive(Debug, Clone)]
pub struct CorrectionSource {
    /// A query in brackets. For each correction it has two rows with the columns of the record but its
    /// tags: one with the price before, of which `sign` is -1, and one with the price after, of which
    /// it is 1. `position` and `recorded_at` are those of the event.
    pub relation: String,
    /// The positions of the page's events that correct something, in order.
    pub positions: Vec<i64>,
    /// When the log learned of each of them.
    pub recorded_at: Vec<DateTime<Utc>>,
    /// Whose usage they correct, each once.
    pub organizations: Vec<OrganizationId>,
}

/// An event that corrects something, and how many records.
struct Repriced<'a> {
    event: &'a RecordedEvent,
    corrections: u32,
}

fn repriced(event: &RecordedEvent) -> Result<Repriced<'_>, ProjectionError> {
    match events::read::<UsageRepricingEvent>(event)? {
        UsageRepricingEvent::Repriced { corrections, .. } => Ok(Repriced { event, corrections }),
    }
}

/// The source of these events' corrections; none where there are none. One that lacks some is not read.
pub(super) async fn source(
    tx: &mut PgConnection,
    events: &[RecordedEvent],
    page: &CorrectionsPage,
) -> Result<Option<CorrectionSource>, ProjectionError> {
    let repriced = events.iter().filter(|event| event.event_type == USAGE_REPRICED).map(repriced);
    let repriced: Vec<Repriced<'_>> = repriced.collect::<Result<_, _>>()?;
    if repriced.is_empty() {
        return Ok(None);
    }
    let (corrections, records) = match page {
        CorrectionsPage::InTheLog => {
            let positions: Vec<i64> = repriced.iter().map(|one| one.event.position).collect();
            usage::settle(tx).await?;
            refuse_archived(tx, &positions).await?;
            ("log.usage_corrections", "log.usage_records")
        }
        CorrectionsPage::Records(corrections) => {
            stage(tx, corrections).await?;
            (STAGED, STAGED_RECORDS)
        }
    };
    let mut organizations = Vec::new();
    for Repriced { event, .. } in &repriced {
        organizations.push(events::organization(event)?);
    }
    organizations.sort_unstable();
    organizations.dedup();
    let source = CorrectionSource {
        relation: relation(corrections, records),
        positions: repriced.iter().map(|repriced| repriced.event.position).collect(),
        recorded_at: repriced.iter().map(|repriced| repriced.event.recorded_at).collect(),
        organizations,
    };
    check(tx, &source, &repriced).await?;
    Ok(Some(source))
}

/// Refuses where records that were corrected have been archived.
async fn refuse_archived(tx: &mut PgConnection, positions: &[i64]) -> Result<(), ProjectionError> {
    let first: Option<NaiveDate> = sqlx::query_scalar(
        "select min(m.month) from log.missing_usage_months() as m(month)
         where exists (
             select from log.usage_corrections c where c.position = any($1)
                 and c.occurred_day >= m.month and c.occurred_day < m.month + interval '1 month')",
    )
    .bind(positions)
    .fetch_one(tx)
    .await?;
    match first.and_then(Month::of) {
        Some(month) => Err(ProjectionError::Archived { month }),
        None => Ok(()),
    }
}

fn relation(corrections: &str, records: &str) -> String {
    format!(
        "(select c.position, entered.recorded_at, stands.sign, stands.price_version,
              stands.cost_pico, stands.currency, {}
          from unnest($1::bigint[], $2::timestamptz[]) as entered(position, recorded_at)
          join {corrections} c on c.position = entered.position
          join {records} u on u.batch_id = c.batch_id and u.ordinal = c.record_ordinal
              and u.occurred_day = c.occurred_day
          cross join lateral (values
              (-1::bigint, c.price_version_before, c.cost_pico_before, c.currency_before),
              (1::bigint, c.price_version, c.cost_pico, c.currency)
          ) as stands(sign, price_version, cost_pico, currency))",
        usage::columns_but_price("u")
    )
}

/// That every event has its corrections, and each of those its record.
async fn check(
    tx: &mut PgConnection,
    source: &CorrectionSource,
    repriced: &[Repriced<'_>],
) -> Result<(), ProjectionError> {
    let counted: Vec<(i64, i64)> = sqlx::query_as(&format!(
        "select position, count(*) from {} as corrected where sign = 1 group by position",
        source.relation
    ))
    .bind(&source.positions)
    .bind(&source.recorded_at)
    .fetch_all(tx)
    .await?;
    let counted: BTreeMap<i64, i64> = counted.into_iter().collect();
    for Repriced { event, corrections } in repriced {
        let found = counted.get(&event.position).copied().unwrap_or(0);
        if found != i64::from(*corrections) {
            let reason = format!(
                "{found} of its {corrections} corrections are there with their records; where months \
                 were archived, restore them"
            );
            return Err(events::unreadable(event, reason));
        }
    }
    Ok(())
}

/// Puts corrections and their records into temporary tables, which the end of the transaction empties.
async fn stage(
    tx: &mut PgConnection,
    corrections: &[(i64, Vec<RepricedUsage>)],
) -> Result<(), sqlx::Error> {
    let all = || {
        corrections
            .iter()
            .flat_map(|(position, of_event)| of_event.iter().map(move |one| (*position, one)))
    };
    // A record may be corrected twice on a page.
    let records: BTreeMap<_, &RecordedUsage> = all()
        .map(|(_, correction)| {
            ((correction.usage.batch_id, correction.usage.ordinal), &correction.usage)
        })
        .collect();
    let records: Vec<&RecordedUsage> = records.into_values().collect();
    usage::stage_records(tx, STAGED_RECORDS, &records).await?;
    let columns = "position bigint, batch_id uuid, record_ordinal integer, occurred_day date,
        price_version_before bigint, cost_pico_before bigint, currency_before text,
        price_version bigint, cost_pico bigint, currency text";
    usage::make_temporary(tx, STAGED, columns).await?;
    macro_rules! column {
        ($position:ident, $correction:ident => $value:expr) => {
            all().map(|($position, $correction)| $value).collect::<Vec<_>>()
        };
    }
    let days: Vec<NaiveDate> = column!(_p, c => c.usage.occurred_at.date_naive());
    sqlx::query(&format!(
        "insert into {STAGED} select * from unnest($1::bigint[], $2::uuid[], $3::integer[],
             $4::date[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[],
             $10::text[])"
    ))
    .bind(column!(p, _c => p))
    .bind(column!(_p, c => c.usage.batch_id))
    .bind(column!(_p, c => c.usage.ordinal))
    .bind(days)
    .bind(column!(_p, c => c.usage.price_version))
    .bind(column!(_p, c => c.usage.cost_pico))
    .bind(column!(_p, c => c.usage.currency.map(|currency| currency.to_string())))
    .bind(column!(_p, c => c.price_version))
    .bind(column!(_p, c => c.cost_pico))
    .bind(column!(_p, c => c.currency.to_string()))
    .execute(tx)
    .await?;
    Ok(())
}
