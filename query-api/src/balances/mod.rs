//! Balances: what came into accounts of credits and left them, lots, statements, and what a gateway is
//! told.

pub mod authorization;
mod draws;
pub mod lots;
pub mod movements;
pub mod statement;

use api_conventions::{Path, Problem, Query};
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use event_schemas::{Amount, OrganizationId, Permission};
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use utoipa::ToSchema;

pub use movements::{CreditMovement, CreditMovementsQuery, credit_movements};

use crate::error::QueryError;
use crate::organizations::{self, OrganizationRef};
use crate::parameters::{OrganizationPath, Point as _, PointQuery, Refusals};
use crate::snapshot::{Projection, Rows, Snapshot};
use crate::state::{QueryState, Reflecting};
use crate::temporal::Temporal;
use crate::viewer::Viewer;
use crate::within_batch::Later;

/// What a balance is read from: the register knows the organization, the balances its credits.
pub const READS: &[Projection] = &[Projection::AccessRegister, Projection::Balances];

/// An organization's balances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OrganizationBalance {
    /// The organization.
    #[schema(value_type = Uuid)]
    pub organization_id: OrganizationId,
    /// Its name.
    pub organization: String,
    /// The position of the log that this reflects.
    pub position: i64,
    /// One for each currency, by its letters.
    pub balances: Vec<Balance>,
}

/// A balance in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = BalanceView)]
pub struct Balance {
    /// The currency.
    pub currency: String,
    /// What was bought.
    #[schema(value_type = String, example = "500.000000000000")]
    pub purchased: Amount,
    /// What was given.
    #[schema(value_type = String)]
    pub granted: Amount,
    /// What came from other organizations.
    #[schema(value_type = String)]
    pub transferred_in: Amount,
    /// What was paid back.
    #[schema(value_type = String)]
    pub refunded: Amount,
    /// What went to other organizations.
    #[schema(value_type = String)]
    pub transferred_out: Amount,
    /// What was not used in time.
    #[schema(value_type = String)]
    pub expired: Amount,
    /// What was used, of all that could be priced.
    #[schema(value_type = String)]
    pub consumed: Amount,
    /// What came in less what left. Below zero where more was used.
    #[schema(value_type = String)]
    pub balance: Amount,
    /// What a gateway is told where the account has run out; null where another time or position than
    /// now is asked about.
    pub policy: Option<String>,
}

/// Reads an amount, which is selected as text: no float touches it.
pub(crate) fn amount(row: &PgRow, column: &str) -> Result<Amount, QueryError> {
    row.try_get::<String, _>(column)?.parse().map_err(QueryError::unreadable)
}

/// Whether a time begins an hour: usage is kept by it.
fn is_whole_hour(time: DateTime<Utc>) -> bool {
    time.timestamp() % 3_600 == 0 && time.timestamp_subsec_nanos() == 0
}

const BY_THE_HOUR: &str =
    "usage is kept by the hour: give a whole hour, such as 2026-01-31T13:00:00Z, or a date";

