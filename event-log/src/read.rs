//! Reading by position: both lanes of the log as one gapless sequence.

pub mod of_organization;

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::usage_repricing::USAGE_REPRICED;
use event_schemas::{
    ApiKeyId, MemberId, Month, OrganizationId, PersonId, ProjectId, RecordedEvent,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row};
use uuid::Uuid;

/// How many usage records one page may span, so that a page bounds a reader's time. They are not read with
/// it: projections have Postgres group them where they lie, and adding the groups up takes the same time
/// for many records as for few. Who is far behind so catches up in large steps.
const PAGE_USAGE_MAX: i64 = 200_000;

/// How many batches of usage records one page may span.
const USAGE_RUNS_MAX: usize = 1_000;

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database failed.
    #[error(transparent)]
    Sqlx(#[from] sqlx::Error),
    /// Positions are missing between two that are there: the log was tampered with, or lost data.
    #[error("the log has a hole: {found} entries between position {after} and {upto}")]
    Hole {
        /// The position before.
        after: i64,
        /// The position after.
        upto: i64,
        /// How many there are in between.
        found: i64,
    },
    /// What an event says was corrected is not what stands beside it.
    #[error(
        "the corrections of the event at position {position} are not those that it was written with, or \
         their records are not in the log's tables any more: restore what was archived, or the log"
    )]
    Corrections {
        /// The event's position.
        position: i64,
    },
    /// Records that were to be read have been archived.
    #[error(
        "usage of {month} is archived, and its records are needed: restore it (`orgledger usage restore`)"
    )]
    Archived {
        /// The first of the months that are needed.
        month: Month,
    },
}

/// A batch of usage records, by where it stands: the records are read from their table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRun {
    /// The position of its first record.
    pub first_position: i64,
    /// The batch.
    pub batch_id: Uuid,
    /// The organization.
    pub organization_id: OrganizationId,
    /// How many records.
    pub count: i64,
    /// The earliest day of its records.
    pub first_day: NaiveDate,
    /// The latest day of its records.
    pub last_day: NaiveDate,
    /// When the log learned of them.
    pub recorded_at: DateTime<Utc>,
    /// Who sent them, and the rest of the metadata.
    pub metadata: serde_json::Value,
}

impl UsageRun {
    /// The position of its last record.
    pub fn last_position(&self) -> i64 {
        self.first_position + self.count - 1
    }
}

/// All that stands in the log after one position and up to another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The events, in order of position.
    pub events: Vec<RecordedEvent>,
    /// The batches of usage records, in order of position.
    pub usage: Vec<UsageRun>,
    /// The position up to which the page reaches; the one it was read after, where it is empty.
    pub upto: i64,
    /// Whether there was more behind it when it was read.
    pub more: bool,
}

impl Page {
    /// When the log learned of the page's last entry.
    pub fn recorded_at(&self) -> Option<DateTime<Utc>> {
        let event = self.events.last().map(|e| (e.position, e.recorded_at));
        let usage = self.usage.last().map(|u| (u.last_position(), u.recorded_at));
        event.max(usage).map(|(_, at)| at)
    }
}

/// Reads what follows `after`, at most `events_max` events at once.
pub async fn read_page(
    connection: &mut PgConnection,
    after: i64,
    events_max: i64,
) -> Result<Page, ReadError> {
    read_page_upto(connection, after, events_max, i64::MAX).await
}

