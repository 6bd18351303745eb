//! Webhooks, how far each is, and what was sent to it. Their secrets are nowhere.

pub(crate) mod deliveries;
mod progress;

use api_conventions::{Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{OrganizationId, Permission, WebhookDisabledReason, WebhookId};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use utoipa::ToSchema;

pub use deliveries::{DeliveryState, WebhookDelivery};
pub use progress::WebhookProgress;

use crate::error::QueryError;
use crate::list::{self, Listed, Listing, Scope};
use crate::parameters::{
    ListQuery, OrganizationPath, Point as _, PointQuery, Refusals, WebhookPath,
};
use crate::snapshot::{Projection, Rows};
use crate::state::{QueryState, Reflecting};
use crate::temporal::Temporal;
use crate::viewer::{Viewer, Visible};

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WebhookView)]
pub struct Webhook {
    /// Its id.
    #[schema(value_type = Uuid)]
    pub webhook_id: WebhookId,
    /// Where events are sent to.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which types of events are sent.
    pub event_types: Vec<String>,
    /// `enabled` or `disabled`.
    pub state: String,
    /// Why it is disabled.
    #[schema(value_type = Option<WebhookDisabledReason>)]
    pub disabled_because: Option<WebhookDisabledReason>,
    /// When its secret was rotated last.
    pub secret_rotated_at: Option<DateTime<Utc>>,
    /// Until when the secret before signs, or signed, beside it.
    pub previous_signs_until: Option<DateTime<Utc>>,
    /// Who created it, as `kind:id`.
    pub created_by: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// Since when it has been as shown.
    pub valid_from: DateTime<Utc>,
    /// The version that a change can name in `If-Match`, in quotes; null where another time or position
    /// than now is asked about.
    pub version: Option<i64>,
    /// How far it is; null before it was looked at first, and where another time or position than now is
    /// asked about.
    pub progress: Option<WebhookProgress>,
}

impl Listed for Webhook {
    const NOUN: &'static str = "webhook";
    const FROM: &'static str = "read.webhooks t left join read.sequences s \
         on s.stream_type = 'webhook' and s.stream_id = t.webhook_id";
    const ALIASES: &'static [&'static str] = &["t"];
    const COLUMNS: &'static str = "t.webhook_id, t.url, t.description, t.event_types, t.state, \
         t.disabled_because, t.secret_rotated_at, t.previous_signs_until, t.created_by, \
         t.created_at, t.valid_from, s.sequence";
    const READS: &'static [Projection] = &[Projection::AccessRegister, Projection::Oversight];
    const SORT: &'static str = "t.url";
    const ID: &'static str = "t.webhook_id";

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let reason: Option<String> = row.try_get("disabled_because")?;
        let reason = reason.map(|reason| reason.parse()).transpose();
        Ok(Self {
            webhook_id: WebhookId(row.try_get("webhook_id")?),
            url: row.try_get("url")?,
            description: row.try_get("description")?,
            event_types: row.try_get::<Json<_>, _>("event_types")?.0,
            state: row.try_get("state")?,
            disabled_because: reason.map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            secret_rotated_at: row.try_get("secret_rotated_at")?,
            previous_signs_until: row.try_get("previous_signs_until")?,
            created_by: row.try_get("created_by")?,
            created_at: row.try_get("created_at")?,
            valid_from: row.try_get("valid_from")?,
            version: row.try_get("sequence")?,
            progress: None,
        })
    }
}

/// The webhooks, by URL, each with how far it is.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/webhooks",
    operation_id = "list_webhooks", tag = "webhooks", params(OrganizationPath, ListQuery),
    responses((status = 200, body = Page<Webhook>), Refusals))]
pub(crate) async fn list_webhooks(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<Webhook>>, Problem> {
    viewer.must(Permission::WebhooksRead)?;
    let organization_id = path.organization_id;
    let scope = Scope::organization(organization_id);
    let listing =
        Listing::<Webhook>::new(scope, query.temporal(), query.limit, query.cursor.as_ref())?;
    let position_min = listing.position_min().max(query.position_min());
    let rows = Rows::Of(organization_id);
    let mut snapshot = state.snapshot(rows, Webhook::READS, position_min).await?;
    let mut page: Page<Webhook> = list::list(&mut snapshot, &listing).await?;
    let position = snapshot.position();
    drop(snapshot);
    // A cursor brings its list's position along; how far webhooks are is asked of now all the same.
    let is_now = query.temporal() == Temporal::NOW;
    tell(&state, organization_id, &mut page.items, is_now).await?;
    Ok(Reflecting::page(position, page))
}

/// A webhook, with how far it is.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/webhooks/{webhook_id}",
    operation_id = "get_webhook", tag = "webhooks", params(WebhookPath, PointQuery),
    responses((status = 200, body = Webhook), Refusals))]
pub(crate) async fn get_webhook(
    State(state): State<QueryState>,
    Path(path): Path<WebhookPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<Webhook>, Problem> {
    viewer.must(Permission::WebhooksRead)?;
    let (organization_id, temporal) = (path.organization_id, query.temporal());
    let rows = Rows::Of(organization_id);
    let mut snapshot = state.snapshot(rows, Webhook::READS, query.position_min()).await?;
    let (id, all) = (path.webhook_id.0, Visible::All);
    let mut webhook: Webhook =
        list::get(&mut snapshot, organization_id, id, temporal, &all).await?;
    let position = snapshot.position();
    drop(snapshot);
    let is_now = temporal == Temporal::NOW;
    tell(&state, organization_id, std::slice::from_mut(&mut webhook), is_now).await?;
    Ok(Reflecting::new(position, webhook))
}

/// Says how far webhooks are. What was at another time has neither that nor a version.
async fn tell(
    state: &QueryState,
    organization_id: OrganizationId,
    webhooks: &mut [Webhook],
    is_now: bool,
) -> Result<(), QueryError> {
    if !is_now {
        for webhook in webhooks {
            webhook.version = None;
        }
        return Ok(());
    }
    let mut progress = progress::of(state.seals(), organization_id).await?;
    for webhook in webhooks {
        webhook.progress = progress.remove(&webhook.webhook_id.0);
    }
    Ok(())
}
