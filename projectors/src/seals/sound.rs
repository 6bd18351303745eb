//! What holds of entries beside their leaves: their order, and the corrections that stand beside them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_log::exact::{ExactEntry, ExactEvent};
use event_log::usage::exact_corrections;
use event_schemas::usage_repricing::USAGE_REPRICED;
use sqlx::PgConnection;

/// What does not hold of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) name: String,
    pub(super) position: i64,
    pub(super) what: String,
}

impl Fault {
    fn of(entry: &ExactEntry, what: String) -> Self {
        Self { name: entry.name(), position: entry.first_position(), what }
    }
}

/// Whether entries are in the order in which orgledger writes them, page by page: the log learns of none
/// before the one that precedes it, and the numbers in a stream have no gap.
#[derive(Default)]
pub(super) struct Order {
    recorded_at: Option<DateTime<Utc>>,
}

impl Order {
    /// Of what follows a position.
    pub(super) async fn after(
        connection: &mut PgConnection,
        position: i64,
    ) -> Result<Self, sqlx::Error> {
        let recorded_at = sqlx::query_scalar(
            "select max(recorded_at) from (
                 (select recorded_at from log.events where position = $1)
                 union all
                 (select recorded_at from log.usage_batches where first_position <= $1
                  order by first_position desc limit 1)) b",
        )
        .bind(position)
        .fetch_one(connection)
        .await?;
        Ok(Self { recorded_at })
    }

    /// The first of the next entries that is out of order.
    pub(super) async fn fault(
        &mut self,
        connection: &mut PgConnection,
        entries: &[ExactEntry],
    ) -> Result<Option<Fault>, sqlx::Error> {
        let mut found = None;
        let mut streams: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        // The first of each stream: what precedes it stands on an earlier page.
        let mut firsts: Vec<&ExactEvent> = Vec::new();
        for entry in entries {
            let recorded_at = entry.recorded_at();
            if let Some(before) = self.recorded_at.filter(|before| recorded_at < *before) {
                let what = format!(
                    "it was recorded at {recorded_at:?}, and what precedes it later, at {before:?}"
                );
                found = found.or_else(|| Some(Fault::of(entry, what)));
            }
            self.recorded_at = Some(recorded_at);
            let ExactEntry::Event(event) = entry else { continue };
            let stream = (&*event.aggregate_type, &*event.aggregate_id);
            match streams.insert(stream, event.sequence) {
                None => firsts.push(event),
                Some(before) if event.sequence == before + 1 => {}
                Some(before) => {
                    let what = format!(
                        "it is number {} of its stream, after number {before}",
                        event.sequence
                    );
                    found = found.or_else(|| Some(Fault::of(entry, what)));
                }
            }
        }
        let wrong = first_wrong(connection, &firsts).await?;
        let earlier = wrong.filter(|at| found.as_ref().is_none_or(|found| *at < found.position));
        let entry =
            earlier.and_then(|at| entries.iter().find(|entry| entry.first_position() == at));
        Ok(match entry {
            Some(entry @ ExactEntry::Event(event)) => Some(Fault::of(
                entry,
                format!(
                    "it is number {} of its stream, and the one before it is not there, or it is there \
                     twice",
                    event.sequence
                ),
            )),
            Some(ExactEntry::Batch(_)) | None => found,
        })
    }
}

/// Where the first of these events stands that does not follow the one before it in its stream, or has
/// its number with another.
async fn first_wrong(
    connection: &mut PgConnection,
    events: &[&ExactEvent],
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "select min(f.position) from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
             as f(aggregate_type, aggregate_id, sequence, position)
         where (f.sequence <> 1 and not exists (
                 select from log.events e where e.aggregate_type = f.aggregate_type
                     and e.aggregate_id = f.aggregate_id and e.sequence = f.sequence - 1
                     and e.position < f.position))
             or exists (
                 select from log.events e where e.aggregate_type = f.aggregate_type
                     and e.aggregate_id = f.aggregate_id and e.sequence = f.sequence
                     and e.position <> f.position)",
    )
    .bind(events.iter().map(|event| &*event.aggregate_type).collect::<Vec<_>>())
    .bind(events.iter().map(|event| &*event.aggregate_id).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.sequence).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.position).collect::<Vec<_>>())
    .fetch_one(connection)
    .await
}

/// Whether an event is one that corrects what records cost.
pub(super) fn corrects(event: &ExactEvent) -> bool {
    event.event_type == USAGE_REPRICED
}

/// The first of the entries beside which other corrections stand than it was written with. `counted` is
/// told how many stand beside each.
pub(super) async fn corrections_fault(
    connection: &mut PgConnection,
    entries: &[ExactEntry],
    mut counted: impl FnMut(i64),
) -> Result<Option<Fault>, sqlx::Error> {
    for entry in entries {
        let ExactEntry::Event(event) = entry else { continue };
        if !corrects(event) {
            continue;
        }
        let corrections = exact_corrections(connection, event.position).await?;
        if let Some(what) = corrections.fault(&event.payload) {
            return Ok(Some(Fault::of(entry, what)));
        }
        counted(corrections.count);
    }
    Ok(None)
}
