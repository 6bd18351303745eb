//! A statement: what a balance was, each movement with the event behind it, usage day by day, and what
//! it came to.

mod csv;

use std::collections::BTreeMap;

use api_conventions::{AsOf, POSITION_HEADER, Path, Position, Problem, Query, TimeBound};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::{Amount, Currency, OrganizationId, Permission};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use utoipa::{IntoParams, ToSchema};

pub use csv::to_csv;

use super::movements::{CreditMovement, movement};
use super::{BY_THE_HOUR, READS, amount, balances_before, end_of, is_whole_hour};
use crate::error::QueryError;
use crate::organizations::{self, OrganizationRef};
use crate::parameters::{OrganizationPath, Refusals, from_text, time_or_date};
use crate::snapshot::{Rows, Snapshot};
use crate::state::{QueryState, Reflecting, highest};
use crate::temporal::Temporal;
use crate::viewer::Viewer;
use crate::within_batch::Later;

/// The most movements and days of one answer.
pub const LINES_MAX: usize = 50_000;

/// Which statement.
#[derive(Debug, Clone)]
pub struct StatementQuery {
    /// The organization.
    pub organization: OrganizationRef,
    /// The currency; without one, all.
    pub currency: Option<Currency>,
    /// From this whole hour on.
    pub from: Option<DateTime<Utc>>,
    /// Up to this whole hour, which is not part of it.
    pub to: Option<DateTime<Utc>>,
    /// What had happened by this time, which ends it where `to` does not, and as the log knew it at a
    /// position.
    pub temporal: Temporal,
}

/// An organization's statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OrganizationStatement {
    /// The organization.
    #[schema(value_type = Uuid)]
    pub organization_id: OrganizationId,
    /// Its name.
    pub organization: String,
    /// The position of the log that this reflects.
    pub position: i64,
    /// From this time on; null from the beginning.
    pub from: Option<DateTime<Utc>>,
    /// Up to this time, which is not part of it; null where it is open.
    pub to: Option<DateTime<Utc>>,
    /// One for each currency, by its letters.
    pub statements: Vec<Statement>,
}

/// A statement in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StatementView)]
pub struct Statement {
    /// The currency.
    pub currency: String,
    /// The balance at the beginning.
    #[schema(value_type = String)]
    pub opening: Amount,
    /// What happened, in order of time; a day's usage comes at the end of the day.
    pub lines: Vec<StatementLine>,
    /// The balance at the end: the opening one and all lines.
    #[schema(value_type = String)]
    pub closing: Amount,
}

/// A movement, or the usage of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StatementLine {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// The kind of movement, or `usage`.
    pub kind: String,
    /// What it did to the balance.
    #[schema(value_type = String)]
    pub amount: Amount,
    /// The balance after it.
    #[schema(value_type = String)]
    pub balance: Amount,
    /// The movement; null for usage.
    pub movement: Option<CreditMovement>,
}

/// The statements of an organization, archived or not.
pub async fn statement(
    snapshot: &mut Snapshot,
    query: &StatementQuery,
) -> Result<OrganizationStatement, QueryError> {
    let (temporal, to) = (query.temporal, end(query)?);
    temporal.check(snapshot)?;
    let (organization_id, organization) =
        organizations::find(snapshot, &query.organization).await?;
    organizations::check_exists(snapshot, organization_id, temporal).await?;
    let position = temporal.at_position.unwrap_or(snapshot.position());
    let mut accounts: BTreeMap<String, (Amount, Vec<StatementLine>)> = BTreeMap::new();
    if query.from.is_some() {
        let at_position = temporal.at_position;
        let opening = balances_before(snapshot, organization_id, query.from, at_position).await?;
        for balance in opening {
            accounts.insert(balance.currency, (balance.balance, Vec::new()));
        }
    }
    for (currency, line) in lines(snapshot, organization_id, position, query, to).await? {
        accounts.entry(currency).or_default().1.push(line);
    }
    let asked = query.currency.map(|currency| currency.to_string());
    accounts.retain(|currency, _| asked.as_ref().is_none_or(|asked| asked == currency));
    let statements = accounts
        .into_iter()
        .map(|(currency, (opening, lines))| Statement::of(currency, opening, lines))
        .collect();
    let from = query.from;
    Ok(OrganizationStatement { organization_id, organization, position, from, to, statements })
}

