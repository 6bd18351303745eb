//! What of the usage was known: at a position of the log, or at a time.
//!
//! Rows of the rollups say in which hour, or on which day, their records were recorded, and the
//! log's `recorded_at` never goes back. So what stood at a position is all of the hours before its
//! own, and of that hour the records up to it. A correction counts from its own hour on.

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::{Month, OrganizationId};
use sqlx::{Executor as _, PgConnection};
use uuid::Uuid;

use crate::error::QueryError;
use crate::snapshot::Snapshot;
use crate::temporal::Temporal;

/// How much of an organization's usage was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// All that the picture has.
    All,
    /// Nothing yet.
    Nothing,
    /// What stood at a position.
    Upto {
        /// The position.
        position: i64,
        /// All that was recorded before this hour is part of it.
        before: DateTime<Utc>,
        /// Of what was recorded from that hour on, some is, and some is not.
        in_part: bool,
    },
}

/// The batch or the corrections that a position lies in, or follows.
type LastEntry = (i64, i32, DateTime<Utc>, bool);

/// What was known of the organization's usage. Positions are positions of the log, whichever
/// organization's; a time is when the log learned of something.
pub(super) async fn known(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    temporal: Temporal,
) -> Result<Known, QueryError> {
    temporal.check(snapshot)?;
    let Temporal { as_of, at_position } = temporal;
    if as_of.is_none() && at_position.is_none() {
        return Ok(Known::All);
    }
    records_are_here(snapshot.connection()).await?;
    let recorded = match as_of {
        Some(time) => {
            let recorded = recorded_by(snapshot.connection(), organization_id, time).await?;
            let Some(position) = recorded else { return Ok(Known::Nothing) };
            Some(position)
        }
        None => None,
    };
    // The sooner of the two.
    let position = at_position.into_iter().chain(recorded).min().unwrap_or(i64::MAX);
    if position > snapshot.position() {
        let reached = snapshot.position();
        return Err(QueryError::NotYetVisible { wanted: position, reached });
    }
    // Where rows of the same hour follow, the rollups have them in the same rows.
    let last: Option<LastEntry> = sqlx::query_as(
        "with entries as (
             (select first_position, count, recorded_at from log.usage_batches
              where organization_id = $1 and first_position <= $2
              order by first_position desc limit 1)
             union all
             (select position, 1, recorded_at from log.usage_corrections
              where organization_id = $1 and position <= $2
              order by recorded_at desc, position desc limit 1)
         )
         select first_position, count, hour, exists (
             select from log.usage_batches later
             where later.organization_id = $1 and later.first_position > entry.first_position
                 and later.recorded_at < hour + interval '1 hour')
             or exists (
             select from log.usage_corrections later
             where later.organization_id = $1 and later.position > entry.first_position
                 and later.recorded_at >= entry.recorded_at
                 and later.recorded_at < hour + interval '1 hour')
         from entries entry, date_bin('1 hour', recorded_at, '2000-01-01T00:00:00Z') hour
         order by first_position desc limit 1",
    )
    .bind(organization_id.0)
    .bind(position)
    .fetch_optional(snapshot.connection())
    .await?;
    let Some((first_position, count, hour, hour_goes_on)) = last else {
        return Ok(Known::Nothing);
    };
    let in_part = hour_goes_on || position < first_position + i64::from(count) - 1;
    let before = if in_part { hour } else { hour + chrono::TimeDelta::hours(1) };
    Ok(Known::Upto { position, before, in_part })
}

/// The last position of the organization's usage, and of its corrections, that was recorded by then.
async fn recorded_by(
    connection: &mut PgConnection,
    organization_id: OrganizationId,
    time: DateTime<Utc>,
) -> Result<Option<i64>, QueryError> {
    let position = sqlx::query_scalar(
        "select greatest(
             (select first_position + count - 1 from log.usage_batches
              where organization_id = $1 and recorded_at <= $2
              order by recorded_at desc, first_position desc limit 1),
             (select position from log.usage_corrections
              where organization_id = $1 and recorded_at <= $2
              order by recorded_at desc, position desc limit 1))",
    )
    .bind(organization_id.0)
    .bind(time)
    .fetch_one(connection)
    .await?;
    Ok(position)
}

/// How many of the records of a batch `batch` are here, in SQL. Days are here to leave out partitions, and
/// not to find records by: whole months.
pub(super) const RECORDS_HERE: &str = "select count(*) from log.usage_records record
     where record.batch_id = batch.batch_id
         and record.occurred_day >= date_trunc('month', batch.first_day::timestamp)::date
         and record.occurred_day < (date_trunc('month', batch.last_day::timestamp)
             + interval '1 month')::date";

/// Refuses where some records of one of an organization's batches are in an archive. Whoever archives waits
/// until the picture is closed.
pub(crate) async fn batch_is_here(
    connection: &mut PgConnection,
    organization_id: OrganizationId,
    batch_id: Uuid,
) -> Result<(), QueryError> {
    connection.execute("lock table log.usage_records in access share mode").await?;
    let days: Option<(NaiveDate, NaiveDate)> = sqlx::query_as(&format!(
        "select first_day, last_day from log.usage_batches batch
         where organization_id = $1 and batch_id = $2 and count > ({RECORDS_HERE})"
    ))
    .bind(organization_id.0)
    .bind(batch_id)
    .fetch_optional(&mut *connection)
    .await?;
    match days {
        Some((first_day, last_day)) => Err(archived(connection, first_day, last_day).await?),
        None => Ok(()),
    }
}

/// That records of these days are not here.
pub(crate) async fn archived(
    connection: &mut PgConnection,
    first_day: NaiveDate,
    last_day: NaiveDate,
) -> Result<QueryError, sqlx::Error> {
    let months: Vec<NaiveDate> = sqlx::query_scalar(
        "select month from log.missing_usage_months() as m(month)
         where month <= $2 and (month + interval '1 month')::date > $1 order by 1",
    )
    .bind(first_day)
    .bind(last_day)
    .fetch_all(connection)
    .await?;
    Ok(of_months(months))
}

/// That records of months with these first days are not here.
pub(super) fn of_months(first_days: Vec<NaiveDate>) -> QueryError {
    QueryError::RecordsArchived { months: first_days.into_iter().filter_map(Month::of).collect() }
}

/// Refuses where the records are in another database than the read models.
pub(crate) async fn records_are_here(connection: &mut PgConnection) -> Result<(), QueryError> {
    if is_log_here(connection).await? { Ok(()) } else { Err(QueryError::RecordsElsewhere) }
}

/// Whether the log, and with it the records, is in the read models' database.
pub(crate) async fn is_log_here(connection: &mut PgConnection) -> Result<bool, QueryError> {
    let here = sqlx::query_scalar(
        "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                        where n.nspname = 'log' and c.relname = 'usage_records')",
    );
    Ok(here.fetch_one(connection).await?)
}
