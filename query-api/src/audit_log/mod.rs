//! The audit log: every event of an organization, with who did it, to what, what was before and what is
//! after. It is read in the order of the log, which never changes, so that pages stay as they are while
//! it grows.

mod csv;
mod cursor;
pub mod entry;
mod filter;
pub mod ocsf;
pub mod records;
pub mod route;

use api_conventions::{Cursor, Limit, Page};
use chrono::{DateTime, Utc};
use event_schemas::{OrganizationId, ProjectId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row as _};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::QueryError;
use crate::keyset;
use crate::organizations;
use crate::snapshot::{Projection, Snapshot};
use crate::temporal::Temporal;

pub use csv::to_csv;
pub use filter::{Actions, ActorText, Targets};
pub use route::to_ndjson;

/// The read models that an audit log is read from.
pub const READS: &[Projection] = &[Projection::AccessRegister, Projection::AuditLog];

const LIST: &str = "audit log";

/// What became of what somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditOutcome)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

impl Outcome {
    /// As the read model has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// The order of an audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditOrder)]
pub enum Order {
    /// In the order of the log.
    #[default]
    OldestFirst,
    /// The other way round.
    NewestFirst,
}

/// A line of an audit log.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AuditEntry {
    /// The organization.
    #[schema(value_type = Uuid)]
    pub organization_id: OrganizationId,
    /// Its position in the log; of a batch of usage records that of the first.
    pub position: i64,
    /// Of a batch the position of the last; else the same.
    pub last_position: i64,
    /// The event's id; of a batch the batch's.
    pub event_id: Uuid,
    /// The type of the event.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What was done: the type of the event; of a refusal the command, `nouns.verb`.
    pub action: String,
    /// Whether it was done.
    #[schema(inline)]
    pub outcome: Outcome,
    /// Of a refusal, the type of the problem that was answered.
    pub problem: Option<String>,
    /// Of a refusal, the permission that was missing, where one was.
    pub permission: Option<String>,
    /// Who did it, as `kind:id`; null where a usage record came by a way that did not say.
    pub actor: Option<String>,
    /// What they proved it with, as `kind:id`; never the secret.
    pub credential: Option<String>,
    /// What it was done to.
    pub target: AuditTarget,
    /// The project that it belongs to.
    pub project_id: Option<Uuid>,
    /// Everything that it is about, by id.
    pub concerns: Vec<Uuid>,
    /// What changed, as it was: null where nothing was, or nothing changed.
    #[schema(value_type = Option<Object>)]
    pub before: Option<serde_json::Value>,
    /// What changed, as it is: null where nothing is any more, or nothing changed.
    #[schema(value_type = Option<Object>)]
    pub after: Option<serde_json::Value>,
    /// Why, in the words of who did it.
    pub reason: Option<String>,
    /// Of a batch, how many usage records.
    pub records: Option<i64>,
    /// Of a batch, where its records are read.
    pub records_link: Option<String>,
    /// The position of the entry that brought it about, where the event names one.
    pub caused_by: Option<i64>,
    /// The request that it belongs to, with all else that the request caused.
    pub request_id: Option<String>,
    /// What caused it, where it was not the request itself; of an import what the source calls it.
    pub causation_id: Option<String>,
    /// The trace of the request (W3C).
    pub trace_id: Option<String>,
    /// The network address that the request came from.
    pub source_address: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// When the log learned of it.
    pub recorded_at: DateTime<Utc>,
}

/// What something was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditTarget {
    /// What it is: `member`, `project`, `api_key`, `project_member`, …
    pub kind: String,
    /// Its id; of what two things are to each other, that of who has it.
    pub id: String,
}

/// Which lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditFilter {
    /// Of this organization.
    pub organization_id: OrganizationId,
    /// Of these types.
    pub actions: Option<Actions>,
    /// By this actor, `kind:id`.
    pub actor: Option<String>,
    /// About all of these.
    pub targets: Option<Targets>,
    /// In this project.
    pub project_id: Option<ProjectId>,
    /// Done, or refused.
    pub outcome: Option<Outcome>,
    /// Of this request.
    pub request_id: Option<String>,
    /// What happened from then on.
    pub from: Option<DateTime<Utc>>,
    /// What happened before then.
    pub to: Option<DateTime<Utc>>,
    /// What was recorded from then on.
    pub recorded_from: Option<DateTime<Utc>>,
    /// What was recorded before then.
    pub recorded_to: Option<DateTime<Utc>>,
    /// From this position on.
    pub from_position: Option<i64>,
    /// Up to this position.
    pub at_position: Option<i64>,
    /// In this order.
    pub order: Order,
}

