//! Lots of credits: what is left of each purchase, grant and transfer, and where the rest went.

use api_conventions::{AsOf, Cursor, Limit, Page, Path, Position, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, Utc};
use event_schemas::{Amount, Currency, LotId, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row as _};
use utoipa::{IntoParams, ToSchema};

use super::draws::Draws;
use super::{READS, amount};
use crate::error::QueryError;
use crate::organizations;
use crate::parameters::{OrganizationPath, Refusals, time_or_date};
use crate::snapshot::{Projection, Rows, Snapshot};
use crate::state::{QueryState, Reflecting, highest};
use crate::temporal::Temporal;
use crate::viewer::Viewer;

/// A lot. Its amount is what is left of it and where the rest went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CreditLot {
    /// The lot.
    #[schema(value_type = Uuid)]
    pub lot_id: LotId,
    /// The currency.
    pub currency: String,
    /// `purchased`, `granted` or `transferred_in`.
    pub kind: String,
    /// How much it was at first.
    #[schema(value_type = String)]
    pub amount: Amount,
    /// How much of it is left.
    #[schema(value_type = String)]
    pub remaining: Amount,
    /// How much of it was used.
    #[schema(value_type = String)]
    pub drawn: Amount,
    /// How much of it was paid back.
    #[schema(value_type = String)]
    pub refunded: Amount,
    /// How much of it went to other organizations.
    #[schema(value_type = String)]
    pub transferred_out: Amount,
    /// How much of it was not used in time.
    #[schema(value_type = String)]
    pub expired: Amount,
    /// Until when it can be used.
    pub expires_at: Option<DateTime<Utc>>,
    /// Which of two lots that expire at the same time is drawn first: the lower.
    pub priority: i32,
    /// The position of the event that it began with.
    pub position: i64,
    /// When it came.
    pub occurred_at: DateTime<Utc>,
}

const LIST: &str = "credit lot";

/// Where a page of lots ended, and what it was a page of.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    organization_id: OrganizationId,
    as_of: Option<DateTime<Utc>>,
    at_position: Option<i64>,
    currency: Option<String>,
    is_open: bool,
    after: i64,
}

/// Which lots.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CreditLotsQuery {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// As the log knew them at this position.
    #[param(value_type = Option<i64>, minimum = 0)]
    at_position: Option<Position>,
    /// As they were known at this time (RFC 3339), or at the end of this day (UTC): by what had been
    /// recorded by then. Lots are drawn in the order in which usage is recorded, whenever it happened.
    #[param(schema_with = time_or_date, required = false, example = "2026-01-31")]
    as_of: Option<AsOf>,
    /// In this currency only.
    #[param(value_type = Option<String>, pattern = "^[A-Z]{3}$", example = "USD")]
    currency: Option<Currency>,
    /// Only those of which something is left.
    #[param(default = false)]
    #[serde(default)]
    open: bool,
    /// The most items of the page.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500, default = 100)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

impl CreditLotsQuery {
    fn begin(&self, organization_id: OrganizationId) -> Result<Place, QueryError> {
        let asked = Place {
            organization_id,
            as_of: self.as_of.map(|AsOf(time)| time),
            at_position: self.at_position.map(|Position(position)| position),
            currency: self.currency.map(|currency| currency.to_string()),
            is_open: self.open,
            after: 0,
        };
        let Some(cursor) = &self.cursor else { return Ok(asked) };
        let unfit = || QueryError::invalid("cursor", "it is not a next_cursor of this list");
        let place: Place = cursor.key(LIST).map_err(|_| unfit())?;
        if (Place { after: place.after, ..asked }) == place { Ok(place) } else { Err(unfit()) }
    }
}

const NOW: &str =
    "select * from read.credit_lots where $6::bigint is null and $7::timestamptz is null";

/// What each lot had come to by the last entry that changed it, and what was drawn of it since. One that
/// had not come has none.
const THEN: &str = "
    select l.lot_id, l.organization_id, l.currency, l.kind, l.amount,
        s.remaining - coalesce(d.drawn, 0) as remaining, s.drawn + coalesce(d.drawn, 0) as drawn,
        s.refunded, s.transferred_out, s.expired, l.expires_at, l.priority, l.position, l.occurred_at
    from read.credit_lots l
    left join unnest($8::uuid[], $9::numeric[]) d(lot_id, drawn) using (lot_id)
    join lateral (
        select * from read.credit_lot_states s
        where s.lot_id = l.lot_id and ($6::bigint is null or s.position <= $6)
            and ($7::timestamptz is null or s.recorded_at <= $7)
        order by s.position desc limit 1) s on true";

