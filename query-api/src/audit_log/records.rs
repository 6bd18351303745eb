//! The usage records behind a line of the audit log.

use api_conventions::{Cursor, Limit, Page, Path, Position, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{Amount, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::READS;
use crate::costs::known::{batch_is_here, records_are_here};
use crate::error::QueryError;
use crate::keyset;
use crate::parameters::Refusals;
use crate::snapshot::{Rows, Snapshot};
use crate::state::{QueryState, Reflecting, highest};
use crate::viewer::Viewer;

const LIST: &str = "usage record";

/// A usage record, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BatchRecord {
    /// Its position in the log.
    pub position: i64,
    /// The request, by which its cost is explained.
    pub request_id: String,
    /// The project.
    pub project_id: Uuid,
    /// The key that was used, where known.
    pub api_key_id: Option<Uuid>,
    /// The member whose key it was.
    pub member_id: Option<Uuid>,
    /// The service account whose key it was.
    pub service_account_id: Option<Uuid>,
    /// The customer's own user.
    pub end_user: Option<String>,
    /// What the customer's product calls it.
    pub feature: String,
    /// Who served the model.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Input tokens.
    pub input_tokens: i64,
    /// Output tokens.
    pub output_tokens: i64,
    /// What it cost; null where no price was known.
    #[schema(value_type = Option<String>)]
    pub cost: Option<Amount>,
    /// In which currency.
    pub currency: Option<String>,
    /// The position of the price list that priced it.
    pub price_version: Option<i64>,
    /// When the request was made.
    pub occurred_at: DateTime<Utc>,
}

/// A batch, and the page of its records that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Batch {
    organization_id: OrganizationId,
    batch_id: Uuid,
}

async fn records(
    snapshot: &mut Snapshot,
    batch: &Batch,
    limit: Limit,
    cursor: Option<&Cursor>,
) -> Result<Page<BatchRecord>, QueryError> {
    let after: Option<i64> = keyset::after(LIST, batch, cursor)?;
    let first: Option<i64> = sqlx::query_scalar(
        "select position from read.audit_log
         where organization_id = $1 and event_id = $2 and records is not null",
    )
    .bind(batch.organization_id.0)
    .bind(batch.batch_id)
    .fetch_optional(snapshot.connection())
    .await?;
    let first = first.ok_or(QueryError::NotFound("batch of usage records"))?;
    records_are_here(snapshot.connection()).await?;
    batch_is_here(snapshot.connection(), batch.organization_id, batch.batch_id).await?;
    let rows = sqlx::query(
        "select $3 + r.ordinal as position, r.request_id, r.project_id, r.api_key_id, r.member_id,
             r.service_account_id, r.end_user, r.feature, r.provider, r.model, r.input_tokens,
             r.output_tokens, r.cost_pico, r.currency, r.price_version, r.occurred_at
         from log.usage_records r join log.usage_batches b using (batch_id)
         where b.batch_id = $2 and b.organization_id = $1 and r.organization_id = $1
             and r.occurred_day between b.first_day and b.last_day and $3 + r.ordinal > $4
         order by r.ordinal limit $5",
    )
    .bind(batch.organization_id.0)
    .bind(batch.batch_id)
    .bind(first)
    .bind(after.unwrap_or(0))
    .bind(keyset::one_more(limit))
    .fetch_all(snapshot.connection())
    .await?;
    let found = rows.iter().map(record).collect::<Result<Vec<_>, _>>()?;
    keyset::page(LIST, batch, found, limit, |record| record.position)
}

fn record(row: &PgRow) -> Result<BatchRecord, sqlx::Error> {
    let cost: Option<i64> = row.try_get("cost_pico")?;
    Ok(BatchRecord {
        position: row.try_get("position")?,
        request_id: row.try_get("request_id")?,
        project_id: row.try_get("project_id")?,
        api_key_id: row.try_get("api_key_id")?,
        member_id: row.try_get("member_id")?,
        service_account_id: row.try_get("service_account_id")?,
        end_user: row.try_get("end_user")?,
        feature: row.try_get("feature")?,
        provider: row.try_get("provider")?,
        model: row.try_get("model")?,
        input_tokens: row.try_get("input_tokens")?,
        output_tokens: row.try_get("output_tokens")?,
        cost: cost.map(|pico| Amount::from_pico(i128::from(pico))),
        currency: row.try_get("currency")?,
        price_version: row.try_get("price_version")?,
        occurred_at: row.try_get("occurred_at")?,
    })
}

/// A batch of an organization's usage records.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct BatchPath {
    /// The id.
    #[param(value_type = Uuid)]
    organization_id: OrganizationId,
    /// The batch, as the audit log names it.
    batch_id: Uuid,
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BatchQuery {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// The most items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// The usage records of a batch, in the order of the log.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/usage-batches/{batch_id}/records",
    operation_id = "list_usage_batch_records", tag = "audit log", params(BatchPath, BatchQuery),
    responses((status = 200, body = Page<BatchRecord>), Refusals))]
pub(crate) async fn list_usage_batch_records(
    State(state): State<QueryState>,
    Path(path): Path<BatchPath>,
    viewer: Viewer,
    Query(query): Query<BatchQuery>,
) -> Result<Reflecting<Page<BatchRecord>>, Problem> {
    viewer.must(Permission::AuditRead)?;
    viewer.must(Permission::UsageRead)?;
    let BatchPath { organization_id, batch_id } = path;
    let rows = Rows::Of(organization_id);
    let mut snapshot = state.snapshot(rows, READS, highest(&[query.min_position])).await?;
    let batch = Batch { organization_id, batch_id };
    let limit = query.limit.unwrap_or_default();
    let body = records(&mut snapshot, &batch, limit, query.cursor.as_ref()).await?;
    Ok(Reflecting::page(snapshot.position(), body))
}
