//! Why: from what a register, a balance or a report says to the events behind it.

mod access;
mod departure;
mod money;
pub mod route;
mod subject;
mod usage;

use chrono::{DateTime, Utc};
use event_schemas::{Currency, MemberId, OrganizationId, ProjectId};
use serde::Serialize;
use sqlx::{Postgres, QueryBuilder};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::audit_log::{self, AuditEntry};
use crate::costs::CostTotal;
use crate::error::QueryError;
use crate::organizations;
use crate::snapshot::{Projection, Snapshot};
use crate::temporal::Temporal;

pub use usage::{Tags, WhyUsage};

/// The read models that this is read from.
pub const READS: &[Projection] = &[
    Projection::AccessRegister,
    Projection::AccessReviews,
    Projection::AuditLog,
    Projection::Balances,
    Projection::CostPerFeature,
    Projection::LastUse,
];

/// The most events behind one line; of the rest, the audit log has all.
pub const EVENTS_MAX: usize = 500;

/// What is asked about. All that is named is answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WhyQuery {
    /// What this member has.
    pub member_id: Option<MemberId>,
    /// In this project alone, beside what they have everywhere.
    pub project_id: Option<ProjectId>,
    /// This thing: a key, an invite, a group, a lot.
    pub subject: Option<Uuid>,
    /// The balance in this currency.
    pub currency: Option<Currency>,
    /// Lines of a report of costs. `as_of` is then a time at which the log had learned of something.
    pub usage: Option<WhyUsage>,
    /// What was true at a time, and what the log knew at a position.
    pub temporal: Temporal,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Why {
    /// The organization.
    #[schema(value_type = Uuid)]
    pub organization_id: OrganizationId,
    /// The position of the log that this reflects.
    pub position: i64,
    /// When it was so; null: now.
    pub as_of: Option<DateTime<Utc>>,
    /// What is so, each with the events behind it.
    pub lines: Vec<WhyLine>,
    /// Of a member who has left or was suspended, how that went.
    pub departure: Option<Departure>,
}

/// Something that is so, and why.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
pub struct WhyLine {
    /// What kind of thing: `member`, `project_member`, `group_member`, `project_group`, `role_grant`,
    /// `balance`, `usage`, `repricing`, or what the subject is.
    pub kind: String,
    /// What is so, in words.
    pub what: String,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// Who brought it about, as `kind:id`.
    pub granted_by: Option<String>,
    /// The events behind it, in the order of the log; the first 500.
    pub events: Vec<AuditEntry>,
    /// Whether there are more.
    pub more: bool,
    /// Of usage, how many of its records came with each of the events; of a repricing, how many each
    /// priced again. Left out elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub records: Vec<WhyRecords>,
    /// Of usage, what it comes to, as a report of costs says it. Left out elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub totals: Vec<CostTotal>,
    /// Who has attested it, in access reviews.
    pub attestations: Vec<Attestation>,
}

/// How many of the usage records that are asked about belong to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct WhyRecords {
    /// The position of the event.
    pub position: i64,
    /// How many records.
    pub records: i64,
}

/// What somebody said of it in an access review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Attestation {
    /// The review.
    pub access_review_id: Uuid,
    /// Its title.
    pub title: String,
    /// `keep` or `revoke`.
    pub decision: String,
    /// Why.
    pub reason: Option<String>,
    /// Who said so, as `kind:id`.
    pub attested_by: Option<String>,
    /// When.
    pub attested_at: Option<DateTime<Utc>>,
    /// What became of it, once the review was closed.
    pub outcome: Option<String>,
}

/// How a departure took effect.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Departure {
    /// The event: `member.removed` or `member.suspended`.
    pub event: AuditEntry,
    /// When they left.
    pub left_at: DateTime<Utc>,
    /// When the log learned of it. From this position on no command of theirs is accepted, and no key of
    /// theirs works.
    pub effective_at: DateTime<Utc>,
    /// How long that took, in seconds.
    pub seconds: i64,
    /// When they last did something themselves.
    pub last_command_at: Option<DateTime<Utc>>,
    /// When the latest request with a key of theirs was made.
    pub last_use_at: Option<DateTime<Utc>>,
}

/// Why it is so.
pub async fn why(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    query: &WhyQuery,
) -> Result<Why, QueryError> {
    query.temporal.check(snapshot)?;
    organizations::check_exists(snapshot, organization_id, query.temporal).await?;
    let position = query.temporal.at_position.unwrap_or(snapshot.position());
    let asked = Asked { organization_id: organization_id.0, position, temporal: query.temporal };
    let mut lines = Vec::new();
    let mut departure = None;
    if let Some(MemberId(member_id)) = query.member_id {
        let project_id = query.project_id.map(|id| id.0);
        lines.extend(access::lines(snapshot, &asked, member_id, project_id).await?);
        departure = departure::of(snapshot, &asked, member_id).await?;
    }
    if let Some(subject) = query.subject {
        lines.extend(subject::line(snapshot, &asked, subject).await?);
    }
    if let Some(currency) = query.currency {
        lines.extend(money::balance(snapshot, &asked, currency).await?);
    }
    if let Some(usage) = &query.usage {
        lines.extend(usage::lines(snapshot, &asked, usage).await?);
    }
    Ok(Why { organization_id, position, as_of: query.temporal.as_of, lines, departure })
}

/// The latest thing of a name, whatever has become of it: in a view of `read`, by a column.
pub async fn named(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    (view, id, called): (&str, &str, &str),
    name: &str,
) -> Result<Option<Uuid>, QueryError> {
    let find = format!(
        "select {id} from read.{view} where organization_id = $1 and lower({called}) = lower($2)
         order by valid_from desc, known_from desc limit 1"
    );
    let found = sqlx::query_scalar(&find).bind(organization_id.0).bind(name);
    Ok(found.fetch_optional(snapshot.connection()).await?)
}

/// Of which organization, and when.
struct Asked {
    organization_id: Uuid,
    position: i64,
    temporal: Temporal,
}

impl Asked {
    /// The beginning of a question to the audit log: of the organization, known by then, and happened.
    fn events(&self) -> QueryBuilder<'static, Postgres> {
        let mut query = QueryBuilder::new(format!(
            "select {} from read.audit_log t where t.organization_id = ",
            audit_log::COLUMNS
        ));
        query.push_bind(self.organization_id);
        query.push(" and t.position <= ").push_bind(self.position);
        if let Some(time) = self.temporal.as_of {
            query.push(" and t.occurred_at <= ").push_bind(time);
        }
        query
    }
}

/// The first events of a question, and whether there are more.
async fn first(
    snapshot: &mut Snapshot,
    mut query: QueryBuilder<'_, Postgres>,
) -> Result<(Vec<AuditEntry>, bool), QueryError> {
    query.push(format_args!(" order by t.position limit {}", EVENTS_MAX + 1));
    let mut events = audit_log::fetch(snapshot, query).await?;
    let more = events.len() > EVENTS_MAX;
    events.truncate(EVENTS_MAX);
    Ok((events, more))
}
