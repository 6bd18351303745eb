//! The views that readers read, and how they come to show another build without a reader noticing.
//!
//! While two builds are at hand, a view shows both, and `read.builds` decides which: then the update
//! of one row switches all views at once, for every reader at the boundary of its snapshot. Before
//! and after, each view is replaced on its own. Taking the locks on several views together would
//! mean to wait for one while holding another, and readers take them in any order.
//!
//! Views are always replaced in the order of their names. Readers rely on it: whoever holds the
//! first one holds up all.
//!
//! They ask with the rights of who reads them (`security_invoker`), so that the row-level security
//! of the tables is the reader's and not the owner's. Whoever changes them acts as their owner.

use std::time::Duration;

use sqlx::{Connection as _, Executor, PgConnection, PgPool, Row};

use crate::builds::{self, Build, State};
use crate::projection::Registered;

/// How long to wait for locks before letting those pass who queue behind. Well below Postgres's
/// `deadlock_timeout` (one second): should we be part of a deadlock, it is we who give up.
const LOCKS_MS_MAX: u32 = 200;

/// How long to wait before locks are tried for again: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// Postgres's codes for a lock and for a statement that ran out of time.
const OUT_OF_TIME: [&str; 2] = ["55P03", "57014"];

/// Whether locks were not to be had in time.
pub(crate) fn is_out_of_time(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| OUT_OF_TIME.contains(&&*code))
}

/// Whether something cannot be dropped because something else is built on it.
pub(crate) fn is_depended_on(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("2BP01")
}

/// The pauses between tries for locks that readers hold.
pub(crate) struct Patience(Duration);

impl Patience {
    pub(crate) fn new() -> Self {
        Self(PAUSE.0)
    }

    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(PAUSE.1);
    }
}

fn plain(name: &str, schema: &str) -> String {
    view(name, &of_one(name, schema))
}

fn of_one(name: &str, schema: &str) -> String {
    format!("select * from {schema}.{name}")
}

/// Lets a view show either of two builds: the one in service. Both have the same columns.
fn either(name: &str, projection: &str, builds: [&Build; 2]) -> String {
    view(name, &of_either(name, projection, builds))
}

fn of_either(name: &str, projection: &str, builds: [&Build; 2]) -> String {
    let branch = |build: &Build| {
        format!(
            "select * from {}.{name} where {} = (select build from read.builds
             where projection = '{projection}' and state = 'serving')",
            build.schema(projection),
            build.id
        )
    };
    format!("{} union all {}", branch(builds[0]), branch(builds[1]))
}

/// The option is named each time: replacing a view resets those that are not.
fn view(name: &str, query: &str) -> String {
    format!("view read.{name} with (security_invoker = true) as {query}")
}

/// Analysts see through the views what they see of the tables: of most, nothing.
fn granted(name: &str) -> String {
    format!(
        "grant select on read.{name} to orgledger_reader, orgledger_operator, orgledger_analyst"
    )
}

/// How the views must come to show a new build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Their columns stay: they can show either build for a while.
    Either,
    /// Their columns change: all are made anew, in one transaction.
    Anew,
}

/// How the views can come to show `build`.
pub(crate) async fn way_to(
    connection: &mut PgConnection,
    projection: &Registered,
    build: &Build,
) -> Result<Way, sqlx::Error> {
    let columns = "select array_agg(row(attname, atttypid, atttypmod)::text order by attnum)
                   from pg_attribute
                   where attnum > 0 and not attisdropped and attrelid";
    let changed: bool = sqlx::query_scalar(&format!(
        "select coalesce(bool_or(({columns} = to_regclass('read.' || name))
                 is distinct from ({columns} = to_regclass($2 || '.' || name))), false)
         from unnest($1::text[]) as v(name) where to_regclass('read.' || name) is not null",
    ))
    .bind(projection.views)
    .bind(build.schema(projection.name))
    .fetch_one(connection)
    .await?;
    Ok(if changed { Way::Anew } else { Way::Either })
}

/// Makes every view that is there show whichever of the two builds is in service.
pub(crate) async fn show_either(
    read: &PgPool,
    projection: &Registered,
    builds: [&Build; 2],
) -> Result<(), sqlx::Error> {
    for name in there(read, projection).await? {
        let view = either(&name, projection.name, builds);
        patiently(read, &format!("create or replace {view}")).await?;
    }
    Ok(())
}

async fn there(read: &PgPool, projection: &Registered) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select name from unnest($1::text[]) as v(name)
         where to_regclass('read.' || name) is not null order by name",
    )
    .bind(projection.views)
    .fetch_all(read)
    .await
}

/// Makes the views show `build` as the transaction ends that puts it into service. It must act as
/// their owner.
pub(crate) async fn switch(
    tx: &mut PgConnection,
    projection: &Registered,
    build: &Build,
    way: Way,
) -> Result<(), sqlx::Error> {
    let schema = build.schema(projection.name);
    if way == Way::Anew {
        let over = over_others(tx, projection.name, "").await?;
        let over: Vec<String> = over.iter().map(|name| format!("read.{name}")).collect();
        lock_all(tx, &over).await?;
        if !over.is_empty() {
            tx.execute(format!("drop view {}", over.join(", ")).as_str()).await?;
        }
    }
    for name in projection.views {
        let there: bool = sqlx::query_scalar("select to_regclass('read.' || $1) is not null")
            .bind(name)
            .fetch_one(&mut *tx)
            .await?;
        if !there {
            let create = format!("create {}; {}", plain(name, &schema), granted(name));
            tx.execute(create.as_str()).await?;
        }
    }
    Ok(())
}