impl Statement {
    fn of(currency: String, opening: Amount, mut lines: Vec<StatementLine>) -> Self {
        lines.sort_by_key(|line| {
            let movement = line.movement.as_ref().map(|m| (m.occurred_at, m.position));
            (line.day, movement.is_none(), movement)
        });
        let mut closing = opening;
        for line in &mut lines {
            closing = closing + line.amount;
            line.balance = closing;
        }
        Self { currency, opening, lines, closing }
    }
}

/// Where it ends: the sooner of what is asked for.
fn end(query: &StatementQuery) -> Result<Option<DateTime<Utc>>, QueryError> {
    for (field, time) in [("from", query.from), ("to", query.to)] {
        if !time.is_none_or(is_whole_hour) {
            return Err(QueryError::invalid(field, BY_THE_HOUR));
        }
    }
    let as_of = end_of(query.temporal.as_of)?;
    for (field, end) in [("to", query.to), ("as_of", as_of)] {
        if query.from.zip(end).is_some_and(|(from, end)| from >= end) {
            return Err(QueryError::invalid(field, "it must be after from"));
        }
    }
    Ok(query.to.into_iter().chain(as_of).min())
}

/// All lines, in no order, each with its currency.
async fn lines(
    snapshot: &mut Snapshot,
    organization_id: OrganizationId,
    position: i64,
    query: &StatementQuery,
    to: Option<DateTime<Utc>>,
) -> Result<Vec<(String, StatementLine)>, QueryError> {
    let limit = i64::try_from(LINES_MAX + 1).unwrap_or(i64::MAX);
    let moved = sqlx::query(
        "select position, event_id, kind, lot_id, amount::text, currency, expires_at,
             other_organization_id, note, actor, occurred_at
         from read.credit_movements
         where organization_id = $1 and position <= $2
             and ($3::timestamptz is null or occurred_at >= $3)
             and ($4::timestamptz is null or occurred_at < $4)
             and ($5::text is null or currency = $5)
         limit $6",
    )
    .bind(organization_id.0)
    .bind(position)
    .bind(query.from)
    .bind(to)
    .bind(query.currency.map(|currency| currency.to_string()))
    .bind(limit)
    .fetch_all(snapshot.connection())
    .await?;
    let later = Later::than(snapshot, organization_id, position).await?;
    let used = sqlx::query(
        "select currency, (hour at time zone 'UTC')::date as day,
             (-sum(cost))::numeric(38,12)::text as amount
         from (
             select currency, hour, cost from read.credit_usage where organization_id = $1
             union all
             select currency, hour, -cost from read.credit_usage_batches
             where organization_id = $1 and first_position > $2
             union all
             select currency, hour, -cost
             from unnest($7::text[], $8::timestamptz[], $9::numeric[]) later(currency, hour, cost)
         ) known
         where ($3::timestamptz is null or hour >= $3) and ($4::timestamptz is null or hour < $4)
             and ($5::text is null or currency = $5)
         group by 1, 2 having sum(cost) <> 0 limit $6",
    )
    .bind(organization_id.0)
    .bind(position)
    .bind(query.from)
    .bind(to)
    .bind(query.currency.map(|currency| currency.to_string()))
    .bind(limit)
    .bind(later.currencies)
    .bind(later.hours)
    .bind(later.costs)
    .fetch_all(snapshot.connection())
    .await?;
    if moved.len() + used.len() > LINES_MAX {
        return Err(QueryError::TooManyRows { rows_max: LINES_MAX });
    }
    let balance = Amount::ZERO;
    let mut lines = Vec::with_capacity(moved.len() + used.len());
    for row in &moved {
        let movement = movement(row)?;
        let (day, amount) = (movement.occurred_at.date_naive(), movement.amount);
        let (currency, kind) = (movement.currency.clone(), movement.kind.clone());
        let movement = Some(movement);
        lines.push((currency, StatementLine { day, kind, amount, balance, movement }));
    }
    for row in &used {
        let (day, amount) = (row.try_get("day")?, amount(row, "amount")?);
        let kind = "usage".to_owned();
        let line = StatementLine { day, kind, amount, balance, movement: None };
        lines.push((row.try_get("currency")?, line));
    }
    Ok(lines)
}

