//! Waiting until a read model has come as far as a caller needs it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::snapshot::Projection;

/// How soon positions are read again after somebody began to wait, and how slowly at last. A command
/// is visible after some milliseconds; what is not there by then is late for a reason.
const PACE_FIRST: Duration = Duration::from_millis(2);
const PACE_LAST: Duration = Duration::from_millis(20);

/// The positions of the builds in service. While somebody waits, and only then, one task reads them
/// for all who wait; polling works on replicas too, where there is no NOTIFY.
#[derive(Clone)]
pub(crate) struct Positions(Arc<Shared>);

struct Shared {
    pool: PgPool,
    reached: watch::Sender<BTreeMap<String, i64>>,
    watchers: Mutex<Watchers>,
}

#[derive(Default)]
struct Watchers {
    waiting: usize,
    is_polling: bool,
    pace: Duration,
}

/// Somebody waits, until this is dropped.
struct Waiting<'a>(&'a Shared);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.watchers(|watchers| watchers.waiting -= 1);
    }
}

impl Shared {
    fn watchers<T>(&self, change: impl FnOnce(&mut Watchers) -> T) -> T {
        change(&mut self.watchers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long to wait before reading again; nothing when nobody waits any more.
    fn next_pace(&self) -> Option<Duration> {
        self.watchers(|watchers| {
            watchers.is_polling = watchers.waiting > 0;
            let pace = watchers.pace;
            watchers.pace = (pace * 2).min(PACE_LAST);
            watchers.is_polling.then_some(pace)
        })
    }
}

impl Positions {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self(Arc::new(Shared {
            pool,
            reached: watch::Sender::new(BTreeMap::new()),
            watchers: Mutex::default(),
        }))
    }

    /// Waits until every one of the projections has reached `position`, or until `deadline`: whether
    /// they have.
    pub(crate) async fn wait(
        &self,
        projections: &[Projection],
        position: i64,
        deadline: Instant,
    ) -> bool {
        let mut reached = self.0.reached.subscribe();
        let _waiting = self.begin_waiting();
        let is_there = |reached: &BTreeMap<String, i64>| {
            projections.iter().all(|p| reached.get(p.name()).is_some_and(|r| *r >= position))
        };
        matches!(tokio::time::timeout_at(deadline, reached.wait_for(is_there)).await, Ok(Ok(_)))
    }

    fn begin_waiting(&self) -> Waiting<'_> {
        let was_polling = self.0.watchers(|watchers| {
            watchers.waiting += 1;
            watchers.pace = PACE_FIRST;
            std::mem::replace(&mut watchers.is_polling, true)
        });
        if !was_polling {
            tokio::spawn(poll(Arc::clone(&self.0)));
        }
        Waiting(&self.0)
    }
}

async fn poll(shared: Arc<Shared>) {
    loop {
        let rows: Result<Vec<(String, i64)>, sqlx::Error> =
            sqlx::query_as("select projection, position from read.builds where state = 'serving'")
                .fetch_all(&shared.pool)
                .await;
        match rows {
            Ok(rows) => {
                let now = rows.into_iter().collect();
                shared.reached.send_if_modified(|reached| {
                    let moved = *reached != now;
                    *reached = now;
                    moved
                });
            }
            // Who waits learns of it at their deadline, or from their own next read.
            Err(error) => tracing::warn!(%error, "reading the positions of read models failed"),
        }
        match shared.next_pace() {
            Some(pace) => tokio::time::sleep(pace).await,
            None => return,
        }
    }
}
