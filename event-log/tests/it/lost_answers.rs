//! A connection that breaks while a batch is written: the appender finds out what became of it,
//! and where it cannot, says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event_log::{Append, AppendError, EventLog};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};

use crate::support::{TestLog, append, assert_gapless, claim, claims, count, in_time};

/// How a message of the wire protocol begins that gives a prepared statement its values.
const BIND: u8 = b'B';
/// What stands among the values where a batch is written: other statements pass.
const WRITTEN: &[u8] = b"name.claimed";

/// A way to the server that can be cut.
#[derive(Default)]
struct Way {
    /// The next batch never reaches the server, and its connection ends.
    lose_request: AtomicBool,
    /// The server executes the next batch, and its answer is lost with the connection.
    lose_answer: AtomicBool,
    /// Once a connection is lost, no new one comes about.
    closed_after: AtomicBool,
    closed: AtomicBool,
}

impl Way {
    async fn to(self: &Arc<Self>, server: &PgConnectOptions) -> PgConnectOptions {
        let directory = server.get_socket().map_or(server.get_host().into(), Clone::clone);
        let socket = directory.join(format!(".s.PGSQL.{}", server.get_port()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let port = listener.local_addr().expect("it has one").port();
        let way = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !way.closed.load(Ordering::SeqCst) {
                    let server = UnixStream::connect(&socket).await.expect("the server is there");
                    tokio::spawn(Arc::clone(&way).carry(client, server));
                }
            }
        });
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .username(server.get_username())
            .database(server.get_database().expect("it names one"))
            .ssl_mode(PgSslMode::Disable)
    }

    async fn carry(
        self: Arc<Self>,
        client: tokio::net::TcpStream,
        server: UnixStream,
    ) -> std::io::Result<()> {
        let (mut from_server, mut to_server) = server.into_split();
        let (mut from_client, mut to_client) = client.into_split();
        let mut back = tokio::spawn(async move {
            tokio::io::copy(&mut from_server, &mut to_client).await?;
            std::io::Result::Ok((from_server, to_client))
        });
        let mut bytes = vec![0; 1 << 16];
        loop {
            let length = from_client.read(&mut bytes).await?;
            if length == 0 {
                return Ok(());
            }
            let sent = &bytes[..length];
            let binds = bytes[0] == BIND && sent.windows(WRITTEN.len()).any(|some| some == WRITTEN);
            let lose_request = binds && self.lose_request.swap(false, Ordering::SeqCst);
            let lose_answer = binds && self.lose_answer.swap(false, Ordering::SeqCst);
            if lose_request || lose_answer {
                self.closed.store(self.closed_after.load(Ordering::SeqCst), Ordering::SeqCst);
                back.abort();
                let _ = (&mut back).await;
            }
            if lose_request {
                return Ok(());
            }
            to_server.write_all(sent).await?;
            if lose_answer {
                return to_server.shutdown().await;
            }
        }
    }
}

/// An append whose idempotency key is `k`.
fn keyed(sequence: i64) -> Append {
    Append { claims: vec![claim("k", 1)], ..claims("a", sequence, 1) }
}

/// A log, a way to it, and a process that has come along it.
async fn process_on_a_way() -> (TestLog, Arc<Way>, EventLog) {
    let log = TestLog::new().await;
    let way = Arc::new(Way::default());
    let process = EventLog::open(&way.to(&log.options()).await, crate::support::master_keys())
        .await
        .expect("it leads there");
    append(&process, claims("a", 0, 1)).await;
    (log, way, process)
}

#[tokio::test]
async fn a_batch_whose_answer_is_lost_was_written_once() {
    let (log, way, process) = process_on_a_way().await;
    // With and without an idempotency key.
    for (append, position) in [(keyed(1), 2), (claims("a", 2, 1), 3)] {
        way.lose_answer.store(true, Ordering::SeqCst);
        let appended = in_time("an answer", process.append(append)).await.expect("it was written");
        assert_eq!((appended.first_position, appended.last_position), (position, position));
    }
    append(&process, claims("a", 3, 1)).await;
    let entries = log.entries().await;
    assert_gapless(&entries);
    assert_eq!(count(&entries), 4);
}

#[tokio::test]
async fn a_batch_that_never_arrived_is_written_after_all() {
    let (log, way, process) = process_on_a_way().await;
    way.lose_request.store(true, Ordering::SeqCst);
    let appended = in_time("an answer", process.append(claims("a", 1, 1))).await;
    assert_eq!(appended.expect("it was written").last_position, 2);
    assert_eq!(count(&log.entries().await), 2);
}

#[tokio::test]
async fn where_nobody_can_find_out_the_outcome_is_unknown_and_the_key_finds_out() {
    let (log, way, process) = process_on_a_way().await;
    way.closed_after.store(true, Ordering::SeqCst);
    way.lose_answer.store(true, Ordering::SeqCst);
    let lost = in_time("an answer", process.append(keyed(1))).await;
    assert!(matches!(lost, Err(AppendError::Unknown(_))), "{lost:?}");
    way.closed.store(false, Ordering::SeqCst);
    // Decided again, as the same command would be: on whatever the stream's state is by now.
    let decided = Append { claims: keyed(1).claims, expected: Vec::new(), ..claims("a", 0, 1) };
    let again = in_time("an answer", process.append(decided)).await;
    assert!(
        matches!(&again, Err(AppendError::Replayed(replay)) if replay.position == 2),
        "{again:?}"
    );
    append(&process, claims("a", 2, 1)).await;
    let entries = log.entries().await;
    assert_gapless(&entries);
    assert_eq!(count(&entries), 3);
}