/// The same as if the log ended at a position or, where that lies within a batch of usage records, with
/// the batch.
pub async fn read_page_upto(
    connection: &mut PgConnection,
    after: i64,
    events_max: i64,
    end: i64,
) -> Result<Page, ReadError> {
    // The head first: what it covers has committed, so both queries see all of it.
    let head: i64 =
        sqlx::query_scalar("select position from log.head").fetch_one(&mut *connection).await?;
    let head = head.min(end);
    if head <= after {
        return Ok(Page { upto: after, ..Page::default() });
    }
    let mut events = read_events(connection, after, head, events_max).await?;
    let mut usage = read_usage_runs(connection, after, head).await?;
    let mut upto = usage.last().map_or(head, |last| last.last_position().max(head));
    if i64::try_from(events.len()) == Ok(events_max) {
        upto = events.last().map_or(after, |event| event.position);
    }
    if usage.len() == USAGE_RUNS_MAX {
        upto = upto.min(usage.last().map_or(after, UsageRun::last_position));
    }
    let mut records = 0;
    let whole = usage.iter().position(|run| {
        records += run.count;
        records > PAGE_USAGE_MAX
    });
    // A single batch is taken whole, however large it is.
    if let Some(cut) = whole.map(|cut| cut.max(1)).filter(|cut| *cut < usage.len()) {
        upto = upto.min(usage[cut].first_position - 1);
    }
    upto = upto.min(last_with_corrections(&events).unwrap_or(upto));
    // A batch is never split: where the events end within or before it, it goes to the next page.
    events.retain(|event| event.position <= upto);
    usage.retain(|run| run.first_position <= upto);
    let found = i64::try_from(events.len()).unwrap_or(i64::MAX)
        + usage.iter().map(|run| run.count).sum::<i64>();
    if found != upto - after {
        return Err(ReadError::Hole { after, upto, found });
    }
    Ok(Page { events, usage, upto, more: upto < head })
}

/// Where a page ends so that it has no more corrections than records; none where it may go on. A single
/// event is taken whole.
fn last_with_corrections(events: &[RecordedEvent]) -> Option<i64> {
    let mut corrections = 0;
    let mut any = false;
    for event in events.iter().filter(|event| event.event_type == USAGE_REPRICED) {
        corrections += event.payload["corrections"].as_i64().unwrap_or(0);
        if any && corrections > PAGE_USAGE_MAX {
            return Some(event.position - 1);
        }
        any = true;
    }
    None
}

async fn read_events(
    connection: &mut PgConnection,
    after: i64,
    upto: i64,
    events_max: i64,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    let rows = sqlx::query(
        "select position, event_id, organization_id, aggregate_type, aggregate_id, sequence,
                event_type, event_version, payload, metadata, occurred_at, recorded_at
         from log.events where position > $1 and position <= $2 order by position limit $3",
    )
    .bind(after)
    .bind(upto)
    .bind(events_max)
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(event).collect())
}

/// Every published price list after a position, in order, each brought to its current version.
pub async fn read_price_lists(
    pool: &PgPool,
    after: i64,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    let rows = sqlx::query(
        "select position, event_id, organization_id, aggregate_type, aggregate_id, sequence,
                event_type, event_version, payload, metadata, occurred_at, recorded_at
         from log.events where aggregate_type = 'price_list' and position > $1 order by position",
    )
    .bind(after)
    .fetch_all(pool)
    .await?;
    let upcasters = event_schemas::upcast::upcasters();
    let current = |event: RecordedEvent| event_schemas::upcast::upcast_recorded(event, &upcasters);
    Ok(rows.iter().map(event).map(current).collect())
}

/// The API key that was given a secret with this hash, whatever has become of it since.
pub async fn api_key_with_secret(
    pool: &PgPool,
    secret_hash: &str,
) -> Result<Option<ApiKeyId>, sqlx::Error> {
    let found: Option<String> = sqlx::query_scalar(
        "select aggregate_id from log.events
         where aggregate_type = 'api_key' and event_type in ('api_key.created', 'api_key.rotated')
           and payload ->> 'secret_hash' = $1
         limit 1",
    )
    .bind(secret_hash)
    .fetch_optional(pool)
    .await?;
    Ok(found.and_then(|id| id.parse().ok()))
}

/// The events of an organization's own stream that are about a person. In those from before people had
/// ids, the membership's or the invite's is theirs.
pub(crate) async fn read_person(
    pool: &PgPool,
    organization_id: OrganizationId,
    person_id: PersonId,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    let rows = sqlx::query(
        "select position, event_id, organization_id, aggregate_type, aggregate_id, sequence,
                event_type, event_version, payload, metadata, occurred_at, recorded_at
         from log.events where aggregate_type = 'organization' and aggregate_id = $1
             and $2 in (payload ->> 'person_id', payload ->> 'member_id', payload ->> 'invite_id')
         order by sequence",
    )
    .bind(organization_id.to_string())
    .bind(person_id.to_string())
    .fetch_all(pool)
    .await?;
    Ok(rows.iter().map(event).collect())
}

