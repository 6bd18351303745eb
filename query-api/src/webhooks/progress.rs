//! How far webhooks are. It stands beside the log, and is of now alone.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use event_schemas::OrganizationId;
use serde::Serialize;
use sqlx::{Executor as _, PgPool, Postgres, Row as _, Transaction};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::QueryError;

/// How far a webhook is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WebhookProgress {
    /// Every event up to this position was taken, or is of none of the webhook's types.
    pub position: i64,
    /// Whether events of the past are being sent again.
    pub replaying: bool,
    /// How often the event that comes next was tried in vain, since anything about the webhook was
    /// changed last.
    pub attempts: i32,
    /// When it is tried again.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When anything was sent last.
    pub attempted_at: Option<DateTime<Utc>>,
    /// What the endpoint answered then; null where it did not answer.
    pub status: Option<i16>,
    /// What went wrong then.
    pub error: Option<String>,
}

/// A transaction that sees an organization's rows of what was delivered, where the log is.
pub(super) async fn begin(
    log: &PgPool,
    organization_id: OrganizationId,
) -> Result<Transaction<'static, Postgres>, QueryError> {
    let mut tx = log.begin_with("begin isolation level repeatable read read only").await?;
    let rows = format!("set local orgledger.organization_id to '{organization_id}'");
    tx.execute(rows.as_str()).await?;
    Ok(tx)
}

/// How far each webhook of an organization is, those that were removed included.
pub(super) async fn of(
    log: &PgPool,
    organization_id: OrganizationId,
) -> Result<HashMap<Uuid, WebhookProgress>, QueryError> {
    let mut tx = begin(log, organization_id).await?;
    let rows = sqlx::query(
        "select webhook_id, position, replay_position is not null as replaying, attempts,
             next_attempt_at, attempted_at, status, error
         from delivery.webhooks where organization_id = $1",
    )
    .bind(organization_id.0)
    .fetch_all(&mut *tx)
    .await?;
    let read = |row: &sqlx::postgres::PgRow| -> Result<_, sqlx::Error> {
        Ok((
            row.try_get("webhook_id")?,
            WebhookProgress {
                position: row.try_get("position")?,
                replaying: row.try_get("replaying")?,
                attempts: row.try_get("attempts")?,
                next_attempt_at: row.try_get("next_attempt_at")?,
                attempted_at: row.try_get("attempted_at")?,
                status: row.try_get("status")?,
                error: row.try_get("error")?,
            },
        ))
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}
