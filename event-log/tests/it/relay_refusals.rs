//! What the relay refuses, with a reason that says what to do.

use async_nats::jetstream::stream::{Config, RetentionPolicy};
use event_log::database::Role;
use event_log::read::ReadError;
use event_log::relay::{JetStreamConfig, JetStreamReader, ReaderError, Refused};
use event_log::usage::{archive, months};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::relaying::{
    append_some, assert_complete, context, large, messages, own_stream, published, relayed, span,
    start,
};
use crate::support::{TestLog, append};

#[tokio::test]
async fn a_stream_of_another_log_is_left_alone() {
    let (log, _process, config, relay) = relayed().await;
    relay.stop().await;
    let other = TestLog::new().await;
    append_some(&other.open().await, "some").await;
    append_some(&other.open().await, "more").await;
    let refused = start(&other.options(), &config).await.refused().await;
    let Refused::OtherLog { found, log_id, .. } = &refused else { panic!("{refused}") };
    let identity = async |log: &TestLog| -> uuid::Uuid {
        sqlx::query_scalar("select log_id from log.identity")
            .fetch_one(&mut log.owner().await)
            .await
            .unwrap()
    };
    assert_eq!((*found, *log_id), (identity(&log).await, identity(&other).await));
    assert!(refused.to_string().contains(&config.stream), "{refused}");
    assert_eq!(messages(&config).await.len(), 6);
}

#[tokio::test]
async fn a_log_that_was_restored_to_an_older_state_is_told() {
    use sqlx::Executor as _;
    let (log, process, config, relay) = relayed().await;
    relay.stop().await;
    drop(process);
    let restored = "set session_replication_role = replica;
        delete from log.events where position > 8;
        update log.head set position = 8";
    (&mut log.owner().await).execute(restored).await.unwrap();
    let refused = start(&log.options(), &config).await.refused().await;
    assert!(matches!(refused, Refused::Ahead { position: 10, head: 8, .. }), "{refused}");
    assert_eq!(messages(&config).await.len(), 6);
}

#[tokio::test]
async fn an_event_that_is_too_large_is_named_with_the_setting() {
    let (_log, process, config, relay) = relayed().await;
    append(&process, large("fits", 7 << 20)).await;
    published(&config, 11).await;
    append(&process, large("does not", 8 << 20)).await;
    let refused = relay.refused().await;
    let Refused::TooLarge { position: 12, bytes, bytes_max, .. } = &refused else {
        panic!("{refused}")
    };
    assert!(bytes > bytes_max);
    let text = refused.to_string();
    assert!(text.contains("name.claimed") && text.contains("max_payload"), "{text}");
}

#[tokio::test]
async fn a_log_with_a_hole_is_not_published_beyond_it() {
    use sqlx::Executor as _;
    let (log, process, config, relay) = relayed().await;
    relay.stop().await;
    append_some(&process, "second").await;
    let tampering = "set session_replication_role = replica;
        delete from log.usage_records where request_id = 'second 3'";
    (&mut log.owner().await).execute(tampering).await.unwrap();
    let refused = start(&log.options(), &config).await.refused().await;
    assert!(matches!(refused, Refused::Log(_)), "{refused}");
    let published = messages(&config).await;
    assert_eq!(span(published.last().unwrap()), (13, 13), "up to the damaged batch");
}