async fn lots(
    snapshot: &mut Snapshot,
    place: Place,
    limit: Limit,
) -> Result<Page<CreditLot>, QueryError> {
    let temporal = Temporal { as_of: place.as_of, at_position: place.at_position };
    temporal.check(snapshot)?;
    organizations::check_exists(snapshot, place.organization_id, temporal).await?;
    let limit = limit.get();
    let mut draws = Draws::default();
    let (of, entries_upto) = match (place.as_of, place.at_position) {
        (None, None) => (NOW, None),
        (Some(_), None) => (THEN, None),
        (as_of, Some(position)) => {
            let found = Draws::within_batch(snapshot, place.organization_id, position, as_of);
            draws = found.await?;
            (THEN, Some(draws.after.unwrap_or(position)))
        }
    };
    let rows = sqlx::query(&format!(
        "select lot_id, currency, kind, amount::text, remaining::text, drawn::text, refunded::text,
             transferred_out::text, expired::text, expires_at, priority, position, occurred_at
         from ({of}) lots
         where organization_id = $1 and position > $2 and ($3::text is null or currency = $3)
             and (not $4 or remaining > 0)
         order by position limit $5"
    ))
    .bind(place.organization_id.0)
    .bind(place.after)
    .bind(&place.currency)
    .bind(place.is_open)
    .bind(i64::try_from(limit + 1).unwrap_or(i64::MAX))
    .bind(entries_upto)
    .bind(place.as_of)
    .bind(draws.lots)
    .bind(draws.amounts)
    .fetch_all(snapshot.connection())
    .await?;
    let items = rows.iter().take(limit).map(lot).collect::<Result<Vec<_>, _>>()?;
    let next_cursor = match items.last().filter(|_| rows.len() > limit) {
        Some(last) => {
            let place = Place { after: last.position, ..place };
            Some(Cursor::new(LIST, &place).map_err(QueryError::unreadable)?)
        }
        None => None,
    };
    Ok(Page { items, next_cursor })
}

fn lot(row: &PgRow) -> Result<CreditLot, QueryError> {
    Ok(CreditLot {
        lot_id: LotId(row.try_get("lot_id")?),
        currency: row.try_get("currency")?,
        kind: row.try_get("kind")?,
        amount: amount(row, "amount")?,
        remaining: amount(row, "remaining")?,
        drawn: amount(row, "drawn")?,
        refunded: amount(row, "refunded")?,
        transferred_out: amount(row, "transferred_out")?,
        expired: amount(row, "expired")?,
        expires_at: row.try_get("expires_at")?,
        priority: row.try_get("priority")?,
        position: row.try_get("position")?,
        occurred_at: row.try_get("occurred_at")?,
    })
}

/// What is left of a lot, how many events of its account that knows, and the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// How much is left.
    pub amount: Amount,
    /// How many events of the account are known.
    pub events: i64,
    /// The position up to which it is known.
    pub position: i64,
}

/// What is left of a lot of that account; none where the lot is not known, or nothing is built yet.
/// The pool acts as `orgledger_reader`.
pub async fn left_of_lot(
    pool: &PgPool,
    organization_id: OrganizationId,
    currency: Currency,
    lot_id: LotId,
) -> Result<Option<Left>, QueryError> {
    let rows = Rows::Of(organization_id);
    let mut snapshot = match Snapshot::open(pool, rows, &[Projection::Balances], 0).await {
        Ok(snapshot) => snapshot,
        Err(QueryError::NotReady(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let row = sqlx::query(
        "select l.remaining::text, b.sequence
         from read.credit_lots l join read.balances b using (organization_id, currency)
         where l.lot_id = $1 and l.organization_id = $2 and l.currency = $3",
    )
    .bind(lot_id.0)
    .bind(organization_id.0)
    .bind(currency.as_str())
    .fetch_optional(snapshot.connection())
    .await?;
    let position = snapshot.position();
    row.map(|row| {
        let (amount, events) = (amount(&row, "remaining")?, row.try_get("sequence")?);
        Ok(Left { amount, events, position })
    })
    .transpose()
}

/// The lots of credits, in the order in which they came: now, or as they were known at a time or a
/// position.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/credit-lots",
    operation_id = "list_credit_lots", tag = "credits",
    params(OrganizationPath, CreditLotsQuery),
    responses((status = 200, body = Page<CreditLot>), Refusals))]
pub(crate) async fn list_credit_lots(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<CreditLotsQuery>,
) -> Result<Reflecting<Page<CreditLot>>, Problem> {
    viewer.must(Permission::CreditsRead)?;
    let place = query.begin(path.organization_id)?;
    let rows = Rows::Of(path.organization_id);
    let position_min = highest(&[query.min_position, query.at_position]);
    let mut snapshot = state.snapshot(rows, READS, position_min).await?;
    let body = lots(&mut snapshot, place, query.limit.unwrap_or_default()).await?;
    Ok(Reflecting::page(snapshot.position(), body))
}
