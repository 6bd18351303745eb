//! A projection that can be made to fail, and counts what it is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use projectors::feed::FeedPage;
use projectors::{Projection, ProjectionError};
use sqlx::PgConnection;
use tokio::sync::Notify;

/// Writes down every position it is given: one twice, or out of order, is an error of its own.
#[derive(Clone, Default)]
pub(crate) struct Probe {
    pub(crate) failing: Arc<AtomicBool>,
    pub(crate) tries: Arc<AtomicUsize>,
    pub(crate) tried: Arc<Notify>,
}

impl Projection for Probe {
    const NAME: &'static str = "probe";
    const VERSION: i32 = 1;
    const VIEWS: &'static [&'static str] = &["probed"];

    fn tables() -> &'static str {
        "create table probed (position bigint primary key)"
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        let positions: Vec<i64> = page.events.iter().map(|event| event.position).collect();
        sqlx::query("insert into probed select * from unnest($1::bigint[])")
            .bind(positions)
            .execute(&mut *tx)
            .await?;
        self.tried.notify_one();
        if self.failing.load(Ordering::SeqCst) {
            // After the rows were written, so that they have to be taken back.
            sqlx::query("select 1 / 0").execute(tx).await?;
        }
        Ok(())
    }
}

/// The same, at a later version, with a column more at the front.
#[derive(Clone, Copy)]
pub(crate) struct ProbeTwo;

impl Projection for ProbeTwo {
    const NAME: &'static str = "probe";
    const VERSION: i32 = 2;
    const VIEWS: &'static [&'static str] = &["probed"];

    fn tables() -> &'static str {
        "create table probed (twice bigint not null, position bigint primary key)"
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        let positions: Vec<i64> = page.events.iter().map(|event| event.position).collect();
        sqlx::query("insert into probed select 2 * p, p from unnest($1::bigint[]) as u(p)")
            .bind(positions)
            .execute(tx)
            .await?;
        Ok(())
    }
}

/// The same, at a still later version, under another name.
#[derive(Clone, Copy)]
pub(crate) struct ProbeRenamed;

impl Projection for ProbeRenamed {
    const NAME: &'static str = "probe";
    const VERSION: i32 = 3;
    const VIEWS: &'static [&'static str] = &["probed_anew"];

    fn tables() -> &'static str {
        "create table probed_anew (position bigint primary key)"
    }

    async fn apply(&self, tx: &mut PgConnection, page: &FeedPage) -> Result<(), ProjectionError> {
        let positions: Vec<i64> = page.events.iter().map(|event| event.position).collect();
        sqlx::query("insert into probed_anew select unnest($1::bigint[])")
            .bind(positions)
            .execute(tx)
            .await?;
        Ok(())
    }
}
