//! Where the records of each month of usage are, and moving them in and out of the log's tables.
//!
//! A month is *open* until it is *closed*: a trigger on its partition refuses whatever is added. Then
//! it can be *detached*: its table stands beside the others, and no reader of `log.usage_records`
//! sees it. *Dropped*, it is in files alone. Whoever does any of it owns the tables: services may
//! look. What is on record of it is an event of the month's own stream.

use chrono::NaiveDate;
use event_schemas::{Month, OrganizationId, StreamEvent as _, UsageMonthEvent};
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

/// Postgres's code of what a closed month's partition answers.
pub(super) const TAKES_NO_RECORDS: &str = "OL001";
/// Postgres's code for a table that is not there.
pub(super) const UNDEFINED_TABLE: &str = "42P01";
/// Postgres's code for a lock that was not had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// How long a detaching waits for its lock, in milliseconds: all who use the lane wait behind it.
const LOCK_WAIT_MS: u32 = 200;

/// Where a month's records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonthState {
    /// In the log's tables, or there are none yet.
    Open,
    /// In the log's tables, and no more are taken.
    Closed,
    /// In a table beside them.
    Detached,
    /// In an archive alone.
    Dropped,
}

/// Why a month's records stay where they are.
#[derive(Debug, thiserror::Error)]
pub enum MonthError {
    /// There are none.
    #[error("there is no usage of {0}")]
    NoUsage(Month),
    /// It is somewhere else than that takes.
    #[error("usage of {month} is {state:?} by now: another command was faster")]
    Moved {
        /// The month.
        month: Month,
        /// Where it is.
        state: MonthState,
    },
    /// Readers kept the lock. Nothing was done.
    #[error("usage of {0} is being read without a pause; try again in a moment")]
    InUse(Month),
    /// The database's user owns nothing of the log.
    #[error(
        "the database user may not do this: archiving is for the owner of the log's tables, as whom \
         `orgledger migrate` runs ({0})"
    )]
    NotTheOwner(sqlx::Error),
    /// The database failed.
    #[error(transparent)]
    Sqlx(sqlx::Error),
}

impl From<sqlx::Error> for MonthError {
    fn from(error: sqlx::Error) -> Self {
        if code(&error).as_deref() == Some("42501") {
            Self::NotTheOwner(error)
        } else {
            Self::Sqlx(error)
        }
    }
}

/// The months whose records are not in the log's tables: what rests on records one by one has to do
/// without them, or refuse.
pub async fn archived_months(connection: &mut PgConnection) -> Result<Vec<Month>, sqlx::Error> {
    months(sqlx::query_scalar("select log.missing_usage_months() as month order by 1"), connection)
        .await
}

/// The first of the archived months that days from one to another lie in.
pub async fn first_missing(
    connection: &mut PgConnection,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<Option<Month>, sqlx::Error> {
    let missing = archived_months(connection).await?;
    Ok(missing.into_iter().find(|month| month.meets(first, last)))
}

/// How many of the records of a batch `batch` are here, in SQL. Days are here to leave out partitions, and
/// not to find records by: whole months.
pub const RECORDS_HERE: &str = "select count(*) from log.usage_records record
     where record.batch_id = batch.batch_id
         and record.occurred_day >= date_trunc('month', batch.first_day::timestamp)::date
         and record.occurred_day < (date_trunc('month', batch.last_day::timestamp)
             + interval '1 month')::date";

/// The archived months in which an organization may have records: a batch of its meets the month, and not
/// all of the batch is here.
pub(super) async fn missing_of_organization(
    connection: &mut PgConnection,
    organization_id: OrganizationId,
) -> Result<Vec<Month>, sqlx::Error> {
    let sql = format!(
        "select m.month from log.missing_usage_months() as m(month)
         where exists (select from log.usage_batches batch where organization_id = $1
                           and first_day < m.month + interval '1 month' and last_day >= m.month
                           and count > ({RECORDS_HERE}))
         order by 1"
    );
    let missing = sqlx::query_scalar(&sql);
    months(missing.bind(organization_id.0), connection).await
}

async fn months(
    query: sqlx::query::QueryScalar<'_, sqlx::Postgres, NaiveDate, sqlx::postgres::PgArguments>,
    connection: &mut PgConnection,
) -> Result<Vec<Month>, sqlx::Error> {
    let days = query.fetch_all(connection).await?;
    Ok(days.into_iter().filter_map(Month::of).collect())
}

/// Where a month's records are.
pub async fn month_state(
    connection: &mut PgConnection,
    month: Month,
) -> Result<MonthState, sqlx::Error> {
    let state: Option<String> =
        sqlx::query_scalar("select state from log.usage_archives where month = $1")
            .bind(month.first_day())
            .fetch_optional(connection)
            .await?;
    Ok(MonthState::read(state.as_deref()))
}

impl MonthState {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Detached => "detached",
            Self::Dropped => "dropped",
        }
    }

    fn read(state: Option<&str>) -> Self {
        match state {
            None => Self::Open,
            Some("closed") => Self::Closed,
            Some("detached") => Self::Detached,
            Some(_) => Self::Dropped,
        }
    }
}

