//! One line of an audit log: what brought it about, and what it brought about.

use api_conventions::{Path, Problem, Query};
use axum::extract::State;
use event_schemas::{OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use sqlx::QueryBuilder;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{AuditEntry, COLUMNS, READS, fetch};
use crate::error::QueryError;
use crate::organizations;
use crate::parameters::{NowQuery, Refusals};
use crate::snapshot::{Rows, Snapshot};
use crate::state::{QueryState, Reflecting, highest};
use crate::temporal::Temporal;
use crate::viewer::Viewer;

/// The most causes and the most effects of one answer: of the rest of a request, the audit log's
/// `request_id` has all.
const RELATED_MAX: i64 = 200;

/// A line with those before and after it that belong to it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AuditEntryInContext {
    /// The line.
    pub entry: AuditEntry,
    /// What brought it about: the entry that its event names, and what the same request did before it.
    /// The latest 200.
    pub causes: Vec<AuditEntry>,
    /// What it brought about: what names it, and what the same request did after it. The first 200.
    pub effects: Vec<AuditEntry>,
}

/// The line of an event or of a batch of usage records; of a record's position, that of its batch.
pub async fn audit_entry(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    which: Which,
) -> Result<AuditEntryInContext, QueryError> {
    organizations::check_exists(snapshot, organization_id, Temporal::NOW).await?;
    let mut query = QueryBuilder::new(format!(
        "select {COLUMNS} from read.audit_log t where t.organization_id = "
    ));
    query.push_bind(organization_id.0);
    match which {
        Which::Event(event_id) => {
            query.push(" and t.event_id = ").push_bind(event_id);
        }
        Which::Position(position) => {
            query.push(" and t.position <= ").push_bind(position);
            query.push(" and t.last_position >= ").push_bind(position);
            query.push(" order by t.position desc");
        }
    }
    query.push(" limit 1");
    let found = fetch(snapshot, query).await?.pop();
    let entry = found.ok_or(QueryError::NotFound("audit log entry"))?;
    let causes = causes(snapshot, organization_id, &entry).await?;
    let effects = effects(snapshot, organization_id, &entry).await?;
    Ok(AuditEntryInContext { entry, causes, effects })
}

/// Which line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// That of an event, or of a batch, by its id.
    Event(Uuid),
    /// That at a position.
    Position(i64),
}

async fn causes(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    entry: &AuditEntry,
) -> Result<Vec<AuditEntry>, QueryError> {
    let mut query = QueryBuilder::new(format!(
        "select {COLUMNS} from read.audit_log t where t.organization_id = "
    ));
    query.push_bind(organization_id.0);
    query.push(" and t.position < ").push_bind(entry.position).push(" and (false");
    if let Some(position) = entry.caused_by {
        // The batch that a usage record is in began at most this far before it.
        query
            .push(" or t.position = (select b.position from read.audit_log b where b.position <= ");
        query.push_bind(position);
        query.push(" and b.organization_id = ").push_bind(organization_id.0);
        query.push(" order by b.position desc limit 1)");
    }
    if let Some(event_id) = entry.causation_id.as_ref().and_then(|id| id.parse::<Uuid>().ok()) {
        query.push(" or t.event_id = ").push_bind(event_id);
    }
    if let Some(request_id) = &entry.request_id {
        query.push(" or t.request_id = ").push_bind(request_id.clone());
    }
    query.push(") order by t.position desc limit ").push_bind(RELATED_MAX);
    let mut causes = fetch(snapshot, query).await?;
    causes.reverse();
    Ok(causes)
}

async fn effects(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    entry: &AuditEntry,
) -> Result<Vec<AuditEntry>, QueryError> {
    let mut query = QueryBuilder::new(format!(
        "select {COLUMNS} from read.audit_log t where t.organization_id = "
    ));
    query.push_bind(organization_id.0);
    query.push(" and t.position > ").push_bind(entry.position);
    query.push(" and (t.caused_by between ").push_bind(entry.position);
    query.push(" and ").push_bind(entry.last_position);
    query.push(" or t.causation_id = ").push_bind(entry.event_id.to_string());
    if let Some(request_id) = &entry.request_id {
        query.push(" or t.request_id = ").push_bind(request_id.clone());
    }
    query.push(") order by t.position limit ").push_bind(RELATED_MAX);
    fetch(snapshot, query).await
}

/// A line of an organization's audit log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct AuditEntryPath {
    /// The id.
    #[param(value_type = Uuid)]
    organization_id: OrganizationId,
    /// The event's id, or the batch's.
    event_id: Uuid,
}

/// A line of the audit log, with what brought it about and what it brought about.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/audit-log/{event_id}",
    operation_id = "get_audit_log_entry", tag = "audit log", params(AuditEntryPath, NowQuery),
    responses((status = 200, body = AuditEntryInContext), Refusals))]
pub(crate) async fn get_audit_log_entry(
    State(state): State<QueryState>,
    Path(path): Path<AuditEntryPath>,
    viewer: Viewer,
    Query(query): Query<NowQuery>,
) -> Result<Reflecting<AuditEntryInContext>, Problem> {
    viewer.must(Permission::AuditRead)?;
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, highest(&[query.min_position])).await?;
    let which = Which::Event(path.event_id);
    let body = audit_entry(&mut snapshot, path.organization_id, which).await?;
    Ok(Reflecting::new(snapshot.position(), body))
}