/// What lies before the end of a time that is asked about. A date means its last microsecond, so that
/// what follows is the beginning of an hour.
fn end_of(as_of: Option<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>, QueryError> {
    let Some(time) = as_of else { return Ok(None) };
    let next = time + TimeDelta::microseconds(1);
    let end = [time, next].into_iter().find(|end| is_whole_hour(*end));
    end.map(Some).ok_or_else(|| QueryError::invalid("as_of", BY_THE_HOUR))
}

/// What had happened before a time, of what the log knew at a position; `$4` to `$6` are what came after
/// it in the batch that it lies in.
const AS_OF: &str = "
    with moved as (
        select currency,
            coalesce(sum(amount) filter (where kind = 'purchased'), 0) as purchased,
            coalesce(sum(amount) filter (where kind = 'granted'), 0) as granted,
            coalesce(sum(amount) filter (where kind = 'transferred_in'), 0) as transferred_in,
            coalesce(-sum(amount) filter (where kind = 'refunded'), 0) as refunded,
            coalesce(-sum(amount) filter (where kind = 'transferred_out'), 0) as transferred_out,
            coalesce(-sum(amount) filter (where kind = 'expired'), 0) as expired,
            sum(amount) as moved
        from read.credit_movements
        where organization_id = $1 and position <= $2 and ($3::timestamptz is null or occurred_at < $3)
        group by currency
    ), used as (
        select currency, sum(cost) as consumed from (
            select currency, cost from read.credit_usage
            where organization_id = $1 and ($3::timestamptz is null or hour < $3)
            union all
            select currency, -cost from read.credit_usage_batches
            where organization_id = $1 and first_position > $2
                and ($3::timestamptz is null or hour < $3)
            union all
            select currency, -cost
            from unnest($4::text[], $5::timestamptz[], $6::numeric[]) later(currency, hour, cost)
            where $3::timestamptz is null or hour < $3
        ) known group by currency
    ), balanced as (
        select currency, coalesce(purchased, 0) as purchased, coalesce(granted, 0) as granted,
            coalesce(transferred_in, 0) as transferred_in, coalesce(refunded, 0) as refunded,
            coalesce(transferred_out, 0) as transferred_out, coalesce(expired, 0) as expired,
            coalesce(consumed, 0) as consumed, moved,
            coalesce(moved, 0) - coalesce(consumed, 0) as balance, null as policy
        from moved full join used using (currency)
    )
    select * from balanced where moved is not null or consumed <> 0";

const NOW: &str = "select * from read.balances where organization_id = $1 and $2 >= 0
    and $3::timestamptz is null";

/// The balances before a time, as of a position, by currency.
pub(super) async fn balances_before(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    before: Option<DateTime<Utc>>,
    at_position: Option<i64>,
) -> Result<Vec<Balance>, QueryError> {
    let position = at_position.unwrap_or(snapshot.position());
    let (of, later) = if before.is_none() && at_position.is_none() {
        (NOW, Later::default())
    } else {
        (AS_OF, Later::than(snapshot, organization_id, position).await?)
    };
    let rows = sqlx::query(&format!(
        "select currency, purchased::numeric(38,12)::text, granted::numeric(38,12)::text,
             transferred_in::numeric(38,12)::text, refunded::numeric(38,12)::text,
             transferred_out::numeric(38,12)::text, expired::numeric(38,12)::text,
             consumed::numeric(38,12)::text, balance::numeric(38,12)::text, policy
         from ({of}) b order by currency collate \"C\""
    ))
    .bind(organization_id.0)
    .bind(position)
    .bind(before)
    .bind(later.currencies)
    .bind(later.hours)
    .bind(later.costs)
    .fetch_all(snapshot.connection())
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Balance, QueryError> {
    Ok(Balance {
        currency: row.try_get("currency")?,
        purchased: amount(row, "purchased")?,
        granted: amount(row, "granted")?,
        transferred_in: amount(row, "transferred_in")?,
        refunded: amount(row, "refunded")?,
        transferred_out: amount(row, "transferred_out")?,
        expired: amount(row, "expired")?,
        consumed: amount(row, "consumed")?,
        balance: amount(row, "balance")?,
        policy: row.try_get("policy")?,
    })
}

/// The balances of an organization, archived or not.
pub async fn balance(
    snapshot: &mut Snapshot,
    organization: &OrganizationRef,
    temporal: Temporal,
) -> Result<OrganizationBalance, QueryError> {
    temporal.check(snapshot)?;
    let before = end_of(temporal.as_of)?;
    let (organization_id, organization) = organizations::find(snapshot, organization).await?;
    organizations::check_exists(snapshot, organization_id, temporal).await?;
    let at_position = temporal.at_position;
    let balances = balances_before(snapshot, organization_id, before, at_position).await?;
    let position = at_position.unwrap_or(snapshot.position());
    Ok(OrganizationBalance { organization_id, organization, position, balances })
}

/// The balances of an organization: now, or as of a time and a position.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/balance",
    operation_id = "get_balance", tag = "credits", params(OrganizationPath, PointQuery),
    responses((status = 200, body = OrganizationBalance), Refusals))]
pub(crate) async fn get_balance(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(query): Query<PointQuery>,
) -> Result<Reflecting<OrganizationBalance>, Problem> {
    viewer.must(Permission::CreditsRead)?;
    let rows = Rows::Of(path.organization_id);
    let mut snapshot = state.snapshot(rows, READS, query.position_min()).await?;
    let organization = OrganizationRef::Id(path.organization_id);
    let body = balance(&mut snapshot, &organization, query.temporal()).await?;
    Ok(Reflecting::new(snapshot.position(), body))
}
