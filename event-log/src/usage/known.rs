//! Which records are in the log already.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Duration, NaiveDate, Utc};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::{Fate, Row};

/// Two sends of one request lie less than this apart, or are two requests.
const SAME_REQUEST: Duration = Duration::hours(24);

/// A request that was recorded before.
#[derive(Clone, Copy)]
struct Known {
    occurred_at: DateTime<Utc>,
    content_key: Uuid,
}

impl Known {
    fn of(row: &Row<'_>) -> Self {
        Self { occurred_at: row.record.occurred_at, content_key: row.content_key }
    }

    /// What becomes of a record where this one is there; nothing, where it is another request.
    fn fate_of(&self, row: &Row<'_>) -> Option<Fate> {
        let apart = (row.record.occurred_at - self.occurred_at).abs();
        (apart < SAME_REQUEST).then(|| {
            if self.content_key == row.content_key { Fate::Duplicate } else { Fate::Conflict }
        })
    }
}

/// Where it is looked for what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Everywhere.
    Everywhere,
    /// Not on the records' own days: there the unique key finds what is there, when it is written.
    /// Most records are new, and for them that look-up would be made twice.
    BesideTheirDay,
}

/// Splits off the records that are in the log already, or twice among these: their fates are set, by
/// write and place in it, and the others are left.
pub(super) async fn filter_known<'a>(
    connection: &mut PgConnection,
    rows: Vec<Row<'a>>,
    look: Look,
    fates: &mut [Vec<Option<Fate>>],
) -> Result<Vec<Row<'a>>, sqlx::Error> {
    let mut known = find(connection, &rows, look, &[]).await?;
    let mut fresh = Vec::with_capacity(rows.len());
    for row in rows {
        let seen = known.entry(row.request_key).or_default();
        if let Some(fate) = seen.iter().find_map(|known| known.fate_of(&row)) {
            fates[row.write][row.index] = Some(fate);
        } else {
            seen.push(Known::of(&row));
            fresh.push(row);
        }
    }
    Ok(fresh)
}

/// Whether any of these records, just copied as these batches, is in the log under another one.
pub(super) async fn any_elsewhere(
    connection: &mut PgConnection,
    rows: &[Row<'_>],
    batch_ids: &[Uuid],
) -> Result<bool, sqlx::Error> {
    // Of their own days the unique key has spoken.
    let known = find(connection, rows, Look::BesideTheirDay, batch_ids).await?;
    Ok(rows.iter().any(|row| {
        let seen = known.get(&row.request_key).map(Vec::as_slice).unwrap_or_default();
        seen.iter().any(|known| known.fate_of(row).is_some())
    }))
}

async fn find(
    connection: &mut PgConnection,
    rows: &[Row<'_>],
    look: Look,
    except_batches: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Known>>, sqlx::Error> {
    let mut known: HashMap<Uuid, Vec<Known>> = HashMap::with_capacity(rows.len());
    let own_days: BTreeSet<NaiveDate> = rows.iter().map(|row| row.day).collect();
    let used = used_days(connection, &own_days, look).await?;
    let (mut days, mut keys) = (Vec::new(), Vec::new());
    for row in rows {
        let own = (look == Look::Everywhere).then_some(row.day);
        for day in [row.day.pred_opt(), own, row.day.succ_opt()].into_iter().flatten() {
            if used.contains(&day) {
                days.push(day);
                keys.push(row.request_key);
            }
        }
    }
    let (Some(first), Some(last)) = (days.iter().min(), days.iter().max()) else {
        return Ok(known);
    };
    // The span of days lets the planner leave out partitions; the join walks the unique index. In one
    // statement with what was kept of archived months: a month is in the one or in the other.
    let found = sqlx::query(
        "select u.request_key, u.occurred_at, u.content_key
         from unnest($1::date[], $2::uuid[]) as s(day, key)
         join log.usage_records u on u.occurred_day = s.day and u.request_key = s.key
         where u.occurred_day between $3 and $4 and u.batch_id <> all ($5)
         union all
         select a.request_key, a.occurred_at, a.content_key
         from unnest($1::date[], $2::uuid[]) as s(day, key)
         join log.usage_archived_requests a on a.occurred_day = s.day and a.request_key = s.key
         where exists (select from log.usage_archives) and s.day in (
             select edge from log.usage_archives
             cross join lateral (values (month), ((month + interval '1 month')::date - 1)) as e(edge)
             where state <> 'closed')",
    )
    .bind(&days)
    .bind(&keys)
    .bind(first)
    .bind(last)
    .bind(except_batches)
    .fetch_all(connection)
    .await?;
    for row in found {
        let seen = Known { occurred_at: row.get(1), content_key: row.get(2) };
        known.entry(row.get(0)).or_default().push(seen);
    }
    Ok(known)
}

/// Those of the days, and of the ones beside them, that have any record, here or kept of an archived
/// month. Tomorrow seldom has: then no record is looked for there.
async fn used_days(
    connection: &mut PgConnection,
    own_days: &BTreeSet<NaiveDate>,
    look: Look,
) -> Result<BTreeSet<NaiveDate>, sqlx::Error> {
    let mut days: BTreeSet<NaiveDate> = BTreeSet::new();
    for day in own_days {
        days.extend([day.pred_opt(), day.succ_opt()].into_iter().flatten());
        if look == Look::Everywhere {
            days.insert(*day);
        }
    }
    let days: Vec<NaiveDate> = days.into_iter().collect();
    // The order makes it a look into the unique index; without it an empty day could be looked for
    // in the whole partition.
    let used: Vec<NaiveDate> = sqlx::query_scalar(
        "select s.day from unnest($1::date[]) as s(day)
         cross join lateral (select from log.usage_records u where u.occurred_day = s.day
                             order by u.occurred_day, u.request_key limit 1) as any_record
         union
         select s.day from unnest($1::date[]) as s(day)
         where exists (select from log.usage_archived_requests a where a.occurred_day = s.day)",
    )
    .bind(&days)
    .fetch_all(connection)
    .await?;
    Ok(used.into_iter().collect())
}
