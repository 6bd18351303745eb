//! What was sent to a webhook.

use api_conventions::{Cursor, Limit, Page, Path, Position, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{Permission, WebhookId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Webhook, progress};
use crate::error::QueryError;
use crate::keyset;
use crate::list::{self, Listed as _};
use crate::parameters::{Refusals, WebhookPath};
use crate::snapshot::Rows;
use crate::state::{QueryState, Reflecting, highest};
use crate::temporal::Temporal;
use crate::viewer::{Viewer, Visible};

const LIST: &str = "webhook delivery";

/// What has become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// The endpoint took it.
    Delivered,
    /// The endpoint has not taken it yet.
    Retrying,
    /// The endpoint took it in none of the tries, or is gone: it is tried again when the webhook is
    /// enabled. A test is sent once, and not tried again.
    Failed,
}

impl DeliveryState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retrying => "retrying",
            Self::Failed => "failed",
        }
    }
}

/// An event that was sent to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WebhookDelivery {
    /// The event's position in the log.
    pub position: i64,
    /// The event's id: what `webhook-id` says, each time that it is sent.
    pub event_id: Uuid,
    /// The event's type; `webhook.test` of a test message.
    pub event_type: String,
    /// `delivered`, `retrying` or `failed`.
    pub state: String,
    /// How often it was sent in all, replays included.
    pub attempts: i32,
    /// What the endpoint answered last; null where it did not answer.
    pub status: Option<i16>,
    /// What went wrong last.
    pub error: Option<String>,
    /// When it was sent first.
    pub first_attempt_at: DateTime<Utc>,
    /// When it was sent last.
    pub last_attempt_at: DateTime<Utc>,
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveriesQuery {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// Those in this state only.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// The most items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// What a page is one of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Deliveries {
    webhook_id: WebhookId,
    state: Option<DeliveryState>,
}

async fn deliveries(
    tx: &mut PgConnection,
    of: &Deliveries,
    limit: Limit,
    before: Option<i64>,
) -> Result<Page<WebhookDelivery>, QueryError> {
    let rows = sqlx::query(
        "select position, event_id, event_type, state, attempts, status, error, first_attempt_at,
             last_attempt_at
         from delivery.deliveries
         where webhook_id = $1 and position < $2 and ($3::text is null or state = $3)
         order by position desc limit $4",
    )
    .bind(of.webhook_id.0)
    .bind(before.unwrap_or(i64::MAX))
    .bind(of.state.map(DeliveryState::as_str))
    .bind(keyset::one_more(limit))
    .fetch_all(tx)
    .await?;
    let items = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
    keyset::page(LIST, of, items, limit, |last| last.position)
}

fn delivery(row: &PgRow) -> Result<WebhookDelivery, sqlx::Error> {
    Ok(WebhookDelivery {
        position: row.try_get("position")?,
        event_id: row.try_get("event_id")?,
        event_type: row.try_get("event_type")?,
        state: row.try_get("state")?,
        attempts: row.try_get("attempts")?,
        status: row.try_get("status")?,
        error: row.try_get("error")?,
        first_attempt_at: row.try_get("first_attempt_at")?,
        last_attempt_at: row.try_get("last_attempt_at")?,
    })
}

/// What was sent to a webhook in the last 30 days, the newest event first.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/webhooks/{webhook_id}/deliveries",
    operation_id = "list_webhook_deliveries", tag = "webhooks",
    params(WebhookPath, DeliveriesQuery),
    responses((status = 200, body = Page<WebhookDelivery>), Refusals))]
pub(crate) async fn list_webhook_deliveries(
    State(state): State<QueryState>,
    Path(path): Path<WebhookPath>,
    viewer: Viewer,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Reflecting<Page<WebhookDelivery>>, Problem> {
    viewer.must(Permission::WebhooksRead)?;
    let WebhookPath { organization_id, webhook_id } = path;
    let of = Deliveries { webhook_id, state: query.state };
    let before = keyset::after(LIST, &of, query.cursor.as_ref())?;
    let rows = Rows::Of(organization_id);
    let position_min = highest(&[query.min_position]);
    let mut snapshot = state.snapshot(rows, Webhook::READS, position_min).await?;
    let (now, all) = (Temporal::NOW, Visible::All);
    list::get::<Webhook>(&mut snapshot, organization_id, webhook_id.0, now, &all).await?;
    let position = snapshot.position();
    drop(snapshot);
    let mut tx = progress::begin(state.seals(), organization_id).await?;
    let limit = query.limit.unwrap_or_default();
    let body = deliveries(&mut tx, &of, limit, before).await?;
    Ok(Reflecting::page(position, body))
}
