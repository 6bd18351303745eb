//! A month's records out of the database, in order of position, a page at a time.

use event_schemas::Month;
use futures::TryStreamExt as _;
use sqlx::{Executor as _, PgConnection, Row as _};
use uuid::Uuid;

use super::ArchiveError;
use super::manifest::{Tally, Totals};
use super::rows::{COLUMNS, CopiedRows};
use crate::usage::copy;

/// About how many records are held in memory at once: some 20 MB, and a row group.
const PAGE_RECORDS: i64 = 50_000;

/// How many batches a page may be of.
const PAGE_BATCHES_MAX: i64 = 5_000;

/// A batch that may have records of the month.
struct Run {
    batch_id: Uuid,
    first_position: i64,
}

/// The records of a month.
pub(super) struct Source<'a> {
    /// It acts as one who reads the log.
    connection: &'a mut PgConnection,
    /// It owns the table, where that is not the log's own.
    owner: Option<&'a mut PgConnection>,
    month: Month,
    /// Where the records are.
    table: String,
    after: i64,
    pub(super) tally: Tally,
}

impl<'a> Source<'a> {
    /// Those that `log.usage_records` has.
    pub(super) async fn of_log(
        connection: &'a mut PgConnection,
        month: Month,
    ) -> Result<Self, ArchiveError> {
        check_columns(connection).await?;
        let (owner, table) = (None, "log.usage_records".to_owned());
        Ok(Self { connection, owner, month, table, after: 0, tally: Tally::new() })
    }

    /// Those of a table that its owner reads.
    pub(super) fn of_table(
        connection: &'a mut PgConnection,
        owner: &'a mut PgConnection,
        month: Month,
        table: String,
    ) -> Self {
        Self { connection, owner: Some(owner), month, table, after: 0, tally: Tally::new() }
    }

    /// The next page, as the database copies it: behind the position, the table's columns. None after
    /// the last. The tally knows of it once it was [read](Self::rows).
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, ArchiveError> {
        let runs = self.runs().await?;
        if runs.is_empty() {
            return Ok(None);
        }
        let columns = COLUMNS.map(|(name, _)| format!("record.{name}")).join(", ");
        let list =
            |what: &dyn Fn(&Run) -> String| runs.iter().map(what).collect::<Vec<_>>().join(",");
        let statement = format!(
            "copy (select batch.first_position + record.ordinal, {columns}
                   from unnest('{{{}}}'::uuid[], '{{{}}}'::bigint[]) as batch (batch_id, first_position)
                   join {} as record on record.batch_id = batch.batch_id
                       and record.occurred_day >= '{}' and record.occurred_day < '{}'
                   order by batch.first_position, record.ordinal)
             to stdout (format binary)",
            list(&|run| run.batch_id.to_string()),
            list(&|run| run.first_position.to_string()),
            self.table,
            self.month.first_day(),
            self.month.end(),
        );
        let connection: &mut PgConnection = match &mut self.owner {
            Some(owner) => owner,
            None => self.connection,
        };
        // Found by their batches, however many others the month has.
        connection.execute(FIND_BY_BATCH).await?;
        let mut stream = connection.copy_out_raw(&statement).await?;
        let mut page = Vec::new();
        while let Some(chunk) = stream.try_next().await? {
            page.extend_from_slice(&chunk);
        }
        Ok(Some(page))
    }

    /// Gives each record of a page, by its position and its fields, and counts it.
    pub(super) fn rows(
        tally: &mut Tally,
        page: &[u8],
        mut each: impl FnMut(i64, &[Option<&[u8]>]) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let mut rows = CopiedRows::of(page)?;
        let mut row = Vec::new();
        while let Some((whole, mut fields)) = rows.next()? {
            let unlike = || ArchiveError::Copied("a row has no position");
            let position = match fields.first() {
                Some(Some(position)) => {
                    i64::from_be_bytes((*position).try_into().map_err(|_| unlike())?)
                }
                Some(None) | None => return Err(unlike()),
            };
            fields.remove(0);
            // The row without its position, as the table's own would be copied.
            row.clear();
            let count = i16::try_from(fields.len()).unwrap_or(i16::MAX);
            row.extend_from_slice(&count.to_be_bytes());
            row.extend_from_slice(&whole[2 + 4 + 8..]);
            tally.add(position, &row, &fields)?;
            each(position, &fields)?;
        }
        Ok(())
    }

    /// The batches of the next page.
    async fn runs(&mut self) -> Result<Vec<Run>, sqlx::Error> {
        let rows = sqlx::query(
            "select first_position, batch_id, count::bigint from log.usage_batches
             where first_position > $1 and first_day < $2 and last_day >= $3
             order by first_position limit $4",
        )
        .bind(self.after)
        .bind(self.month.end())
        .bind(self.month.first_day())
        .bind(PAGE_BATCHES_MAX)
        .fetch_all(&mut *self.connection)
        .await?;
        let mut records = 0;
        let mut runs = Vec::new();
        for row in &rows {
            let count: i64 = row.get(2);
            if !runs.is_empty() && records + count > PAGE_RECORDS {
                break;
            }
            records += count;
            self.after = row.get(0);
            runs.push(Run { batch_id: row.get(1), first_position: row.get(0) });
        }
        Ok(runs)
    }

    /// All of it, counted and summed up.
    pub(super) async fn totals(mut self) -> Result<Totals, ArchiveError> {
        while let Some(page) = self.next().await? {
            Self::rows(&mut self.tally, &page, |_, _| Ok(()))?;
        }
        Ok(self.tally.totals())
    }
}

/// For the session.
const FIND_BY_BATCH: &str = "select set_config('enable_seqscan', 'off', false),
    set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false)";

/// How many records of the month there are, whatever batches say.
pub(super) async fn count(connection: &mut PgConnection, month: Month) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from log.usage_records where occurred_day >= $1 and occurred_day < $2",
    )
    .bind(month.first_day())
    .bind(month.end())
    .fetch_one(connection)
    .await
}

/// Refuses a table with columns that would be left out.
async fn check_columns(connection: &mut PgConnection) -> Result<(), ArchiveError> {
    let unknown: Vec<String> = sqlx::query_scalar(
        "select attname::text from pg_attribute
         where attrelid = 'log.usage_records'::regclass and attnum > 0 and not attisdropped
             and attname::text <> all (string_to_array($1, ', ')) order by attnum",
    )
    .bind(copy::COLUMNS)
    .fetch_all(connection)
    .await?;
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ArchiveError::UnknownColumns(unknown.join(", ")))
}
