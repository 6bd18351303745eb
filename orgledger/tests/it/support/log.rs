//! Looking into the databases behind the binary's back.

use embedded::Postgres;
use projectors::Fingerprint;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// Every read model.
pub(crate) const READ_MODELS: [&str; 9] = [
    "access_register",
    "access_reviews",
    "audit_log",
    "balances",
    "budgets",
    "cost_per_feature",
    "last_use",
    "oversight",
    "prices",
];

/// The database of an installation that runs on a data directory.
pub(crate) async fn database_of(postgres: &Postgres) -> PgPool {
    pool(&postgres.url("orgledger")).await
}

/// A database, as its owner.
pub(crate) async fn pool(url: &str) -> PgPool {
    PgPoolOptions::new().max_connections(4).connect(url).await.unwrap()
}

/// What every read model holds.
pub(crate) async fn fingerprints(read: &PgPool) -> Vec<Fingerprint> {
    let mut all = Vec::new();
    for name in READ_MODELS {
        all.push(projectors::fingerprint(read, name).await.unwrap());
    }
    all
}

/// Asserts that the log's positions are 1, 2, 3 … up to the head, usage counted, and that
/// `recorded_at` never goes back. Answers the head.
pub(crate) async fn assert_sound(log: &PgPool) -> i64 {
    let head: i64 =
        sqlx::query_scalar("select position from log.head").fetch_one(log).await.unwrap();
    let entries = "with entries as (
             select position as first, position as last, recorded_at from log.events
             union all
             select first_position, first_position + count - 1, recorded_at from log.usage_batches
         ), ordered as (
             select *, lag(last, 1, 0::bigint) over (order by first) as before,
                    lag(recorded_at) over (order by first) as recorded_before
             from entries
         )";
    let (last, gaps, back): (i64, i64, i64) = sqlx::query_as(&format!(
        "{entries} select coalesce(max(last), 0), count(*) filter (where first <> before + 1),
                          count(*) filter (where recorded_at < recorded_before)
         from ordered"
    ))
    .fetch_one(log)
    .await
    .unwrap();
    assert_eq!(last, head, "the head is not where the log ends");
    assert_eq!(gaps, 0, "positions have gaps or overlap");
    assert_eq!(back, 0, "recorded_at goes back");
    let (batches, counted): (i64, i64) = sqlx::query_as(
        "select (select coalesce(sum(count), 0)::bigint from log.usage_batches),
                (select count(*) from log.usage_records r
                 join log.usage_batches b using (batch_id) where r.ordinal between 0 and b.count - 1)",
    )
    .fetch_one(log)
    .await
    .unwrap();
    assert_eq!(batches, counted, "usage batches and their records do not agree");
    head
}

#[cfg(test)]
mod tests {
    use embedded::testing::test_database;
    use event_log::database::{Holds, migrate};

    use super::assert_sound;

    /// The check itself must see what it looks for.
    #[tokio::test]
    async fn a_log_with_a_gap_is_not_sound() {
        let database = test_database().await;
        migrate(&database.connect_options(), Holds::LogAndReadModels).await.unwrap();
        let pool = database.pool().await;
        assert_eq!(assert_sound(&pool).await, 0);
        let mut owner = pool.acquire().await.unwrap();
        // The triggers would not let it come to that.
        let off = "set session_replication_role = replica";
        sqlx::query(off).execute(&mut *owner).await.unwrap();
        let insert = "insert into log.events values ($1, gen_random_uuid(), null, 'x', 'x', $1, 'x', \
                      '1', '{}', '{}', now(), now())";
        for position in [1_i64, 3] {
            sqlx::query(insert).bind(position).execute(&mut *owner).await.unwrap();
        }
        sqlx::query("update log.head set position = 3").execute(&mut *owner).await.unwrap();
        drop(owner);
        let checked = tokio::spawn(async move { assert_sound(&pool).await }).await;
        assert!(checked.unwrap_err().is_panic());
    }
}