/// How a statement is written.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StatementFormat {
    /// JSON.
    #[default]
    Json,
    /// CSV with a header.
    Csv,
}

/// Which statement.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatementParameters {
    /// Answer only from a picture that has this position of the log; waits a few seconds.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// What the log knew at this position.
    #[param(value_type = Option<i64>, minimum = 0)]
    at_position: Option<Position>,
    /// What had happened by this whole hour (RFC 3339), or by the end of this day (UTC): the statement
    /// ends then.
    #[param(schema_with = time_or_date, required = false, example = "2026-01-31")]
    as_of: Option<AsOf>,
    /// In this currency only.
    #[param(value_type = Option<String>, pattern = "^[A-Z]{3}$", example = "USD")]
    currency: Option<Currency>,
    /// From this whole hour on (RFC 3339), or from the start of this day (UTC); without it from the
    /// beginning.
    #[param(schema_with = time_or_date, required = false, example = "2026-01-01")]
    #[serde(default, deserialize_with = "from_text")]
    from: Option<TimeBound>,
    /// Up to this whole hour, or the start of this day, which is not part of it.
    #[param(schema_with = time_or_date, required = false, example = "2026-02-01")]
    #[serde(default, deserialize_with = "from_text")]
    to: Option<TimeBound>,
    /// How to write it.
    #[param(inline)]
    format: Option<StatementFormat>,
}

/// What the balances were, every movement with the event behind it, usage by the day, and what they
/// came to.
#[utoipa::path(get, path = "/v1/organizations/{organization_id}/statement",
    operation_id = "get_statement", tag = "credits",
    params(OrganizationPath, StatementParameters),
    responses((status = 200,
            content((OrganizationStatement = "application/json"), (String = "text/csv"))),
        Refusals))]
pub(crate) async fn get_statement(
    State(state): State<QueryState>,
    Path(path): Path<OrganizationPath>,
    viewer: Viewer,
    Query(parameters): Query<StatementParameters>,
) -> Result<Response, Problem> {
    viewer.must(Permission::CreditsRead)?;
    let query = StatementQuery {
        organization: OrganizationRef::Id(path.organization_id),
        currency: parameters.currency,
        from: parameters.from.map(|TimeBound(time)| time),
        to: parameters.to.map(|TimeBound(time)| time),
        temporal: Temporal::new(parameters.as_of, parameters.at_position),
    };
    let rows = Rows::Of(path.organization_id);
    let position_min = highest(&[parameters.min_position, parameters.at_position]);
    let mut snapshot = state.snapshot(rows, READS, position_min).await?;
    let found = statement(&mut snapshot, &query).await?;
    let position = snapshot.position();
    Ok(match parameters.format.unwrap_or_default() {
        StatementFormat::Json => Reflecting::new(position, found).into_response(),
        StatementFormat::Csv => {
            let headers = [
                (header::CONTENT_TYPE.as_str(), "text/csv; charset=utf-8".to_owned()),
                (POSITION_HEADER, position.to_string()),
            ];
            (headers, to_csv(&found)?).into_response()
        }
    })
}
