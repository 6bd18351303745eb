//! A position within a batch of usage records. Read models keep what each batch came to; which of its
//! records stood at such a position only the log says, and of that one batch alone it is asked.

use chrono::{DateTime, NaiveDate, Utc};
use event_schemas::{BudgetScope, OrganizationId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use crate::budgets::Budget;
use crate::costs::known::{archived, is_log_here};
use crate::error::QueryError;
use crate::snapshot::{Projection, Snapshot};

/// The batch that a position lies in, where some of its records come after that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within {
    batch_id: Uuid,
    pub(crate) first_position: i64,
    pub(crate) recorded_at: DateTime<Utc>,
    first_day: NaiveDate,
    last_day: NaiveDate,
    /// The ordinal of the last record that stood at the position.
    last_ordinal: i32,
    /// That of the last one that the read model has: fed from JetStream, it may have a part of the batch.
    end_ordinal: i32,
}

/// What records cost that came after the position: what is to be taken away from what their batch came
/// to. The lists are equally long.
#[derive(Debug, Default)]
pub(crate) struct Later {
    pub(crate) currencies: Vec<String>,
    pub(crate) hours: Vec<DateTime<Utc>>,
    /// Exact decimals.
    pub(crate) costs: Vec<String>,
}

/// The same of budgets, by their number in the list that was asked about.
#[derive(Debug, Default)]
pub(crate) struct LaterOfBudgets {
    pub(crate) first_position: i64,
    pub(crate) budgets: Vec<i64>,
    pub(crate) quarter_hours: Vec<DateTime<Utc>>,
    /// Exact decimals.
    pub(crate) costs: Vec<String>,
}

/// What some records cost that happened at the same time.
#[derive(Debug)]
pub(crate) struct UsedAt {
    pub(crate) currency: String,
    pub(crate) at: DateTime<Utc>,
    /// Whole pico-units.
    pub(crate) pico: i128,
}

/// The records of one batch, by ordinal. The days leave out partitions.
const OF_BATCH: &str = "from log.usage_records r
    where batch_id = $1 and occurred_day between $2 and $3";

impl Within {
    /// The batch that a position lies in. None where all records of each batch stood at it or none did,
    /// and where the log is elsewhere: there a batch counts from its first record on.
    pub(crate) async fn of(
        snapshot: &mut Snapshot,
        projection: Projection,
        organization_id: OrganizationId,
        position: i64,
    ) -> Result<Option<Self>, QueryError> {
        if !is_log_here(snapshot.connection()).await? {
            return Ok(None);
        }
        let row = sqlx::query(
            "select batch_id, first_position, recorded_at, first_day, last_day,
                 ($2 - first_position)::integer as last_ordinal,
                 (end_position - first_position)::integer as end_ordinal
             from (select batch_id, first_position, batch.recorded_at, first_day, last_day,
                       least(first_position + count - 1, build.position) as end_position
                   from log.usage_batches batch, read.builds build
                   where organization_id = $1 and first_position <= $2
                       and projection = $3 and state = 'serving'
                   order by first_position desc limit 1) last
             where end_position > $2",
        )
        .bind(organization_id.0)
        .bind(position)
        .bind(projection.name())
        .fetch_optional(snapshot.connection())
        .await?;
        Ok(row.as_ref().map(Self::read).transpose()?)
    }

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            batch_id: row.try_get("batch_id")?,
            first_position: row.try_get("first_position")?,
            recorded_at: row.try_get("recorded_at")?,
            first_day: row.try_get("first_day")?,
            last_day: row.try_get("last_day")?,
            last_ordinal: row.try_get("last_ordinal")?,
            end_ordinal: row.try_get("end_ordinal")?,
        })
    }

    /// Refuses where some of the records with these ordinals are not here any more: their month was
    /// archived. Whoever archives waits until the picture is closed.
    async fn are_here(
        &self,
        connection: &mut PgConnection,
        ordinals: (i32, i32),
    ) -> Result<(), QueryError> {
        let (first, last) = ordinals;
        let found: i64 = sqlx::query_scalar(&format!(
            "select count(*) {OF_BATCH} and ordinal between $4 and $5"
        ))
        .bind(self.batch_id)
        .bind(self.first_day)
        .bind(self.last_day)
        .bind(first)
        .bind(last)
        .fetch_one(&mut *connection)
        .await?;
        let wanted = i64::from(last) - i64::from(first) + 1;
        if found == wanted {
            return Ok(());
        }
        Err(archived(connection, self.first_day, self.last_day).await?)
    }

    /// What stood at the position, by currency and the time at which it was used, the earliest first.
    pub(crate) async fn known(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<UsedAt>, QueryError> {
        self.are_here(connection, (0, self.last_ordinal)).await?;
        let rows = sqlx::query(&format!(
            "select currency, occurred_at, sum(cost_pico)::text as pico {OF_BATCH}
                 and ordinal <= $4 and cost_pico <> 0
             group by 1, 2 order by 2, 1"
        ))
        .bind(self.batch_id)
        .bind(self.first_day)
        .bind(self.last_day)
        .bind(self.last_ordinal)
        .fetch_all(connection)
        .await?;
        rows.iter()
            .map(|row| {
                let pico: &str = row.try_get("pico")?;
                Ok(UsedAt {
                    currency: row.try_get("currency")?,
                    at: row.try_get("occurred_at")?,
                    pico: pico.parse().map_err(QueryError::unreadable)?,
                })
            })
            .collect()
    }
}

