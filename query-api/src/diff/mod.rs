//! What changed between two times: access, keys, budgets and money, each line with the event that changed
//! it, who did it and why.

mod access;
mod budgets;
mod events;
mod money;
mod names;
pub mod route;

use chrono::{DateTime, Utc};
use event_schemas::OrganizationId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::QueryError;
use crate::organizations::{self, OrganizationRef};
use crate::snapshot::{Projection, Snapshot};
use crate::temporal::Temporal;

pub use money::MoneyDiff;

/// The read models that a diff is read from.
pub const READS: &[Projection] =
    &[Projection::AccessRegister, Projection::Balances, Projection::AuditLog, Projection::Budgets];

/// The most lines of one answer.
pub const LINES_MAX: usize = 50_000;

/// Between which times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffQuery {
    /// The organization.
    pub organization: OrganizationRef,
    /// As it was at this time; without it, before there was anything.
    pub from: Option<DateTime<Utc>>,
    /// As it was at this time; without it, as it is.
    pub to: Option<DateTime<Utc>>,
    /// As the log knew it at this position; without it, as it knows it now.
    pub at_position: Option<i64>,
    /// Whether what is the same at both times is left out, and what changed more than once is one line.
    pub net: bool,
}

/// What changed in an organization between two times.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OrganizationDiff {
    /// The organization.
    #[schema(value_type = Uuid)]
    pub organization_id: OrganizationId,
    /// Its name.
    pub organization: String,
    /// The position of the log that this reflects.
    pub position: i64,
    /// From this time; null from the beginning.
    pub from: Option<DateTime<Utc>>,
    /// To this time; null: as it is.
    pub to: Option<DateTime<Utc>>,
    /// What changed, in order of time.
    pub lines: Vec<DiffLine>,
    /// What it came to, by currency.
    pub money: Vec<MoneyDiff>,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Who may do what, and what the organization has settled.
    Access,
    /// API keys.
    Keys,
    /// Budgets, and which of their thresholds were reached.
    Budgets,
    /// Credits and prices.
    Money,
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It is there since.
    Began,
    /// It is otherwise since.
    Changed,
    /// It is not there any more.
    Ended,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DiffLine {
    /// What it is about.
    #[schema(inline)]
    pub area: Area,
    /// What changed: `member`, `project_member`, `api_key`, `budget`, `budget_threshold`, `credits`, …
    pub kind: String,
    /// Its name, and where it belongs to others, theirs.
    pub name: String,
    /// What became of it.
    #[schema(inline)]
    pub became: Became,
    /// Its ids, by what they are of.
    #[schema(value_type = Object)]
    pub ids: Map<String, Value>,
    /// What changed, as it was; null where nothing was.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// What changed, as it is; null where nothing is.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// Since when it is so.
    pub at: DateTime<Utc>,
    /// The position of the event that changed it: of several that a line stands for, the last.
    pub position: i64,
    /// How many changes the line stands for.
    pub changes: usize,
    /// The event's id, by which the audit log has it.
    pub event_id: Option<Uuid>,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// Who did it, as `kind:id`.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When the log learned of it.
    pub recorded_at: Option<DateTime<Utc>>,
}

/// What changed.
pub async fn diff(
    snapshot: &mut Snapshot,
    query: &DiffQuery,
) -> Result<OrganizationDiff, QueryError> {
    if query.from.zip(query.to).is_some_and(|(from, to)| from >= to) {
        return Err(QueryError::invalid("to", "it must be after from"));
    }
    let temporal = Temporal { as_of: None, at_position: query.at_position };
    temporal.check(snapshot)?;
    let (organization_id, organization) =
        organizations::find(snapshot, &query.organization).await?;
    organizations::check_exists(snapshot, organization_id, temporal).await?;
    let span = Span {
        organization_id: organization_id.0,
        from: query.from,
        to: query.to,
        temporal: temporal.simplified(snapshot),
        position: query.at_position.unwrap_or(snapshot.position()),
    };
    let names = names::Names::read(snapshot, &span).await?;
    let mut lines = access::lines(snapshot, &span, &names, query.net).await?;
    lines.extend(budgets::lines(snapshot, &span, &names).await?);
    lines.extend(money::lines(snapshot, &span).await?);
    if lines.len() > LINES_MAX {
        return Err(QueryError::TooManyRows { rows_max: LINES_MAX });
    }
    events::add_to(snapshot, &span, &mut lines).await?;
    lines.sort_by(|a, b| {
        (a.at, a.position, &a.kind, &a.name).cmp(&(b.at, b.position, &b.kind, &b.name))
    });
    let money = money::sums(snapshot, &span).await?;
    let (position, from, to) = (span.position, query.from, query.to);
    Ok(OrganizationDiff { organization_id, organization, position, from, to, lines, money })
}

/// Between which times, and as known when.
struct Span {
    organization_id: Uuid,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    temporal: Temporal,
    position: i64,
}

impl Span {
    /// Whether something that happened then is a change between the two times.
    fn has(&self, time: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| time > from) && self.to.is_none_or(|to| time <= to)
    }
}