#[tokio::test]
async fn what_was_archived_before_it_was_published_is_named_and_goes_on_when_restored() {
    let (log, process, config, relay) = relayed().await;
    relay.stop().await;
    append_some(&process, "second").await;
    let month = "2026-03".parse().unwrap();
    let (mut owner, mut reader) = (log.owner().await, log.connect(Role::Projector).await);
    months::close(&mut owner, month).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let archive = archive::write(&mut reader, month, directory.path(), &mut |_| {}).await.unwrap();
    months::detach(&mut owner, month).await.unwrap();
    let refused = start(&log.options(), &config).await.refused().await;
    assert!(matches!(refused, Refused::Log(ReadError::Archived { .. })), "{refused}");
    let said = refused.to_string();
    assert!(said.contains("2026-03") && said.contains("orgledger usage restore"), "{said}");
    let rows = &archive.manifest.totals.rows_sha256;
    archive::restore_kept(&mut owner, &mut reader, month, rows).await.unwrap();
    let relay = start(&log.options(), &config).await;
    published(&config, 20).await;
    assert_complete(&config, 20).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_stream_that_cannot_carry_the_log_is_refused() {
    let log = TestLog::new().await;
    for (settings, reason) in [
        (Config { subjects: vec!["elsewhere.>".to_owned()], ..Config::default() }, "subjects"),
        (Config { retention: RetentionPolicy::WorkQueue, ..Config::default() }, "retention"),
        (Config { no_ack: true, ..Config::default() }, "no_ack"),
    ] {
        let config = own_stream();
        let prefix = &config.subject_prefix;
        let others = if settings.subjects.is_empty() { "" } else { "-elsewhere" };
        let subjects = vec![format!("{prefix}{others}.>")];
        let settings = Config { name: config.stream.clone(), subjects, ..settings };
        context(&config).await.create_stream(settings).await.unwrap();
        let refused = start(&log.options(), &config).await.refused().await;
        assert!(matches!(refused, Refused::Unfit { .. }), "{refused}");
        assert!(refused.to_string().contains(reason), "{refused}");
    }
}

#[tokio::test]
async fn a_stream_with_somebody_elses_messages_is_refused() {
    let log = TestLog::new().await;
    let config = own_stream();
    let settings = Config {
        name: config.stream.clone(),
        subjects: vec![format!("{}.>", config.subject_prefix)],
        ..Config::default()
    };
    let context = context(&config).await;
    context.create_stream(settings).await.unwrap();
    let subject = format!("{}.hello", config.subject_prefix);
    context.publish(subject, "hello".into()).await.unwrap().await.unwrap();
    let refused = start(&log.options(), &config).await.refused().await;
    assert!(matches!(refused, Refused::Unfit { .. }), "{refused}");
}

/// A nats-server in so far as it tells its version and has nobody answer a request.
async fn nats_server(version: &'static str) -> JetStreamConfig {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let port = listener.local_addr().expect("it has one").port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = connection.into_split();
                let info = format!(
                    "INFO {{\"server_id\":\"x\",\"server_name\":\"x\",\"version\":\"{version}\",\
                     \"proto\":1,\"headers\":true,\"max_payload\":1048576,\"host\":\"127.0.0.1\",\
                     \"port\":{port}}}\r\n"
                );
                write.write_all(info.as_bytes()).await?;
                let (mut lines, mut sid) = (BufReader::new(read).lines(), String::new());
                while let Some(line) = lines.next_line().await? {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    let answer = match words[..] {
                        ["PING"] => "PONG\r\n".to_owned(),
                        ["SUB", _, id] => {
                            id.clone_into(&mut sid);
                            continue;
                        }
                        ["PUB" | "HPUB", _, reply, ..] => {
                            format!("HMSG {reply} {sid} 16 16\r\nNATS/1.0 503\r\n\r\n\r\n")
                        }
                        _ => continue,
                    };
                    write.write_all(answer.as_bytes()).await?;
                }
                std::io::Result::Ok(())
            });
        }
    });
    JetStreamConfig::new(format!("nats://127.0.0.1:{port}"))
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused() {
    let log = TestLog::new().await;
    let config = nats_server("2.11.9").await;
    let refused = start(&log.options(), &config).await.refused().await;
    assert!(matches!(&refused, Refused::TooOld { found } if found == "2.11.9"), "{refused}");
    let opened = JetStreamReader::open(&config, 0, None).await;
    assert!(matches!(opened.err(), Some(ReaderError::Refused(Refused::TooOld { .. }))));
}

#[tokio::test]
async fn a_server_without_jetstream_is_refused() {
    let log = TestLog::new().await;
    let config = nats_server("2.12.0").await;
    let refused = start(&log.options(), &config).await.refused().await;
    assert!(matches!(refused, Refused::NoJetStream(_)), "{refused}");
}