/// A month that is not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthArchived {
    /// The month.
    pub month: Month,
    /// Where its records are.
    pub state: MonthState,
    /// How many there are; not known before an archive is on record.
    pub records: Option<i64>,
    /// SHA-256 of the archive's manifest, in hexadecimal.
    pub manifest_sha256: Option<String>,
}

/// The months that are not open, in their order. The connection acts as a role that reads the log.
pub async fn archives(connection: &mut PgConnection) -> Result<Vec<MonthArchived>, sqlx::Error> {
    let rows = sqlx::query(
        "select month, state, (payload ->> 'records')::bigint, payload ->> 'manifest_sha256'
         from log.usage_archives left join lateral (
             select payload from log.events
             where aggregate_type = $1 and aggregate_id = to_char(month, 'YYYY-MM')
                 and event_type = 'usage.archived'
             order by sequence desc limit 1) as archived on true
         order by month",
    )
    .bind(UsageMonthEvent::STREAM)
    .fetch_all(connection)
    .await?;
    let month = |row: &PgRow| {
        let state = MonthState::read(Some(row.get(1)));
        // What a month was archived as before says nothing of the archive that is being made.
        let is_on_record = state != MonthState::Closed;
        Some(MonthArchived {
            month: Month::of(row.get(0))?,
            state,
            records: row.get::<Option<_>, _>(2).filter(|_| is_on_record),
            manifest_sha256: row.get::<Option<_>, _>(3).filter(|_| is_on_record),
        })
    };
    Ok(rows.iter().filter_map(month).collect())
}

