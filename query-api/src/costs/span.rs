//! From when until when, and by which clock.

use std::str::FromStr;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use event_schemas::{OrganizationId, is_time_zone_name};
use sqlx::PgConnection;

use super::dimension::Dimension;
use super::report::CostsQuery;
use super::statement::Plan;
use crate::error::QueryError;

/// Where a span begins or ends: an RFC 3339 time, or a date, which means its start in the report's
/// time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// A time.
    Time(DateTime<Utc>),
    /// The start of a day.
    Day(NaiveDate),
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A plus sign that was not percent-encoded arrives as a space.
        let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok();
        let time = time.map(|time| Self::Time(time.with_timezone(&Utc)));
        let bound = time.or_else(|| text.parse().ok().map(Self::Day));
        // What four digits of a year can say.
        let year = |bound: &Self| match bound {
            Self::Time(time) => time.year(),
            Self::Day(day) => day.year(),
        };
        bound.filter(|bound| (1..=9_999).contains(&year(bound))).ok_or_else(|| {
            format!(
                "'{text}' is neither a time such as 2026-01-31T13:00:00Z nor a date such as \
                 2026-01-31, which means its start in the report's time zone"
            )
        })
    }
}

/// A time zone's name as IANA has it, such as `Europe/Berlin`, or `UTC`.
pub(crate) fn time_zone(text: &str) -> Result<String, String> {
    if is_time_zone_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is not a time zone such as Europe/Berlin, or UTC"))
}

/// Postgres's code for a parameter's value that it does not know.
const UNKNOWN_VALUE: &str = "22023";

/// The SQL of when a day begins by a zone's clocks: with the first quarter of an hour that is of it. Clocks
/// that are set back at one o'clock pass midnight twice, and of two such times Postgres takes the second.
pub(crate) fn start_of_day(day: &str, time_zone: &str) -> String {
    let midnight = format!("(({day})::date::timestamp at time zone {time_zone})");
    format!(
        "(select min(time) from generate_series({midnight} - interval '3 hours', {midnight},
                                                interval '15 minutes') as time
          where (time at time zone {time_zone})::date >= ({day})::date)"
    )
}

/// The seconds of a quarter of an hour.
const QUARTER: i64 = 900;

/// The first and the last quarter of an hour that four digits of a year can say, in seconds.
const SAYABLE: (i64, i64) = (-62_135_596_800, 253_402_300_799 / QUARTER * QUARTER);

/// The quarter of an hour that a day begins in. By the clocks of today every day begins with one; by those
/// of before there were time zones, with some second. Usage is of the year 2000 and later.
fn quarter_of(start: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = start.timestamp();
    let quarter = seconds - seconds.rem_euclid(QUARTER);
    DateTime::from_timestamp(quarter.clamp(SAYABLE.0, SAYABLE.1), 0).unwrap_or(start)
}

/// The span's ends, as times.
pub(super) async fn resolved(
    connection: &mut PgConnection,
    query: &CostsQuery,
) -> Result<(Option<DateTime<Utc>>, Option<DateTime<Utc>>), QueryError> {
    let mut ends = [("from", query.from, None), ("to", query.to, None)];
    // Any day will do for an end that is none, so that a zone that is unknown is named.
    let days = ends.map(|(_, bound, _)| match bound {
        Some(Bound::Day(day)) => day,
        Some(Bound::Time(_)) | None => NaiveDate::default(),
    });
    time_zone(&query.time_zone).map_err(|why| QueryError::invalid("time_zone", why))?;
    let starts: Result<Vec<DateTime<Utc>>, _> = sqlx::query_scalar(&format!(
        "select {} from unnest($1::date[]) with ordinality as d(day, n) order by n",
        start_of_day("day", "$2")
    ))
    .bind(days.to_vec())
    .bind(&query.time_zone)
    .fetch_all(&mut *connection)
    .await;
    let starts = match starts {
        Err(error) if is_unknown(&error) => {
            let why = format!("'{}' is not a time zone that is known", query.time_zone);
            return Err(QueryError::invalid("time_zone", why));
        }
        starts => starts?,
    };
    for ((field, bound, end), start) in ends.iter_mut().zip(starts) {
        *end = match bound {
            Some(Bound::Time(time)) => Some(*time),
            Some(Bound::Day(_)) => Some(quarter_of(start)),
            None => None,
        };
        let is_quarter = |time: &DateTime<Utc>| {
            time.timestamp() % QUARTER == 0 && time.timestamp_subsec_nanos() == 0
        };
        if !end.as_ref().is_none_or(is_quarter) {
            let why = "usage is kept by the quarter of an hour: give a whole one, such as \
                       2026-01-31T13:00:00Z or 2026-01-31T13:15:00Z";
            return Err(QueryError::invalid(field, why));
        }
    }
    match (ends[0].2, ends[1].2) {
        (Some(from), Some(to)) if from >= to => {
            Err(QueryError::invalid("to", "it must be after from"))
        }
        ends => Ok(ends),
    }
}

fn is_unknown(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some(UNKNOWN_VALUE)
}

/// Whether the report can be made of whole days of UTC.
pub(super) fn is_of_utc_days(plan: &Plan<'_>) -> bool {
    let is_midnight = |time: DateTime<Utc>| time.timestamp() % 86_400 == 0;
    plan.time_zone == "UTC"
        && plan.from.is_none_or(is_midnight)
        && plan.to.is_none_or(is_midnight)
        && !plan.by.contains(&Dimension::Hour)
}

/// Whether the report can be made of whole hours of UTC: the span begins and ends with one, and so
/// does every hour of the zone meanwhile. Some zones are half an hour off, or three quarters, and
/// some only in summer. An offset holds for longer than half a day.
pub(super) async fn is_of_whole_hours(
    connection: &mut PgConnection,
    organization_id: OrganizationId,
    plan: &Plan<'_>,
) -> Result<bool, QueryError> {
    let is_hour = |time: DateTime<Utc>| time.timestamp() % 3_600 == 0;
    if !plan.from.is_none_or(is_hour) || !plan.to.is_none_or(is_hour) {
        return Ok(false);
    }
    if plan.time_zone == "UTC" {
        return Ok(true);
    }
    let whole: bool = sqlx::query_scalar(
        "with span as (
             select greatest(min(hour), $3) as first, least(max(hour), $4) as last
             from read.usage_by_feature where organization_id = $1
         ), times as (
             select generate_series(first, last, '12 hours') as time from span
             union all select last from span
         )
         select coalesce(bool_and(extract(minute from time at time zone $2)
                                  = extract(minute from time at time zone 'UTC')), true)
         from times",
    )
    .bind(organization_id.0)
    .bind(plan.time_zone)
    .bind(plan.from)
    .bind(plan.to)
    .fetch_one(connection)
    .await?;
    Ok(whole)
}
