//! The events behind lines.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{DiffLine, Span};
use crate::error::QueryError;
use crate::snapshot::Snapshot;

type EventRow = (i64, Uuid, String, Option<String>, Option<String>, DateTime<Utc>);

/// Says of each line which event it is of, who did it and why.
pub(super) async fn add_to(
    snapshot: &mut Snapshot,
    span: &Span,
    lines: &mut [DiffLine],
) -> Result<(), QueryError> {
    let mut positions: Vec<i64> = lines.iter().map(|line| line.position).collect();
    positions.sort_unstable();
    positions.dedup();
    let rows: Vec<EventRow> = sqlx::query_as(
        "select position, event_id, event_type, actor, reason, recorded_at from read.audit_log
         where organization_id = $1 and position = any($2)",
    )
    .bind(span.organization_id)
    .bind(positions)
    .fetch_all(snapshot.connection())
    .await?;
    let events: HashMap<i64, EventRow> = rows.into_iter().map(|row| (row.0, row)).collect();
    for line in lines {
        let Some((_, event_id, event_type, actor, reason, recorded_at)) =
            events.get(&line.position).cloned()
        else {
            continue;
        };
        line.event_id = Some(event_id);
        line.event_type = Some(event_type);
        line.actor = actor;
        line.reason = reason;
        line.recorded_at = Some(recorded_at);
    }
    Ok(())
}