/// The last that is on record of a month; none where nothing was ever done with it. The connection
/// acts as a role that reads the log.
pub async fn last_event(
    connection: &mut PgConnection,
    month: Month,
) -> Result<Option<UsageMonthEvent>, sqlx::Error> {
    let payload: Option<serde_json::Value> = sqlx::query_scalar(
        "select payload from log.events where aggregate_type = $1 and aggregate_id = $2
         order by sequence desc limit 1",
    )
    .bind(UsageMonthEvent::STREAM)
    .bind(month.to_string())
    .fetch_optional(connection)
    .await?;
    let event = payload.map(serde_json::from_value).transpose();
    event.map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The month's partition.
pub(super) fn partition(month: Month) -> String {
    format!("log.usage_records_{}", month.to_string().replace('-', "_"))
}

/// The month's table while it is detached.
pub(super) fn detached(month: Month) -> String {
    format!("log.usage_archived_{}", month.to_string().replace('-', "_"))
}

/// `log.usage_archived_2026_01` without the schema.
fn bare(table: &str) -> &str {
    table.rsplit('.').next().unwrap_or(table)
}

/// Closes a month that is open: what is being added is waited for, and nothing is from now on.
pub async fn close(owner: &mut PgConnection, month: Month) -> Result<(), MonthError> {
    let table = partition(month);
    let mut tx = owner.begin().await?;
    let there: Option<String> =
        sqlx::query_scalar("select to_regclass($1)::text").bind(&table).fetch_one(&mut *tx).await?;
    if there.is_none() {
        return Err(MonthError::NoUsage(month));
    }
    // It waits for those who add to the partition, and they wait for nothing of ours.
    tx.execute(
        format!(
            "create trigger closed before insert on {table} for each row
             execute function log.refuse_archived()"
        )
        .as_str(),
    )
    .await?;
    set_state(&mut tx, month, MonthState::Open, Some("closed")).await?;
    Ok(tx.commit().await?)
}

/// Opens a month that is closed.
pub async fn reopen(owner: &mut PgConnection, month: Month) -> Result<(), MonthError> {
    let mut tx = owner.begin().await?;
    tx.execute(format!("drop trigger closed on {}", partition(month)).as_str()).await?;
    set_state(&mut tx, month, MonthState::Closed, None).await?;
    Ok(tx.commit().await?)
}

/// Detaches a month that is closed. The identities of its first and last day stay: whoever sends one
/// of those again within 24 hours, in the month beside it, is told that it is there.
pub async fn detach(owner: &mut PgConnection, month: Month) -> Result<(), MonthError> {
    let (table, name) = (partition(month), detached(month));
    // Before the lock: a closed month does not change.
    sqlx::query(&format!(
        "insert into log.usage_archived_requests (occurred_day, request_key, content_key, occurred_at)
         select occurred_day, request_key, content_key, occurred_at from {table}
         where occurred_day in ($1, $2) on conflict do nothing"
    ))
    .bind(month.first_day())
    .bind(month.last_day())
    .execute(&mut *owner)
    .await?;
    // What a partition has from its parent goes with it: that nothing is changed, and who reads it.
    let statements = format!(
        "alter table log.usage_records detach partition {table};
         alter table {table} rename to {};
         create trigger append_only before update or delete on {name}
             for each row execute function log.refuse_change();
         revoke all on {name} from orgledger_writer;
         alter table {name} enable row level security, force row level security",
        bare(&name)
    );
    for _ in 0..LOCK_TRIES_MAX {
        let mut tx = owner.begin().await?;
        let patience = format!("set local lock_timeout to '{LOCK_WAIT_MS}ms'");
        tx.execute(patience.as_str()).await?;
        // The parent first, as whoever reads it takes them.
        let lock =
            format!("lock table only log.usage_records, only {table} in access exclusive mode");
        let locked = tx.execute(lock.as_str()).await;
        match locked {
            Ok(_) => {}
            Err(error) if code(&error).as_deref() == Some(LOCK_NOT_AVAILABLE) => {
                tx.rollback().await?;
                // Longer than those who wait behind take to get their turn.
                tokio::time::sleep(std::time::Duration::from_millis(LOCK_WAIT_MS.into())).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        set_state(&mut tx, month, MonthState::Closed, Some("detached")).await?;
        tx.execute(statements.as_str()).await?;
        return Ok(tx.commit().await?);
    }
    Err(MonthError::InUse(month))
}

/// How often a detaching tries to get its lock.
const LOCK_TRIES_MAX: usize = 100;

/// Drops the table of a month that is detached.
pub async fn drop_detached(owner: &mut PgConnection, month: Month) -> Result<(), MonthError> {
    let mut tx = owner.begin().await?;
    set_state(&mut tx, month, MonthState::Detached, Some("dropped")).await?;
    tx.execute(format!("drop table {}", detached(month)).as_str()).await?;
    Ok(tx.commit().await?)
}

/// In a transaction of the caller's: takes the wall off a detached month's table, so that its owner
/// reads it.
pub(super) async fn uncover(tx: &mut PgConnection, month: Month) -> Result<(), sqlx::Error> {
    let uncover = format!(
        "alter table {} no force row level security, disable row level security",
        detached(month)
    );
    tx.execute(uncover.as_str()).await?;
    Ok(())
}

/// In a transaction of the caller's: makes a table for a month that was dropped.
pub(super) async fn make_detached(tx: &mut PgConnection, month: Month) -> Result<(), sqlx::Error> {
    let name = detached(month);
    let make = format!(
        "create table {name} (like log.usage_records including all);
         alter table {name} alter batch_id set (n_distinct = -0.002);
         create trigger append_only before update or delete on {name}
             for each row execute function log.refuse_change();
         create trigger no_truncate before truncate on {name}
             for each statement execute function log.refuse_change();"
    );
    tx.execute(make.as_str()).await?;
    Ok(())
}

/// In a transaction of the caller's: makes the month's own table its partition again, and the month
/// open. Readers and writers go on meanwhile.
pub(super) async fn attach(
    tx: &mut PgConnection,
    month: Month,
    from: MonthState,
) -> Result<(), MonthError> {
    let (table, name) = (partition(month), detached(month));
    tx.execute("lock table log.making_usage_partitions in exclusive mode").await?;
    set_state(tx, month, from, None).await?;
    // The partition gets its parent's trigger of that name.
    let attach = format!(
        "drop trigger append_only on {name};
         drop trigger if exists closed on {name};
         alter table {name} rename to {};
         alter table log.usage_records attach partition {table} for values from ('{}') to ('{}');
         grant insert on {table} to orgledger_writer;",
        bare(&table),
        month.first_day(),
        month.end()
    );
    tx.execute(attach.as_str()).await?;
    sqlx::query("delete from log.usage_archived_requests where occurred_day in ($1, $2)")
        .bind(month.first_day())
        .bind(month.last_day())
        .execute(tx)
        .await?;
    Ok(())
}

/// Moves a month on, from where the caller believes it to be. Two who want the same thing meet here.
async fn set_state(
    tx: &mut PgConnection,
    month: Month,
    from: MonthState,
    to: Option<&str>,
) -> Result<(), MonthError> {
    tx.execute("lock table log.usage_archives in share row exclusive mode").await?;
    let state = month_state(tx, month).await?;
    if state != from {
        return Err(MonthError::Moved { month, state });
    }
    let statement = match to {
        None => "delete from log.usage_archives where month = $1 and $2::text is null",
        Some(_) => {
            "insert into log.usage_archives (month, state) values ($1, $2)
             on conflict (month) do update set state = excluded.state"
        }
    };
    sqlx::query(statement).bind(month.first_day()).bind(to).execute(tx).await?;
    Ok(())
}

fn code(error: &sqlx::Error) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
}
