//! Builds: the tables of a projection, filled up to a position. One of them is in service; another
//! may be filling beside it.

use sqlx::postgres::PgRow;
use sqlx::{Executor, PgConnection, Row};

use crate::feed::{FeedPage, Place};
use crate::projection::{ProjectionError, Registered};

/// A build as `read.builds` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Build {
    pub(crate) id: i64,
    pub(crate) version: i32,
    pub(crate) place: Place,
}

impl Build {
    /// The schema of its tables.
    pub(crate) fn schema(&self, projection: &str) -> String {
        schema(projection, self.id)
    }
}

fn schema(projection: &str, id: i64) -> String {
    format!("read_{projection}_{id}")
}

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Building,
    Serving,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Serving => "serving",
        }
    }
}

const SELECT: &str = "select build, version, position, stream_sequence from read.builds
                      where projection = $1 and state = $2";

/// The projection's build in that state.
pub(crate) async fn find(
    connection: &mut PgConnection,
    projection: &str,
    state: State,
) -> Result<Option<Build>, sqlx::Error> {
    let query = sqlx::query(SELECT).bind(projection).bind(state.as_str());
    Ok(query.fetch_optional(connection).await?.as_ref().map(build))
}

/// The same, locked: until the transaction ends, nobody else applies anything to it.
pub(crate) async fn lock(
    tx: &mut PgConnection,
    projection: &str,
    state: State,
) -> Result<Option<Build>, sqlx::Error> {
    let locking = format!("{SELECT} for update");
    let query = sqlx::query(&locking).bind(projection).bind(state.as_str());
    Ok(query.fetch_optional(tx).await?.as_ref().map(build))
}

fn build(row: &PgRow) -> Build {
    let place = Place { position: row.get(2), stream_sequence: row.get(3) };
    Build { id: row.get(0), version: row.get(1), place }
}

/// Makes the rest of the transaction the work of who owns builds and views. The projector itself
/// owns nothing: an owner can take row-level security off.
pub(crate) async fn act_as_builder(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    tx.execute("set local role orgledger_builder").await?;
    Ok(())
}

/// Makes a build with empty tables. The transaction goes on as their owner.
pub(crate) async fn create(
    tx: &mut PgConnection,
    projection: &Registered,
) -> Result<Build, sqlx::Error> {
    let id: i64 = sqlx::query_scalar(
        "insert into read.builds (projection, version, state) values ($1, $2, 'building')
         returning build",
    )
    .bind(projection.name)
    .bind(projection.version)
    .fetch_one(&mut *tx)
    .await?;
    let schema = schema(projection.name, id);
    act_as_builder(tx).await?;
    tx.execute(format!("create schema {schema}").as_str()).await?;
    enter(tx, &schema).await?;
    tx.execute(projection.tables).await?;
    if !projection.indexes.is_empty() {
        tx.execute(projection.indexes).await?;
    }
    sqlx::query("select read.enclose($1, $2)")
        .bind(&schema)
        .bind(projection.views)
        .execute(tx)
        .await?;
    let place = Place { position: 0, stream_sequence: None };
    Ok(Build { id, version: projection.version, place })
}

/// Makes unqualified names mean the build's tables, until the transaction ends.
///
/// What is committed here need not wait for the disk: rows and checkpoint are lost together or not
/// at all, and what the machine loses is applied again from the log.
///
/// Sequential scans are only taken where there is nothing else: the planner knows nothing yet of
/// tables that are being filled, and would read all of a usage partition for each page.
async fn enter(tx: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    let settings = format!(
        "set local search_path to {schema};
         set local synchronous_commit to off;
         set local enable_seqscan to off"
    );
    tx.execute(settings.as_str()).await?;
    Ok(())
}

/// Applies a page to a build whose row is locked, and moves its checkpoint.
pub(crate) async fn apply(
    tx: &mut PgConnection,
    projection: &Registered,
    build: &Build,
    page: &FeedPage,
) -> Result<Place, ProjectionError> {
    enter(tx, &build.schema(projection.name)).await?;
    projection.apply(tx, page).await?;
    sqlx::query(
        "update read.builds
         set position = $2, recorded_at = coalesce($3, recorded_at), stream_sequence = $4
         where build = $1",
    )
    .bind(build.id)
    .bind(page.upto)
    .bind(page.recorded_at)
    .bind(page.stream_sequence)
    .execute(tx)
    .await?;
    Ok(Place { position: page.upto, stream_sequence: page.stream_sequence })
}

/// The first thing in a build that does not agree with the rest of it.
pub(crate) async fn disagreement(
    tx: &mut PgConnection,
    projection: &Registered,
    build: &Build,
) -> Result<Option<String>, sqlx::Error> {
    let schema = build.schema(projection.name);
    // Here all of each table is read.
    let settings = format!("set local search_path to {schema}; set local enable_seqscan to on");
    tx.execute(settings.as_str()).await?;
    for check in projection.checks {
        let found: Option<String> = sqlx::query_scalar(check).fetch_optional(&mut *tx).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The projection's builds whose tables are there, in service or not.
pub(crate) async fn there(
    connection: &mut PgConnection,
    projection: &str,
) -> Result<Vec<Build>, sqlx::Error> {
    let rows = sqlx::query(
        "select build, version, position, stream_sequence from read.builds
         where projection = $1
             and to_regnamespace(format('read_%s_%s', projection, build)) is not null
         order by build desc",
    )
    .bind(projection)
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(build).collect())
}

/// The schemas of builds that are out of service.
pub(crate) async fn retired_schemas(
    connection: &mut PgConnection,
    projection: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "select build from read.builds
         where projection = $1 and state = 'retired'
             and to_regnamespace(format('read_%s_%s', projection, build)) is not null
         order by build",
    )
    .bind(projection)
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(|id| schema(projection, id)).collect())
}

/// Takes a build out of service, or gives one up that never was in it.
pub(crate) async fn retire(tx: &mut PgConnection, build: &Build) -> Result<(), sqlx::Error> {
    sqlx::query("update read.builds set state = 'retired' where build = $1")
        .bind(build.id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Puts a build into service.
pub(crate) async fn serve(tx: &mut PgConnection, build: &Build) -> Result<(), sqlx::Error> {
    sqlx::query("update read.builds set state = 'serving' where build = $1")
        .bind(build.id)
        .execute(tx)
        .await?;
    Ok(())
}
