//! Which records are in the log already.

use std::collections::HashMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::{Fate, Row};

/// Two sends of one request lie less than this apart, or are two requests.
const SAME_REQUEST: Duration = Duration::hours(24);

/// A request that was recorded before.
#[derive(Clone, Copy)]
pub(super) struct Known {
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

/// Splits off the records that are in the log already, or twice among these: their fates are set,
/// and the others are left.
pub(super) async fn filter_known<'a>(
    connection: &mut PgConnection,
    rows: Vec<Row<'a>>,
    fates: &mut [Option<Fate>],
) -> Result<Vec<Row<'a>>, sqlx::Error> {
    let mut known = find(connection, &rows, None).await?;
    let mut fresh = Vec::with_capacity(rows.len());
    for row in rows {
        let seen = known.entry(row.request_key).or_default();
        if let Some(fate) = seen.iter().find_map(|known| known.fate_of(&row)) {
            fates[row.index] = Some(fate);
        } else {
            seen.push(Known::of(&row));
            fresh.push(row);
        }
    }
    Ok(fresh)
}

/// Whether any of these records, just copied as `batch_id`, is in the log under another batch.
pub(super) async fn any_elsewhere(
    connection: &mut PgConnection,
    rows: &[Row<'_>],
    batch_id: Uuid,
) -> Result<bool, sqlx::Error> {
    let known = find(connection, rows, Some(batch_id)).await?;
    Ok(rows.iter().any(|row| {
        let seen = known.get(&row.request_key).map(Vec::as_slice).unwrap_or_default();
        seen.iter().any(|known| known.fate_of(row).is_some())
    }))
}

async fn find(
    connection: &mut PgConnection,
    rows: &[Row<'_>],
    except_batch: Option<Uuid>,
) -> Result<HashMap<Uuid, Vec<Known>>, sqlx::Error> {
    let mut days: Vec<NaiveDate> = Vec::with_capacity(rows.len() * 3);
    let mut keys: Vec<Uuid> = Vec::with_capacity(rows.len() * 3);
    for row in rows {
        for day in [row.day.pred_opt(), Some(row.day), row.day.succ_opt()].into_iter().flatten() {
            days.push(day);
            keys.push(row.request_key);
        }
    }
    let (Some(first), Some(last)) = (days.iter().min(), days.iter().max()) else {
        return Ok(HashMap::new());
    };
    // The span of days lets the planner leave out partitions; the join walks the unique index.
    let found = sqlx::query(
        "select u.request_key, u.occurred_at, u.content_key
         from unnest($1::date[], $2::uuid[]) as s(day, key)
         join log.usage_records u on u.occurred_day = s.day and u.request_key = s.key
         where u.occurred_day between $3 and $4 and u.batch_id is distinct from $5",
    )
    .bind(&days)
    .bind(&keys)
    .bind(first)
    .bind(last)
    .bind(except_batch)
    .fetch_all(connection)
    .await?;
    let mut known: HashMap<Uuid, Vec<Known>> = HashMap::new();
    for row in found {
        let seen = Known { occurred_at: row.get(1), content_key: row.get(2) };
        known.entry(row.get(0)).or_default().push(seen);
    }
    Ok(known)
}
