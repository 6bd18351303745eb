//! What records cost since they were priced again.
//!
//! A correction stands beside its record and has the position of the `usage.repriced` event that it
//! belongs to; the appender writes both in one statement.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::{
    Month, OrganizationId, PriceListId, RecordedUsage, RepricedUsage, RepricingId,
};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};
use uuid::Uuid;

use super::Price;
use super::read::{columns, currency, record};

/// How many batches one page of records spans at most.
const RUNS_MAX: i64 = 2_000;

/// A correction to write.
#[derive(Debug, Clone, Copy)]
pub struct NewCorrection {
    /// Which of the append's events it belongs to, from 0.
    pub event: usize,
    /// The organization.
    pub organization_id: OrganizationId,
    /// The batch of the record.
    pub batch_id: Uuid,
    /// The record's place in it.
    pub record_ordinal: i32,
    /// When the request was made.
    pub occurred_at: DateTime<Utc>,
    /// The price that the record had until then; none where it had none.
    pub before: Option<Price>,
    /// The price that it has from then on.
    pub after: Price,
}

/// The hash that an event keeps of its corrections: SHA-256 over a line for each, in order, with batch,
/// ordinal and the two prices.
pub fn corrections_hash(corrections: &[NewCorrection]) -> String {
    let lines = corrections.iter().map(|correction| {
        (correction.batch_id, correction.record_ordinal, correction.before, correction.after)
    });
    hash_of(lines)
}

fn hash_of(lines: impl Iterator<Item = (Uuid, i32, Option<Price>, Price)>) -> String {
    let written =
        |price: &Price| format!("{} {} {}", price.version, price.cost_pico, price.currency);
    let mut hash = Sha256::new();
    for (batch_id, ordinal, before, after) in lines {
        let before = before.as_ref().map_or_else(|| "-".to_owned(), written);
        hash.update(line(batch_id, ordinal, &before, &written(&after)));
    }
    digits(hash)
}

/// A line of what is hashed; this must never change.
fn line(batch_id: Uuid, ordinal: i32, before: &str, after: &str) -> String {
    format!("{batch_id} {ordinal} {before} > {after}\n")
}

fn digits(hash: Sha256) -> String {
    let mut digits = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a String does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// The corrections that stand beside an event, as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactCorrections {
    /// How many.
    pub count: i64,
    /// A line for each, in order: what the event has the hash of.
    pub lines: String,
    /// What of them the hash does not say, and is not as it was written.
    fault: Option<&'static str>,
}

impl ExactCorrections {
    /// What is wrong with them, for the payload of the event that they stand beside.
    pub fn fault(&self, payload: &str) -> Option<String> {
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap_or_default();
        let (said, hash) = (payload["corrections"].as_i64(), payload["corrections_hash"].as_str());
        let Some((said, hash)) = said.zip(hash) else {
            return Some("it does not say what it corrects".to_owned());
        };
        if said != self.count {
            return Some(format!("{} corrections stand beside it, and it says {said}", self.count));
        }
        let mut found = Sha256::new();
        found.update(&self.lines);
        if digits(found) != hash {
            return Some("its corrections are not those that it was written with".to_owned());
        }
        self.fault.map(str::to_owned)
    }
}

