//! What came into an account and left it, but for usage.

use api_conventions::{Cursor, Limit, Page, Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{Amount, LotId, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{QueryBuilder, Row as _};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{READS, amount};
use crate::error::QueryError;
use crate::organizations;
use crate::parameters::{ListQuery, OrganizationPath, Point as _, Refusals};
use crate::snapshot::{Rows, Snapshot};
use crate::state::{QueryState, Reflecting};
use crate::temporal::Temporal;
use crate::viewer::Viewer;

/// Credits that came in or left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CreditMovement {
    /// The position of its event.
    pub position: i64,
    /// The event's id.
    pub event_id: Uuid,
    /// `purchased`, `granted`, `transferred_in`, `refunded`, `transferred_out` or `expired`.
    pub kind: String,
    /// The lot that it is, or was taken from.
    #[schema(value_type = Uuid)]
    pub lot_id: LotId,
    /// What it did to the balance: below zero where it left.
    #[schema(value_type = String)]
    pub amount: Amount,
    /// In which currency.
    pub currency: String,
    /// Until when it can be used; of what expired, until when it could.
    pub expires_at: Option<DateTime<Utc>>,
    /// Of a transfer, the organization that it came from or went to.
    #[schema(value_type = Option<Uuid>)]
    pub other_organization_id: Option<OrganizationId>,
    /// The invoice, order or reason.
    pub note: Option<String>,
    /// Who entered it, as `kind:id`.
    pub actor: String,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
}

/// Which movements.
#[derive(Debug, Clone)]
pub struct CreditMovementsQuery {
    /// The organization.
    pub organization_id: OrganizationId,
    /// What had happened at a time, and what the log knew at a position.
    pub temporal: Temporal,
    /// The most of one page.
    pub limit: Limit,
    /// The position of the last movement of the page before.
    pub after: i64,
}

/// Where a page of movements ended, and what it was a page of.
#[derive(Serialize, Deserialize)]
struct Place {
    organization_id: OrganizationId,
    as_of: Option<DateTime<Utc>>,
    at_position: i64,
    after: i64,
}

const LIST: &str = "credit movement";

impl CreditMovementsQuery {
    /// The page after `cursor`, or the first.
    pub fn new(
        organization_id: OrganizationId,
        temporal: Temporal,
        limit: Option<Limit>,
        cursor: Option<&Cursor>,
    ) -> Result<Self, QueryError> {
        let limit = limit.unwrap_or_default();
        let Some(cursor) = cursor else {
            return Ok(Self { organization_id, temporal, limit, after: 0 });
        };
        let unfit = || QueryError::invalid("cursor", "it is not a next_cursor of this list");
        let place: Place = cursor.key(LIST).map_err(|_| unfit())?;
        let same_position = temporal.at_position.is_none_or(|asked| asked == place.at_position);
        let same_list = place.organization_id == organization_id && place.as_of == temporal.as_of;
        if !same_list || !same_position {
            return Err(unfit());
        }
        let temporal = Temporal { at_position: Some(place.at_position), ..temporal };
        Ok(Self { organization_id, temporal, limit, after: place.after })
    }
}

/// What came in and left, in the order of the log.
pub async fn credit_movements(
    snapshot: &mut Snapshot,
    query: &CreditMovementsQuery,
) -> Result<Page<CreditMovement>, QueryError> {
    query.temporal.check(snapshot)?;
    organizations::check_exists(snapshot, query.organization_id, query.temporal).await?;
    let at_position = query.temporal.at_position.unwrap_or(snapshot.position());
    let mut statement = QueryBuilder::new(
        "select position, event_id, kind, lot_id, amount::text, currency, expires_at,
             other_organization_id, note, actor, occurred_at
         from read.credit_movements where organization_id = ",
    );
    statement.push_bind(query.organization_id.0);
    statement.push(" and position > ").push_bind(query.after);
    statement.push(" and position <= ").push_bind(at_position);
    if let Some(time) = query.temporal.as_of {
        statement.push(" and occurred_at <= ").push_bind(time);
    }
    let limit = query.limit.get();
    statement.push(format_args!(" order by position limit {}", limit + 1));
    let rows = statement.build().fetch_all(snapshot.connection()).await?;
    let items = rows.iter().take(limit).map(movement).collect::<Result<Vec<_>, _>>()?;
    let next_cursor = match items.last().filter(|_| rows.len() > limit) {
        Some(last) => {
            let place = Place {
                organization_id: query.organization_id,
                as_of: query.temporal.as_of,
                at_position,
                after: last.position,
            };
            Some(Cursor::new(LIST, &place).map_err(QueryError::unreadable)?)
        }
        None => None,
    };
    Ok(Page { items, next_cursor })
}

pub(super) fn movement(row: &PgRow) -> Result<CreditMovement, QueryError> {
    Ok(CreditMovement {
        position: row.try_get("position")?,
        event_id: row.try_get("event_id")?,
        kind: row.try_get("kind")?,
        lot_id: LotId(row.try_get("lot_id")?),
        amount: amount(row, "amount")?,
        currency: row.try_get("currency")?,
        expires_at: row.try_get("expires_at")?,
        other_organization_id: row
            .try_get::<Option<Uuid>, _>("other_organization_id")?
            .map(OrganizationId),
        note: row.try_get("note")?,
        actor: row.try_get("actor")?,
        occurred_at: row.try_get("occurred_at")?,
    })
}

/// The credits that came in and left, in the order of the log. Usage is not among them.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/credit-movements",
    operation_id = "list_credit_movements", tag = "credits",
    params(OrganizationPath, ListQuery),
    responses((status = 200, body = Page<CreditMovement>), Refusals))]
pub(crate) async fn list_credit_movements(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Reflecting<Page<CreditMovement>>, Problem> {
    viewer.must(Permission::CreditsRead)?;
    let movements = CreditMovementsQuery::new(
        path.organization_id,
        query.temporal(),
        query.limit,
        query.cursor.as_ref(),
    )?;
    let position_min = movements.temporal.position_min().max(query.position_min());
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, position_min).await?;
    let body = credit_movements(&mut snapshot, &movements).await?;
    Ok(Reflecting::page(snapshot.position(), body))
}
