//! Why a single thing is as it is: all that was ever said of it.

use uuid::Uuid;

use super::{Asked, WhyLine, first};
use crate::error::QueryError;
use crate::snapshot::Snapshot;

/// The line of a thing; none where nothing is about it.
pub(super) async fn line(
    snapshot: &mut Snapshot,
    asked: &Asked,
    subject: Uuid,
) -> Result<Option<WhyLine>, QueryError> {
    let mut query = asked.events();
    query.push(" and t.concerns @> ").push_bind(vec![subject]);
    let (events, more) = first(snapshot, query).await?;
    let id = subject.to_string();
    let itself = events.iter().find(|event| event.target.id == id).or(events.first());
    let Some(itself) = itself else { return Ok(None) };
    let name = [&itself.after, &itself.before]
        .into_iter()
        .flatten()
        .find_map(|fields| fields.get("name").and_then(|name| name.as_str()));
    let what = match name {
        Some(name) => format!("{} {name}", itself.target.kind),
        None => format!("{} {id}", itself.target.kind),
    };
    Ok(Some(WhyLine {
        kind: itself.target.kind.clone(),
        what,
        since: Some(itself.occurred_at),
        granted_by: itself.actor.clone(),
        events,
        more,
        ..WhyLine::default()
    }))
}