/// Reads the corrections that stand beside an event exactly as they are stored. Their records may have
/// been archived since.
pub async fn exact_corrections(
    connection: &mut PgConnection,
    position: i64,
) -> Result<ExactCorrections, sqlx::Error> {
    let rows = sqlx::query(
        "with missing as materialized (select month from log.missing_usage_months() as m(month))
         select c.batch_id, c.record_ordinal,
             coalesce(concat_ws(' ', c.price_version_before, c.cost_pico_before, c.currency_before), ''),
             concat_ws(' ', c.price_version, c.cost_pico, c.currency), c.ordinal,
             coalesce(e.organization_id = c.organization_id and e.recorded_at = c.recorded_at, false),
             coalesce((select bool_and(u.occurred_at = c.occurred_at) from log.usage_records u
                       where u.batch_id = c.batch_id and u.ordinal = c.record_ordinal
                           and u.occurred_day = c.occurred_day),
                 exists (select from missing m where c.occurred_day >= m.month
                     and c.occurred_day < m.month + interval '1 month'))
         from log.usage_corrections c left join log.events e using (position)
         where c.position = $1 order by c.ordinal",
    )
    .bind(position)
    .fetch_all(connection)
    .await?;
    let mut found = ExactCorrections { count: 0, lines: String::new(), fault: None };
    for row in &rows {
        let before: &str = row.get(2);
        let before = if before.is_empty() { "-" } else { before };
        found.lines.push_str(&line(row.get(0), row.get(1), before, row.get(3)));
        if i64::from(row.get::<i32, _>(4)) != found.count {
            found.fault = Some("its corrections are not numbered as they were");
        } else if !row.get::<bool, _>(5) {
            found.fault = Some("a correction of it is another organization's, or of another time");
        } else if !row.get::<bool, _>(6) {
            found.fault = Some("a correction of it is of a record that is not there");
        }
        found.count += 1;
    }
    Ok(found)
}

/// The corrections of an event, in order, each with its record as it was priced until then.
pub async fn read_corrections(
    connection: &mut PgConnection,
    position: i64,
    organization_id: OrganizationId,
) -> Result<Vec<RepricedUsage>, sqlx::Error> {
    let before = ["c.price_version_before", "c.cost_pico_before", "c.currency_before"];
    let rows = sqlx::query(&format!(
        "select {}, c.batch_id, c.price_version, c.cost_pico, c.currency
         from log.usage_corrections c
         join log.usage_records u on u.batch_id = c.batch_id and u.ordinal = c.record_ordinal
             and u.occurred_day = c.occurred_day
         where c.position = $1 order by c.ordinal",
        columns(before)
    ))
    .bind(position)
    .fetch_all(connection)
    .await?;
    let corrected = |row: &PgRow| {
        Ok(RepricedUsage {
            usage: record(row, row.try_get("batch_id")?, organization_id)?,
            price_version: row.try_get("price_version")?,
            cost_pico: row.try_get("cost_pico")?,
            currency: currency(row.try_get::<&str, _>("currency")?)?,
        })
    };
    rows.iter().map(corrected).collect()
}

/// Whether these are the corrections that an event has the hash of.
pub(crate) fn are_those_of(corrections: &[RepricedUsage], count: u64, hash: &str) -> bool {
    let lines = corrections.iter().map(|correction| {
        let RepricedUsage { usage, price_version, cost_pico, currency } = correction;
        let after = Price { version: *price_version, cost_pico: *cost_pico, currency: *currency };
        (usage.batch_id, usage.ordinal, price_of(usage), after)
    });
    u64::try_from(corrections.len()) == Ok(count) && hash_of(lines) == hash
}

/// What a record cost, where it had a price.
pub fn price_of(usage: &RecordedUsage) -> Option<Price> {
    let (version, cost_pico) = (usage.price_version?, usage.cost_pico?);
    Some(Price { version, cost_pico, currency: usage.currency? })
}

/// Which records are looked at.
#[derive(Debug, Clone, Copy)]
pub struct RecordsOf {
    /// Whose.
    pub organization_id: OrganizationId,
    /// That stand after this position.
    pub after: i64,
    /// That stand at this position or before it.
    pub upto: i64,
    /// Only batches that have a record of this day or a later one.
    pub first_day: NaiveDate,
    /// Only batches that have a record of this day or an earlier one.
    pub last_day: NaiveDate,
}