/// Whose API keys are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeysOf {
    /// A member's own.
    Member(MemberId),
    /// All that work for a project.
    Project(ProjectId),
}

/// The API keys that a member or a project was ever given, the oldest first, whatever has become of
/// them since.
pub async fn api_keys_of(pool: &PgPool, of: KeysOf) -> Result<Vec<ApiKeyId>, sqlx::Error> {
    let (statement, id) = match of {
        KeysOf::Member(member_id) => (
            "select aggregate_id from log.events
             where aggregate_type = 'api_key' and event_type = 'api_key.created'
               and payload -> 'owner' ->> 'member_id' = $1
             order by position",
            member_id.0,
        ),
        KeysOf::Project(project_id) => (
            "select aggregate_id from log.events
             where aggregate_type = 'api_key' and event_type = 'api_key.created'
               and payload ->> 'project_id' = $1
             order by position",
            project_id.0,
        ),
    };
    let found: Vec<String> =
        sqlx::query_scalar(statement).bind(id.to_string()).fetch_all(pool).await?;
    Ok(found.iter().filter_map(|id| id.parse().ok()).collect())
}

/// The events that say something of a person or of a membership, or that the member caused, in order
/// and as they stand in the log: sealed. At most `events_max`. It reads all of the log's events; it is for
/// the rare export of what is known of somebody.
pub async fn events_about(
    pool: &PgPool,
    organization_id: OrganizationId,
    person_id: PersonId,
    member_id: MemberId,
    events_max: i64,
) -> Result<Vec<RecordedEvent>, sqlx::Error> {
    let rows = sqlx::query(
        "select position, event_id, organization_id, aggregate_type, aggregate_id, sequence, event_type,
             event_version, payload, metadata, occurred_at, recorded_at
         from log.events
         where organization_id = $1
           and (payload ->> 'person_id' = $2 or payload ->> 'member_id' = $3
                or payload -> 'owner' ->> 'member_id' = $3
                or (metadata ->> 'actor_kind' = 'member' and metadata ->> 'actor_id' = $3))
         order by position limit $4",
    )
    .bind(organization_id.0)
    .bind(person_id.to_string())
    .bind(member_id.to_string())
    .bind(events_max)
    .fetch_all(pool)
    .await?;
    Ok(rows.iter().map(event).collect())
}

fn event(row: &PgRow) -> RecordedEvent {
    RecordedEvent {
        position: row.get(0),
        event_id: row.get(1),
        organization_id: row.get::<Option<Uuid>, _>(2).map(OrganizationId),
        aggregate_type: row.get(3),
        aggregate_id: row.get(4),
        sequence: row.get(5),
        event_type: row.get(6),
        event_version: row.get(7),
        payload: row.get(8),
        metadata: row.get(9),
        occurred_at: row.get(10),
        recorded_at: row.get(11),
    }
}

async fn read_usage_runs(
    connection: &mut PgConnection,
    after: i64,
    upto: i64,
) -> Result<Vec<UsageRun>, sqlx::Error> {
    let rows = sqlx::query(
        "select first_position, batch_id, organization_id, count::bigint, first_day, last_day,
                recorded_at, metadata
         from log.usage_batches where first_position > $1 and first_position <= $2
         order by first_position limit $3",
    )
    .bind(after)
    .bind(upto)
    .bind(i64::try_from(USAGE_RUNS_MAX).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| UsageRun {
            first_position: row.get(0),
            batch_id: row.get(1),
            organization_id: OrganizationId(row.get(2)),
            count: row.get(3),
            first_day: row.get(4),
            last_day: row.get(5),
            recorded_at: row.get(6),
            metadata: row.get(7),
        })
        .collect())
}
