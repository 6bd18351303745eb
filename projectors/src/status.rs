//! How far projections are, and what their tables hold.

use chrono::{DateTime, Utc};
use sqlx::{Connection, Executor, PgConnection, PgPool, Row};

use crate::error::RunError;

/// A projection's build that is in service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionStatus {
    /// The projection.
    pub projection: String,
    /// The version of its tables.
    pub version: i32,
    /// The build.
    pub build: i64,
    /// Every entry of the log up to here is in its tables.
    pub position: i64,
    /// When the log learned of the entry at that position.
    pub recorded_at: Option<DateTime<Utc>>,
}

/// Every projection that is in service.
pub async fn status(read: &PgPool) -> Result<Vec<ProjectionStatus>, sqlx::Error> {
    let rows = sqlx::query(
        "select projection, version, build, position, recorded_at
         from read.builds where state = 'serving' order by projection",
    )
    .fetch_all(read)
    .await?;
    Ok(rows
        .iter()
        .map(|row| ProjectionStatus {
            projection: row.get(0),
            version: row.get(1),
            build: row.get(2),
            position: row.get(3),
            recorded_at: row.get(4),
        })
        .collect())
}

/// What a projection's tables hold at a position, in a few characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// The position.
    pub position: i64,
    /// For each table its number of rows and a hash over all of them, in no particular order of
    /// theirs. Two builds of one log are equal here at the same position, or one of them is wrong.
    pub tables: Vec<TableFingerprint>,
}

/// What one table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFingerprint {
    /// The table.
    pub table: String,
    /// How many rows.
    pub rows: i64,
    /// MD5 over the MD5s of all rows, sorted. It compares; it proves nothing to an adversary.
    pub md5: String,
}

/// A fingerprint of the projection's tables in service.
pub async fn fingerprint(read: &PgPool, projection: &str) -> Result<Fingerprint, RunError> {
    let mut connection = read.acquire().await?;
    let mut tx = connection.begin().await?;
    // The row's lock keeps the tables as they are. Rows are compared as text, so it must not depend
    // on anybody's settings.
    tx.execute("set local timezone to 'UTC'; set local datestyle to 'ISO'").await?;
    let serving: Option<(i64, i64)> = sqlx::query_as(
        "select build, position from read.builds where projection = $1 and state = 'serving'
         for update",
    )
    .bind(projection)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((build, position)) = serving else {
        return Err(crate::projection::unknown(projection));
    };
    let schema = format!("read_{projection}_{build}");
    let names: Vec<String> = sqlx::query_scalar(
        "select tablename::text from pg_tables where schemaname = $1 order by tablename",
    )
    .bind(&schema)
    .fetch_all(&mut *tx)
    .await?;
    let mut tables = Vec::with_capacity(names.len());
    for table in names {
        let sql = format!(
            "select count(*), coalesce(md5(string_agg(hash, '' order by hash)), '')
             from (select md5(t::text) as hash from {schema}.{table} t) rows"
        );
        let (rows, md5): (i64, String) = sqlx::query_as(&sql).fetch_one(&mut *tx).await?;
        tables.push(TableFingerprint { table, rows, md5 });
    }
    tx.rollback().await?;
    Ok(Fingerprint { position, tables })
}

/// Where two builds differ first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// A row of one that the other has not, and which of them it is.
    pub row: String,
}

/// The first row in which the tables of a build in service and of another, filled from the log, differ.
pub(crate) async fn first_difference(
    tx: &mut PgConnection,
    serving: &str,
    fresh: &str,
) -> Result<Option<Difference>, sqlx::Error> {
    tx.execute(
        "set local timezone to 'UTC'; set local datestyle to 'ISO'; set local enable_seqscan to on",
    )
    .await?;
    let names: Vec<String> = sqlx::query_scalar(
        "select tablename::text from pg_tables where schemaname = $1 order by tablename",
    )
    .bind(fresh)
    .fetch_all(&mut *tx)
    .await?;
    for table in names {
        for (here, there, what) in [
            (serving, fresh, "there is a row that does not follow from the log"),
            (fresh, serving, "a row is missing that follows from the log"),
        ] {
            let sql = format!(
                "select t::text from {here}.{table} t except all select t::text from {there}.{table} t
                 order by 1 limit 1"
            );
            let row: Option<String> = sqlx::query_scalar(&sql).fetch_optional(&mut *tx).await?;
            if let Some(row) = row {
                return Ok(Some(Difference { table, row: format!("{what}: {row}") }));
            }
        }
    }
    Ok(None)
}