/// Records as they are priced now.
#[derive(Debug, Default)]
pub struct PricedRecords {
    /// Each with its position, in order; those of other days too that came in the same batches.
    pub records: Vec<(i64, RecordedUsage)>,
    /// The position up to which all were looked at.
    pub upto: i64,
    /// The first month of which records that were asked for are not in the log's tables any more.
    pub archived: Option<Month>,
}

/// A batch, by where it stands and the days of its records.
type Run = (i64, Uuid, i64, NaiveDate, NaiveDate);

/// Reads records as they are priced now, at most that many.
pub async fn read_as_priced(
    connection: &mut PgConnection,
    of: RecordsOf,
    records_max: i64,
) -> Result<PricedRecords, sqlx::Error> {
    let runs = runs(connection, of).await?;
    let (upto, expected) = page(&runs, of, records_max);
    let (Some(first_day), Some(last_day)) =
        (runs.iter().map(|run| run.3).min(), runs.iter().map(|run| run.4).max())
    else {
        return Ok(PricedRecords { upto, ..PricedRecords::default() });
    };
    // Asked before: what is put back meanwhile may have come too late to be read.
    let days = (first_day.max(of.first_day), last_day.min(of.last_day));
    let missing = first_missing(connection, days).await?;
    let now = [
        "coalesce(c.price_version, u.price_version)",
        "coalesce(c.cost_pico, u.cost_pico)",
        "coalesce(c.currency, u.currency)",
    ];
    // Whole months leave out partitions, and records are found by their batch.
    let rows = sqlx::query(&format!(
        "select {}, b.batch_id, b.first_position + u.ordinal as at
         from unnest($1::uuid[], $2::bigint[]) as b(batch_id, first_position)
         join log.usage_records u on u.batch_id = b.batch_id
         left join lateral (
             select price_version, cost_pico, currency from log.usage_corrections c
             where c.batch_id = u.batch_id and c.record_ordinal = u.ordinal
             order by position desc limit 1) c on true
         where b.first_position + u.ordinal > $3 and b.first_position + u.ordinal <= $4
             and u.occurred_day >= date_trunc('month', $5::timestamp)::date
             and u.occurred_day < (date_trunc('month', $6::timestamp) + interval '1 month')::date
         order by at",
        columns(now)
    ))
    .bind(runs.iter().map(|run| run.1).collect::<Vec<_>>())
    .bind(runs.iter().map(|run| run.0).collect::<Vec<_>>())
    .bind(of.after)
    .bind(upto)
    .bind(first_day)
    .bind(last_day)
    .fetch_all(&mut *connection)
    .await?;
    let read = |row: &PgRow| {
        let usage = record(row, row.try_get("batch_id")?, of.organization_id)?;
        Ok((row.try_get("at")?, usage))
    };
    let records: Vec<(i64, RecordedUsage)> =
        rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?;
    let archived = if i64::try_from(records.len()) == Ok(expected) {
        None
    } else {
        match missing.or(first_missing(connection, days).await?) {
            Some(month) => Some(month),
            // The batches lack records of other days than were asked for.
            None if first_missing(connection, (first_day, last_day)).await?.is_some() => None,
            // Somebody took away what is in no archive: it may be of any of these days.
            None => Month::of(days.0),
        }
    };
    Ok(PricedRecords { records, upto, archived })
}

/// The first month between two days whose records are not in the log's tables.
async fn first_missing(
    connection: &mut PgConnection,
    (first_day, last_day): (NaiveDate, NaiveDate),
) -> Result<Option<Month>, sqlx::Error> {
    let month: Option<NaiveDate> = sqlx::query_scalar(
        "select min(month) from log.missing_usage_months() as m(month)
         where month <= $2 and month + interval '1 month' > $1",
    )
    .bind(first_day)
    .bind(last_day)
    .fetch_one(connection)
    .await?;
    Ok(month.and_then(Month::of))
}

