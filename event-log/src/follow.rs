//! Following the log: being told when the head has moved.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;

/// The channel on which an append tells other processes of its last position: one message a batch.
pub const NOTIFY_CHANNEL: &str = "orgledger_log";

/// How long a listener that lost its connection waits before it tries again, and how often the
/// head is read all the same, so that a lost message costs a delay and never an event.
const RECHECK: Duration = Duration::from_secs(1);

/// The head of the log, as this process last heard of it.
#[derive(Clone)]
pub struct HeadWatch {
    head: watch::Receiver<i64>,
}

impl HeadWatch {
    /// Follows by messages from Postgres. `own_head` is this process's appender's, where it has
    /// one: what it appends is heard of at once.
    pub fn start(pool: PgPool, own_head: Option<watch::Receiver<i64>>) -> Self {
        let (moved, head) = watch::channel(0);
        if let Some(mut own_head) = own_head {
            let moved = moved.clone();
            tokio::spawn(async move {
                loop {
                    let position = *own_head.borrow_and_update();
                    raise(&moved, position);
                    if own_head.changed().await.is_err() || moved.is_closed() {
                        break;
                    }
                }
            });
        }
        tokio::spawn(listen(pool, moved));
        Self { head }
    }

    /// The head as last heard of.
    pub fn head(&mut self) -> i64 {
        *self.head.borrow_and_update()
    }

    /// Waits until the head is beyond `position`. Ends early when following has ended.
    pub async fn beyond(&mut self, position: i64) {
        let _ = self.head.wait_for(|head| *head > position).await;
    }
}

fn raise(moved: &watch::Sender<i64>, position: i64) {
    moved.send_if_modified(|head| {
        let higher = position > *head;
        *head = position.max(*head);
        higher
    });
}

async fn listen(pool: PgPool, moved: watch::Sender<i64>) {
    while !moved.is_closed() {
        if let Err(error) = listen_once(&pool, &moved).await {
            tracing::warn!(%error, "listening to the log was interrupted; trying again");
            tokio::time::sleep(RECHECK).await;
        }
    }
}

async fn listen_once(pool: &PgPool, moved: &watch::Sender<i64>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(NOTIFY_CHANNEL).await?;
    loop {
        let head: i64 = sqlx::query_scalar("select position from log.head").fetch_one(pool).await?;
        raise(moved, head);
        let waited = tokio::select! {
            () = moved.closed() => return Ok(()),
            waited = tokio::time::timeout(RECHECK, listener.recv()) => waited,
        };
        if let Ok(notification) = waited {
            if let Ok(position) = notification?.payload().parse() {
                raise(moved, position);
            }
            // Drain what came meanwhile without asking the database again.
            while let Some(notification) = listener.next_buffered() {
                if let Ok(position) = notification.payload().parse() {
                    raise(moved, position);
                }
            }
        }
    }
}