impl Later {
    /// What came after a position in the batch that it lies in, by currency and hour; nothing where it
    /// lies in none.
    pub(crate) async fn than(
        snapshot: &mut Snapshot,
        organization_id: OrganizationId,
        position: i64,
    ) -> Result<Self, QueryError> {
        let Some(within) =
            Within::of(snapshot, Projection::Balances, organization_id, position).await?
        else {
            return Ok(Self::default());
        };
        let connection = snapshot.connection();
        within.are_here(connection, (within.last_ordinal + 1, within.end_ordinal)).await?;
        let rows = sqlx::query(&format!(
            "select currency, date_trunc('hour', occurred_at, 'UTC') as hour,
                 (sum(cost_pico) * 0.000000000001)::text as cost
             {OF_BATCH} and ordinal between $4 and $5 and cost_pico <> 0
             group by 1, 2"
        ))
        .bind(within.batch_id)
        .bind(within.first_day)
        .bind(within.last_day)
        .bind(within.last_ordinal + 1)
        .bind(within.end_ordinal)
        .fetch_all(connection)
        .await?;
        let mut later = Self::default();
        for row in &rows {
            later.currencies.push(row.try_get("currency")?);
            later.hours.push(row.try_get("hour")?);
            later.costs.push(row.try_get("cost")?);
        }
        Ok(later)
    }
}

impl LaterOfBudgets {
    /// What came after a position in the batch that it lies in, of each of an organization's budgets by
    /// the quarter of an hour.
    pub(crate) async fn than(
        snapshot: &mut Snapshot,
        organization_id: OrganizationId,
        budgets: &[Budget],
        position: i64,
    ) -> Result<Self, QueryError> {
        let Some(within) =
            Within::of(snapshot, Projection::Budgets, organization_id, position).await?
        else {
            return Ok(Self::default());
        };
        let connection = snapshot.connection();
        within.are_here(connection, (within.last_ordinal + 1, within.end_ordinal)).await?;
        let (scopes, subjects): (Vec<_>, Vec<_>) =
            budgets.iter().map(|budget| subject(&budget.scope)).unzip();
        let rows = sqlx::query(&format!(
            "select number, quarter_hour, (sum(pico) * 0.000000000001)::text as cost
             from (select currency, project_id, api_key_id, member_id, feature, sum(cost_pico) as pico,
                       date_bin('15 minutes', occurred_at, '2000-01-01T00:00:00Z') as quarter_hour
                   {OF_BATCH} and ordinal between $4 and $5 and cost_pico <> 0
                   group by 1, 2, 3, 4, 5, 7) u
             cross join lateral (values ('organization', ''), ('project', u.project_id::text),
                 ('api_key', u.api_key_id::text), ('member', u.member_id::text),
                 ('feature', u.feature)) as s(scope, subject)
             join unnest($6::text[], $7::text[], $8::text[])
                 with ordinality as b(currency, scope, subject, number)
                 using (currency, scope, subject)
             group by 1, 2"
        ))
        .bind(within.batch_id)
        .bind(within.first_day)
        .bind(within.last_day)
        .bind(within.last_ordinal + 1)
        .bind(within.end_ordinal)
        .bind(budgets.iter().map(|budget| budget.currency.to_string()).collect::<Vec<_>>())
        .bind(scopes)
        .bind(subjects)
        .fetch_all(connection)
        .await?;
        let mut later = Self { first_position: within.first_position, ..Self::default() };
        for row in &rows {
            later.budgets.push(row.try_get("number")?);
            later.quarter_hours.push(row.try_get("quarter_hour")?);
            later.costs.push(row.try_get("cost")?);
        }
        Ok(later)
    }
}

/// The kind of what a budget is on, and which.
fn subject(scope: &BudgetScope) -> (&'static str, String) {
    match scope {
        BudgetScope::Organization {} => ("organization", String::new()),
        BudgetScope::Project { project_id } => ("project", project_id.to_string()),
        BudgetScope::ApiKey { api_key_id } => ("api_key", api_key_id.to_string()),
        BudgetScope::Member { member_id } => ("member", member_id.to_string()),
        BudgetScope::Feature { feature } => ("feature", feature.clone()),
    }
}
