//! The views that readers read, and how they come to show another build without a reader noticing.

use sqlx::{Connection, Executor, PgConnection};

use crate::projection::Registered;

/// How long the locks on all of a projection's views may take together. Well below Postgres's
/// `deadlock_timeout` (one second): we give up before a reader could be picked as a deadlock's
/// victim, and readers wait no longer than this behind us.
const LOCKS_MS_MAX: u32 = 200;

/// Postgres's code for a statement that ran out of time.
const QUERY_CANCELED: &str = "57014";
/// Postgres's code for a view whose columns are not those it had.
const INVALID_TABLE_DEFINITION: &str = "42P16";

/// Whether the locks were not to be had in time.
pub(crate) fn is_out_of_time(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some(QUERY_CANCELED)
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// Makes the projection's views show the tables of `schema`.
pub(crate) async fn switch(
    tx: &mut PgConnection,
    projection: &Registered,
    schema: &str,
) -> Result<(), sqlx::Error> {
    let mut names = projection.views.to_vec();
    names.sort_unstable();
    let there: Vec<String> = sqlx::query_scalar(
        "select format('read.%I', name) from unnest($1::text[]) as v(name)
         where to_regclass(format('read.%I', name)) is not null order by name",
    )
    .bind(&names)
    .fetch_all(&mut *tx)
    .await?;
    lock_all(tx, &there).await?;
    for name in names {
        show(tx, name, schema).await?;
    }
    Ok(())
}

async fn show(tx: &mut PgConnection, name: &str, schema: &str) -> Result<(), sqlx::Error> {
    let create = format!("view read.{name} as select * from {schema}.{name}");
    let mut attempt = tx.begin().await?;
    match attempt.execute(format!("create or replace {create}").as_str()).await {
        Ok(_) => attempt.commit().await?,
        // Its columns are others now: nobody's own views on it can stay as they are.
        Err(error) if code(&error).as_deref() == Some(INVALID_TABLE_DEFINITION) => {
            attempt.rollback().await?;
            tx.execute(format!("drop view read.{name}; create {create}").as_str()).await?;
        }
        Err(error) => return Err(error),
    }
    tx.execute(format!("grant select on read.{name} to orgledger_reader").as_str()).await?;
    Ok(())
}

/// Drops the schema of a build that no view shows any more.
pub(crate) async fn drop_schema(tx: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables
         where schemaname = $1 order by tablename",
    )
    .bind(schema)
    .fetch_all(&mut *tx)
    .await?;
    lock_all(tx, &tables).await?;
    tx.execute(format!("drop schema if exists {schema} cascade").as_str()).await?;
    Ok(())
}

/// Takes all the locks in the order given, or none.
async fn lock_all(tx: &mut PgConnection, relations: &[String]) -> Result<(), sqlx::Error> {
    if relations.is_empty() {
        return Ok(());
    }
    let lock = format!(
        "set local statement_timeout to {LOCKS_MS_MAX};
         lock table {} in access exclusive mode;
         set local statement_timeout to 0",
        relations.join(", ")
    );
    tx.execute(lock.as_str()).await?;
    Ok(())
}
