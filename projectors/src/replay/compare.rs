//! Whether what was folded again is what the live read models hold.

use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::{ReplayError, Scratch};
use crate::builds::{self, State};
use crate::status::TableFingerprint;

/// What a table of a live read model is to the one that was folded again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Every row is the same.
    Same,
    /// They are not: what the live one holds.
    Differs(TableFingerprint),
    /// The live one has gone on, and such a table does not remember what it was.
    GoneOn,
}

/// A table, compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableComparison {
    /// The projection.
    pub projection: &'static str,
    /// The table, as it was folded again.
    pub replayed: TableFingerprint,
    /// What the live one is to it.
    pub live: Comparison,
}

/// One picture of the live read models, in which nothing can be written.
pub struct Live(Transaction<'static, Postgres>);

impl Live {
    /// The picture now. The pool acts as the projector, who sees all of each table.
    pub async fn open(read: &PgPool) -> Result<Self, ReplayError> {
        Ok(Self(read.begin_with("begin isolation level repeatable read read only").await?))
    }

    /// Where a read model stands; none where no build of it, or one of another version, is in service.
    pub async fn position(
        &mut self,
        projection: &str,
        version: i32,
    ) -> Result<Option<i64>, ReplayError> {
        let serving = builds::find(&mut self.0, projection, State::Serving).await?;
        let serving = serving.filter(|build| build.version == version);
        Ok(serving.map(|build| build.place.position))
    }

    /// Compares a read model with the one that was folded again; nothing where there is no live one as
    /// far as that.
    pub async fn compare(
        &mut self,
        scratch: &mut Scratch,
    ) -> Result<Vec<TableComparison>, ReplayError> {
        let (name, position) = (scratch.name(), scratch.position());
        let serving = builds::find(&mut self.0, name, State::Serving).await?;
        let serving = serving.filter(|build| build.version == scratch.version());
        let Some(build) = serving.filter(|build| build.place.position >= position) else {
            return Ok(Vec::new());
        };
        let schema = build.schema(name);
        let gone_on = build.place.position > position;
        let mut compared = Vec::new();
        for table in scratch.tables().await? {
            let columns = scratch.columns(&table).await?;
            let rows = as_of(&columns);
            let plain = rows.is_none();
            let rows = rows.unwrap_or_else(|| As::all(&columns));
            let replayed =
                fingerprint(scratch.connection(), "pg_temp", &table, &rows, position).await?;
            let live = if plain && gone_on {
                Comparison::GoneOn
            } else {
                let live = fingerprint(&mut self.0, &schema, &table, &rows, position).await?;
                if live == replayed { Comparison::Same } else { Comparison::Differs(live) }
            };
            compared.push(TableComparison { projection: name, replayed, live });
        }
        Ok(compared)
    }
}

/// The rows of a table as they were at a position: which, and what they read as.
struct As {
    row: String,
    condition: &'static str,
}

impl As {
    fn all(columns: &[String]) -> Self {
        let names: Vec<String> = columns.iter().map(|name| format!("\"{name}\"")).collect();
        Self { row: names.join(", "), condition: "$1::bigint is not null" }
    }
}

/// As rows with what was known say it, and as rows of single entries do; none where a table's rows are
/// written over.
fn as_of(columns: &[String]) -> Option<As> {
    let has = |column: &str| columns.iter().any(|name| name == column);
    if has("known_from") && has("known_to") {
        let column = |name: &String| match name.as_str() {
            "known_to" => "case when known_to > $1 then null else known_to end".to_owned(),
            name => format!("\"{name}\""),
        };
        let columns: Vec<String> = columns.iter().map(column).collect();
        return Some(As { row: columns.join(", "), condition: "known_from <= $1" });
    }
    // A movement of credits, what a lot came to, or a line of the audit log: written once.
    if has("position") && (has("event_id") || has("recorded_at")) {
        return Some(As { condition: "position <= $1", ..As::all(columns) });
    }
    None
}

async fn fingerprint(
    connection: &mut PgConnection,
    schema: &str,
    table: &str,
    rows: &As,
    position: i64,
) -> Result<TableFingerprint, sqlx::Error> {
    let As { row, condition } = rows;
    // Rows are compared as text, so it must not depend on anybody's settings.
    sqlx::query(
        "select set_config('timezone', 'UTC', false), set_config('datestyle', 'ISO', false)",
    )
    .execute(&mut *connection)
    .await?;
    let select = format!(
        "select count(*), coalesce(md5(string_agg(hash, '' order by hash)), '')
         from (select md5(row({row})::text) as hash from {schema}.\"{table}\" where {condition}) rows"
    );
    let (rows, md5): (i64, String) =
        sqlx::query_as(&select).bind(position).fetch_one(connection).await?;
    Ok(TableFingerprint { table: table.to_owned(), rows, md5 })
}
