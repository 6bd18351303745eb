//! How somebody's leaving took effect.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{Asked, Departure};
use crate::audit_log;
use crate::error::QueryError;
use crate::snapshot::Snapshot;

/// The latest departure of a member; none where they have not left, or were taken back.
pub(super) async fn of(
    snapshot: &mut Snapshot,
    asked: &Asked,
    member_id: Uuid,
) -> Result<Option<Departure>, QueryError> {
    let mut query = asked.events();
    query.push(
        " and t.target_kind = 'member' and t.action in ('member.removed', 'member.suspended',
          'member.reinstated') and t.concerns @> ",
    );
    query.push_bind(vec![member_id]).push(" order by t.position desc limit 1");
    let latest = audit_log::fetch(snapshot, query).await?.pop();
    let Some(event) = latest.filter(|event| event.action != "member.reinstated") else {
        return Ok(None);
    };
    let last_command_at: Option<DateTime<Utc>> = sqlx::query_scalar(
        "select max(last_at) from read.last_commands
         where organization_id = $1 and actor_kind = 'member' and actor_id = $2",
    )
    .bind(asked.organization_id)
    .bind(member_id)
    .fetch_one(snapshot.connection())
    .await?;
    let last_use_at: Option<DateTime<Utc>> = sqlx::query_scalar(
        "select max(last_used_at) from read.last_use where organization_id = $1 and member_id = $2",
    )
    .bind(asked.organization_id)
    .bind(member_id)
    .fetch_one(snapshot.connection())
    .await?;
    let (left_at, effective_at) = (event.occurred_at, event.recorded_at);
    let seconds = (effective_at - left_at).num_seconds().max(0);
    Ok(Some(Departure { event, left_at, effective_at, seconds, last_command_at, last_use_at }))
}
