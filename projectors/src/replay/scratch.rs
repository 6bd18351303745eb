//! One read model in a scratch space.

use event_log::database::{self, Role};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

use super::ReplayError;
use crate::apply::{Search, contradicts};
use crate::error::RunError;
use crate::feed::FeedPage;
use crate::projection::{ProjectionError, Registered};

/// What a session says first. Temporary tables are in memory as far as this reaches; a sequential scan is
/// taken only where there is nothing else, since the planner knows nothing of tables that are being filled.
const SESSION: &str =
    "set search_path to pg_temp; set temp_buffers to '32MB'; set enable_seqscan to off;
    set synchronous_commit to off; set timezone to 'UTC'; set datestyle to 'ISO'";

/// Leaves room on each page for a new state of every row on it. Here one transaction overrules rows by the
/// page, where the live tables see now one and then another: without the room, each would be entered into
/// every index again, which is three quarters of what overruling costs.
const ROOM: &str = "do $$ declare name regclass; begin
    for name in select oid from pg_class where relnamespace = pg_my_temp_schema() and relkind = 'r'
        and array_to_string(reloptions, ' ') like '%fillfactor%'
    loop
        execute format('alter table %s set (fillfactor = 50)', name);
    end loop;
end $$";

/// The table that usage records of a page may be staged in: no read model's.
const STAGED: &str = "orgledger_usage_page";

/// A read model in a scratch space.
pub struct Scratch {
    connection: PgConnection,
    projection: Registered,
    position: i64,
}

impl Scratch {
    /// An empty one.
    pub(super) async fn create(
        log: &PgConnectOptions,
        projection: &Registered,
    ) -> Result<Self, ReplayError> {
        let options = log.clone().application_name("orgledger replay");
        let mut connection = database::connect(&options, Role::Replayer).await?;
        connection.execute(SESSION).await?;
        connection.execute(projection.tables).await?;
        connection.execute(ROOM).await?;
        Ok(Self { connection, projection: projection.clone(), position: 0 })
    }

    /// The projection's name.
    pub fn name(&self) -> &'static str {
        self.projection.name
    }

    /// The projection's version.
    pub fn version(&self) -> i32 {
        self.projection.version
    }

    /// Everything up to here is folded.
    pub fn position(&self) -> i64 {
        self.position
    }

    pub(super) async fn apply(&mut self, page: &FeedPage) -> Result<(), RunError> {
        match self.folded(page, true).await {
            Err(ProjectionError::Sqlx(error)) if contradicts(&error) => {
                let mut search = Search::in_page(page);
                while let Some(part) = search.next() {
                    search.tell(match self.folded(&part, false).await {
                        Ok(()) => false,
                        Err(ProjectionError::Sqlx(error)) if contradicts(&error) => true,
                        Err(error) => return Err(error.into()),
                    });
                }
                Err(search.located(error).into())
            }
            Err(error) => Err(error.into()),
            Ok(()) => {
                self.position = page.upto;
                Ok(())
            }
        }
    }

    async fn folded(&mut self, page: &FeedPage, keep: bool) -> Result<(), ProjectionError> {
        let mut tx = self.connection.begin().await?;
        self.projection.apply(&mut tx, page).await?;
        if keep {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        Ok(())
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Its tables, by name.
    pub async fn tables(&mut self) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar(
            "select relname::text from pg_class
             where relnamespace = pg_my_temp_schema() and relkind = 'r' and relname <> $1
             order by relname",
        )
        .bind(STAGED)
        .fetch_all(&mut self.connection)
        .await
    }

    /// How many rows a table has, all that was ever known counted.
    pub async fn count(&mut self, table: &str) -> Result<i64, sqlx::Error> {
        let count = format!("select count(*) from pg_temp.\"{table}\"");
        sqlx::query_scalar(&count).fetch_one(&mut self.connection).await
    }

    /// The rows of a table that say what is so at the position: of one that remembers, those that are
    /// known still and have no end. At most `rows_max`, of one organization where one is named.
    pub async fn state(
        &mut self,
        table: &str,
        organization_id: Option<Uuid>,
        rows_max: i64,
    ) -> Result<Vec<Value>, sqlx::Error> {
        let columns = self.columns(table).await?;
        let has = |column: &str| columns.iter().any(|name| name == column);
        let mut conditions = String::new();
        if has("known_to") {
            conditions.push_str(" and known_to is null");
        }
        if has("valid_to") {
            conditions.push_str(" and valid_to is null");
        }
        if has("organization_id") {
            conditions.push_str(" and ($1::uuid is null or organization_id = $1)");
        } else {
            conditions.push_str(" and $1::uuid is null");
        }
        let select = format!(
            "select to_jsonb(t) from pg_temp.\"{table}\" t where true{conditions}
             order by t::text limit $2"
        );
        sqlx::query_scalar(&select)
            .bind(organization_id)
            .bind(rows_max)
            .fetch_all(&mut self.connection)
            .await
    }

    /// The rows of a table that an entry added or overruled.
    pub async fn changed_at(
        &mut self,
        table: &str,
        position: i64,
    ) -> Result<Vec<(bool, Value)>, sqlx::Error> {
        let columns = self.columns(table).await?;
        let has = |column: &str| columns.iter().any(|name| name == column);
        let select = if has("known_from") {
            format!(
                "select known_to is not distinct from $1, to_jsonb(t) from pg_temp.\"{table}\" t
                 where (known_from = $1 or known_to = $1) and known_from is distinct from known_to
                 order by known_from, t::text"
            )
        } else if has("position") {
            format!(
                "select false, to_jsonb(t) from pg_temp.\"{table}\" t where position = $1
                 order by t::text"
            )
        } else {
            return Ok(Vec::new());
        };
        sqlx::query_as(&select).bind(position).fetch_all(&mut self.connection).await
    }

    pub(super) async fn columns(&mut self, table: &str) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar(
            "select attname::text from pg_attribute
             where attrelid = ('pg_temp.' || quote_ident($1))::regclass and attnum > 0
                 and not attisdropped
             order by attnum",
        )
        .bind(table)
        .fetch_all(&mut self.connection)
        .await
    }
}