/// Makes each view show the build in service alone, and drops views of tables that it lacks.
pub(crate) async fn settle(read: &PgPool, projection: &Registered) -> Result<(), sqlx::Error> {
    let mut connection = read.acquire().await?;
    let serving = builds::find(&mut connection, projection.name, State::Serving).await?;
    let Some(serving) = serving else {
        return Ok(());
    };
    let schema = serving.schema(projection.name);
    let names = over_others(&mut connection, projection.name, &schema).await?;
    let stay: Vec<String> = sqlx::query_scalar(
        "select name from unnest($1::text[]) as v(name)
         where to_regclass($2 || '.' || name) is not null",
    )
    .bind(&names)
    .bind(&schema)
    .fetch_all(&mut *connection)
    .await?;
    drop(connection);
    for name in names {
        let settled = if stay.contains(&name) {
            format!("create or replace {}", plain(&name, &schema))
        } else {
            format!("drop view read.{name}")
        };
        match patiently(read, &settled).await {
            Err(error) if is_depended_on(&error) => {
                tracing::warn!(
                    view = name,
                    "the view is not needed any more, but something that is not orgledger's is \
                     built on it: it stays as it was until that is dropped"
                );
            }
            settled => settled?,
        }
    }
    Ok(())
}

/// The first of the projection's views that is not what this program makes of it, with what it is. The
/// transaction goes on as their owner and is to be rolled back.
pub(crate) async fn changed(
    tx: &mut PgConnection,
    projection: &Registered,
    serving: &Build,
) -> Result<Option<(&'static str, String)>, sqlx::Error> {
    let others = builds::there(tx, projection.name).await?;
    builds::act_as_builder(tx).await?;
    for name in projection.views {
        let found = definition(tx, name).await?;
        let one = of_one(name, &serving.schema(projection.name));
        let mut is_ours = found.is_some() && found == as_made(tx, &one).await?;
        // Of a rebuild that goes on, or was killed.
        for other in others.iter().filter(|other| other.id != serving.id) {
            for builds in [[serving, other], [other, serving]] {
                if !is_ours && found.is_some() {
                    let two = of_either(name, projection.name, builds);
                    is_ours = found == as_made(tx, &two).await?;
                }
            }
        }
        if !is_ours {
            let is = found.map_or_else(
                || "there is no such view".to_owned(),
                |(definition, _)| definition.split_whitespace().collect::<Vec<_>>().join(" "),
            );
            return Ok(Some((name, is)));
        }
    }
    Ok(None)
}

/// What a view in `read` selects, and its options.
type Definition = (String, Option<Vec<String>>);

async fn definition(tx: &mut PgConnection, name: &str) -> Result<Option<Definition>, sqlx::Error> {
    sqlx::query_as(
        "select pg_get_viewdef(oid), reloptions from pg_class
         where oid = to_regclass('read.' || $1) and relkind = 'v'",
    )
    .bind(name)
    .fetch_optional(tx)
    .await
}

/// What a view of a query is, once it is made; none where it cannot be.
async fn as_made(tx: &mut PgConnection, query: &str) -> Result<Option<Definition>, sqlx::Error> {
    let mut tx = tx.begin().await?;
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *tx).await?;
    let name = format!("as_made_{pid}");
    let made = tx.execute(format!("create {}", view(&name, query)).as_str()).await;
    let definition = match made {
        Ok(_) => definition(&mut tx, &name).await?,
        // Another version's tables have other columns.
        Err(error) if error.as_database_error().is_some() => None,
        Err(error) => return Err(error),
    };
    tx.rollback().await?;
    Ok(definition)
}

/// The views in `read` that show tables of another of the projection's builds than that in `schema`.
async fn over_others(
    connection: &mut PgConnection,
    projection: &str,
    schema: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(
        "select distinct v.relname::text as name
         from pg_depend d
         join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
         join pg_class v on v.oid = r.ev_class and v.relnamespace = 'read'::regnamespace
         join pg_class t on d.refclassid = 'pg_class'::regclass and t.oid = d.refobjid
         join pg_namespace s on s.oid = t.relnamespace
         where s.nspname ~ ('^read_' || $1 || '_[0-9]+$') and s.nspname <> $2
         order by name",
    )
    .bind(projection)
    .bind(schema)
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(|row| row.get("name")).collect())
}

/// Changes one view, as soon as no reader is at it.
async fn patiently(read: &PgPool, change: &str) -> Result<(), sqlx::Error> {
    let mut patience = Patience::new();
    loop {
        let mut tx = read.begin().await?;
        builds::act_as_builder(&mut tx).await?;
        let change = format!("set local lock_timeout to {LOCKS_MS_MAX}; {change}");
        match tx.execute(change.as_str()).await {
            Ok(_) => return tx.commit().await,
            Err(error) if is_out_of_time(&error) => {}
            Err(error) => return Err(error),
        }
        tx.rollback().await?;
        tracing::debug!(change, "readers are at a view; waiting");
        patience.pause().await;
    }
}

/// Drops the tables of a build that no view shows any more; an error where one still does.
pub(crate) async fn drop_schema(tx: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables
         where schemaname = $1 order by tablename",
    )
    .bind(schema)
    .fetch_all(&mut *tx)
    .await?;
    lock_all(tx, &tables).await?;
    if !tables.is_empty() {
        tx.execute(format!("drop table {}", tables.join(", ")).as_str()).await?;
    }
    tx.execute(format!("drop schema {schema}").as_str()).await?;
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