/// The batches that the records are in, in order.
async fn runs(connection: &mut PgConnection, of: RecordsOf) -> Result<Vec<Run>, sqlx::Error> {
    sqlx::query_as(
        "select first_position, batch_id, count::bigint, first_day, last_day from log.usage_batches
         where organization_id = $1 and first_position <= $3 and last_day >= $4 and first_day <= $5
             and first_position + count > $2 + 1
             and first_position >= coalesce((
                 select max(first_position) from log.usage_batches
                 where organization_id = $1 and first_position <= $2 + 1), 0)
         order by first_position limit $6",
    )
    .bind(of.organization_id.0)
    .bind(of.after)
    .bind(of.upto)
    .bind(of.first_day)
    .bind(of.last_day)
    .bind(RUNS_MAX)
    .fetch_all(connection)
    .await
}

/// Where a page of at most that many records ends, and how many it has.
fn page(runs: &[Run], of: RecordsOf, records_max: i64) -> (i64, i64) {
    let mut upto = of.upto;
    if i64::try_from(runs.len()) == Ok(RUNS_MAX) {
        upto = runs.last().map_or(upto, |(first, _, count, ..)| upto.min(first + count - 1));
    }
    let mut expected = 0;
    for (first, _, count, ..) in runs {
        let (first, last) = ((*first).max(of.after + 1), (first + count - 1).min(upto));
        if expected + last - first + 1 > records_max {
            return (first + (records_max - expected) - 1, records_max);
        }
        expected += last - first + 1;
    }
    (upto, expected)
}

/// A correction of a record, and why it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordCorrection {
    /// Its position.
    pub position: i64,
    /// When the log learned of it.
    pub recorded_at: DateTime<Utc>,
    /// The repricing.
    pub repricing_id: RepricingId,
    /// The prices that were known to it.
    pub prices_at: i64,
    /// The one list that it priced by.
    pub price_list_id: Option<PriceListId>,
    /// The version of that list.
    pub price_list_version: Option<u32>,
    /// Why.
    pub reason: Option<String>,
    /// Who did it, as `kind:id`.
    pub actor: String,
    /// The price from then on.
    pub after: Price,
}

/// The corrections of a record, the first one first.
pub async fn corrections_of(
    pool: &PgPool,
    batch_id: Uuid,
    record_ordinal: i32,
) -> Result<Vec<RecordCorrection>, sqlx::Error> {
    let rows = sqlx::query(
        "select c.position, c.recorded_at, (e.payload ->> 'repricing_id')::uuid as repricing_id,
             (e.payload ->> 'prices_at')::bigint as prices_at,
             e.payload ->> 'price_list_id' as price_list_id,
             (e.payload ->> 'price_list_version')::bigint as price_list_version,
             e.payload ->> 'reason' as reason,
             concat(e.metadata ->> 'actor_kind', ':', e.metadata ->> 'actor_id') as actor,
             c.price_version, c.cost_pico, c.currency
         from log.usage_corrections c join log.events e using (position)
         where c.batch_id = $1 and c.record_ordinal = $2 order by c.position",
    )
    .bind(batch_id)
    .bind(record_ordinal)
    .fetch_all(pool)
    .await?;
    let read = |row: &PgRow| {
        let version: Option<i64> = row.try_get("price_list_version")?;
        Ok(RecordCorrection {
            position: row.try_get("position")?,
            recorded_at: row.try_get("recorded_at")?,
            repricing_id: RepricingId(row.try_get("repricing_id")?),
            prices_at: row.try_get("prices_at")?,
            price_list_id: row.try_get::<Option<String>, _>("price_list_id")?.map(PriceListId),
            price_list_version: version.and_then(|version| version.try_into().ok()),
            reason: row.try_get("reason")?,
            actor: row.try_get("actor")?,
            after: Price {
                version: row.try_get("price_version")?,
                cost_pico: row.try_get("cost_pico")?,
                currency: currency(row.try_get::<&str, _>("currency")?)?,
            },
        })
    };
    rows.iter().map(read).collect()
}