impl AuditFilter {
    /// All of an organization's.
    pub fn of(organization_id: OrganizationId) -> Self {
        Self {
            organization_id,
            actions: None,
            actor: None,
            targets: None,
            project_id: None,
            outcome: None,
            request_id: None,
            from: None,
            to: None,
            recorded_from: None,
            recorded_to: None,
            from_position: None,
            at_position: None,
            order: Order::default(),
        }
    }
}

pub(crate) const COLUMNS: &str = "t.organization_id, t.position, t.last_position, t.event_id, \
    t.event_type, t.action, t.outcome, t.problem, t.permission, t.actor, t.credential, \
    t.target_kind, t.target_id, t.project_id, t.concerns, t.before, t.after, t.reason, t.records, \
    t.caused_by, t.request_id, t.causation_id, t.traceparent, t.source_address, t.occurred_at, \
    t.recorded_at";

/// A page of an audit log.
pub async fn audit_log(
    snapshot: &mut Snapshot,
    filter: &AuditFilter,
    limit: Limit,
    cursor: Option<&Cursor>,
) -> Result<Page<AuditEntry>, QueryError> {
    let after: Option<i64> = cursor::after(LIST, filter, cursor)?;
    let temporal = Temporal { as_of: None, at_position: filter.at_position };
    temporal.check(snapshot)?;
    organizations::check_exists(snapshot, filter.organization_id, temporal).await?;
    let mut query = QueryBuilder::new(format!("select {COLUMNS} from read.audit_log t where true"));
    filter.push(&mut query);
    let order = match filter.order {
        Order::OldestFirst => {
            if let Some(after) = after {
                query.push(" and t.position > ").push_bind(after);
            }
            " order by t.position limit "
        }
        Order::NewestFirst => {
            if let Some(after) = after {
                query.push(" and t.position < ").push_bind(after);
            }
            " order by t.position desc limit "
        }
    };
    query.push(order).push_bind(keyset::one_more(limit));
    let entries = fetch(snapshot, query).await?;
    cursor::page(LIST, filter, entries, limit)
}

pub(crate) async fn fetch(
    snapshot: &mut Snapshot,
    mut query: QueryBuilder<'_, Postgres>,
) -> Result<Vec<AuditEntry>, QueryError> {
    let rows = query.build().fetch_all(snapshot.connection()).await?;
    rows.iter().map(|row| Ok(entry(row)?)).collect()
}

fn entry(row: &PgRow) -> Result<AuditEntry, sqlx::Error> {
    let organization_id: Uuid = row.try_get("organization_id")?;
    let event_id: Uuid = row.try_get("event_id")?;
    let records: Option<i64> = row.try_get("records")?;
    let outcome: String = row.try_get("outcome")?;
    let traceparent: Option<String> = row.try_get("traceparent")?;
    Ok(AuditEntry {
        organization_id: OrganizationId(organization_id),
        position: row.try_get("position")?,
        last_position: row.try_get("last_position")?,
        event_id,
        event_type: row.try_get("event_type")?,
        action: row.try_get("action")?,
        outcome: if outcome == Outcome::Refused.as_str() {
            Outcome::Refused
        } else {
            Outcome::Done
        },
        problem: row.try_get("problem")?,
        permission: row.try_get("permission")?,
        actor: row.try_get("actor")?,
        credential: row.try_get("credential")?,
        target: AuditTarget { kind: row.try_get("target_kind")?, id: row.try_get("target_id")? },
        project_id: row.try_get("project_id")?,
        concerns: row.try_get("concerns")?,
        before: row.try_get("before")?,
        after: row.try_get("after")?,
        reason: row.try_get("reason")?,
        records,
        records_link: records.map(|_| {
            format!("/v1/organizations/{organization_id}/usage-batches/{event_id}/records")
        }),
        caused_by: row.try_get("caused_by")?,
        request_id: row.try_get("request_id")?,
        causation_id: row.try_get("causation_id")?,
        trace_id: traceparent.and_then(|text| trace_id(&text)),
        source_address: row.try_get("source_address")?,
        occurred_at: row.try_get("occurred_at")?,
        recorded_at: row.try_get("recorded_at")?,
    })
}

/// The trace of a `traceparent`: version, trace, parent and flags with hyphens between.
fn trace_id(traceparent: &str) -> Option<String> {
    traceparent.split('-').nth(1).filter(|id| id.len() == 32).map(str::to_owned)
}
