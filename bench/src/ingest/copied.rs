//! The baseline: the rows that were just recorded, in the same batches, copied raw.

use std::time::Instant;

use embedded::testing::TestDatabase;
use futures::TryStreamExt as _;
use futures::future::try_join_all;
use sqlx::postgres::PgPoolCopyExt as _;
use sqlx::{Executor as _, PgPool};
use uuid::Uuid;

/// As many as the usage lane has.
const WRITERS: usize = 2;

/// Copies what was recorded after a position into a table without index, constraint or trigger.
/// Answers rows a second.
pub(super) async fn measure(database: &TestDatabase, after: i64) -> anyhow::Result<f64> {
    let pool = database.pool().await;
    pool.execute(
        "create table if not exists public.bare (like log.usage_records); truncate public.bare",
    )
    .await?;
    let mut batches: Vec<Vec<Vec<u8>>> = vec![Vec::new(); WRITERS];
    let mut rows = 0_i64;
    let written: Vec<(Uuid, i32)> = sqlx::query_as(
        "select batch_id, count from log.usage_batches where first_position > $1
         order by first_position",
    )
    .bind(after)
    .fetch_all(&pool)
    .await?;
    for (number, (batch_id, count)) in written.iter().enumerate() {
        rows += i64::from(*count);
        batches[number % WRITERS].push(encoded(&pool, *batch_id).await?);
    }
    pool.execute("checkpoint").await?;
    let started = Instant::now();
    try_join_all(batches.into_iter().map(|batches| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut connection = pool.acquire().await?;
            for batch in batches {
                let mut copy =
                    connection.copy_in_raw("copy public.bare from stdin (format binary)").await?;
                copy.send(batch).await?;
                copy.finish().await?;
            }
            anyhow::Ok(())
        })
    }))
    .await?
    .into_iter()
    .collect::<anyhow::Result<Vec<()>>>()?;
    let seconds = started.elapsed().as_secs_f64();
    let copied: i64 =
        sqlx::query_scalar("select count(*) from public.bare").fetch_one(&pool).await?;
    anyhow::ensure!(copied == rows, "{copied} rows of {rows} were copied");
    #[allow(clippy::cast_precision_loss)] // Far below 2^53.
    Ok(rows as f64 / seconds)
}

/// A batch's rows as `COPY` has them.
async fn encoded(pool: &PgPool, batch_id: Uuid) -> anyhow::Result<Vec<u8>> {
    let copy = format!(
        "copy (select * from log.usage_records where batch_id = '{batch_id}' order by ordinal)
         to stdout (format binary)"
    );
    let mut parts = pool.copy_out_raw(&copy).await?;
    let mut all = Vec::new();
    while let Some(part) = parts.try_next().await? {
        all.extend_from_slice(&part);
    }
    Ok(all)
}
