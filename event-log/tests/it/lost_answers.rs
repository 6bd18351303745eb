//! A commit whose answer is lost: it has happened, and whoever asked is told that nobody knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event_log::{Append, AppendError, Claim, EventLog};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};

use crate::support::{TestLog, append, assert_gapless, claims, count, in_time};

/// What the appender says to commit: a simple query of the wire protocol.
const COMMIT: &[u8] = b"Q\0\0\0\x0bcommit\0";

/// A way to the server on which, once `cut` is set, the answer to a commit is lost with the
/// connection. One commit each time.
async fn way_with_cuts(server: &PgConnectOptions, cut: Arc<AtomicBool>) -> PgConnectOptions {
    let directory = server.get_socket().map_or(server.get_host().into(), Clone::clone);
    let socket = directory.join(format!(".s.PGSQL.{}", server.get_port()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let port = listener.local_addr().expect("it has one").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (socket, cut) = (socket.clone(), Arc::clone(&cut));
            tokio::spawn(async move {
                let (mut from_server, mut to_server) =
                    UnixStream::connect(socket).await?.into_split();
                let (mut from_client, mut to_client) = client.into_split();
                let back = tokio::spawn(async move {
                    tokio::io::copy(&mut from_server, &mut to_client).await.map(|_| ())?;
                    std::io::Result::Ok((from_server, to_client))
                });
                let mut bytes = vec![0; 1 << 16];
                loop {
                    let length = from_client.read(&mut bytes).await?;
                    if length == 0 {
                        return std::io::Result::Ok(());
                    }
                    if bytes[..length] == *COMMIT && cut.swap(false, Ordering::SeqCst) {
                        // Nothing comes back any more, and the server does as it is told.
                        back.abort();
                        let _ = back.await;
                        to_server.write_all(&bytes[..length]).await?;
                        return to_server.shutdown().await;
                    }
                    to_server.write_all(&bytes[..length]).await?;
                }
            });
        }
    });
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(server.get_username())
        .database(server.get_database().expect("it names one"))
        .ssl_mode(PgSslMode::Disable)
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_unknown_and_its_key_finds_out() {
    let log = TestLog::new().await;
    let cut = Arc::new(AtomicBool::new(false));
    let way = way_with_cuts(&log.options(), Arc::clone(&cut)).await;
    let process = EventLog::open(&way).await.expect("the way leads there");
    append(&process, claims("a", 0, 1)).await;
    let claim = Claim {
        scope: "s".into(),
        key: "k".to_owned(),
        fingerprint: [0; 32],
        outcome: "{}".to_owned(),
        events_upto: 1,
    };
    let keyed = Append { claims: vec![claim], ..claims("a", 1, 1) };
    cut.store(true, Ordering::SeqCst);
    let lost = in_time("an answer", process.append(keyed.clone())).await;
    assert!(matches!(lost, Err(AppendError::Unknown(_))), "{lost:?}");
    // Decided again, as the same command would be: on whatever the stream's state is by now.
    let decided = Append { claims: keyed.claims, expected: Vec::new(), ..claims("a", 0, 1) };
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
