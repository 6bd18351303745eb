//! Usage out of a JetStream work queue.

use std::io::Write as _;
use std::time::Duration;

use async_nats::jetstream::{self, stream::Stream};
use command_api::usage::{UsageQueue, UsageQueueConfig, UsageRecorder};
use embedded::testing::{test_nats, test_nats_url, unique_name};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::App;

/// An organization with a project, and a queue of this test's own.
struct World {
    app: App,
    organization: String,
    project: String,
    config: UsageQueueConfig,
    context: jetstream::Context,
}

impl World {
    async fn new() -> Self {
        let app = App::new().await;
        let organization = app.organization().await;
        let project = app.project(&organization, "alpha").await;
        let name = unique_name();
        let config = UsageQueueConfig {
            stream: name.clone(),
            subject_prefix: name,
            bytes_max: 4 * 1024 * 1024,
            ack_wait: Duration::from_secs(2),
            ..UsageQueueConfig::new(test_nats_url())
        };
        let context = jetstream::new(test_nats().await);
        Self { app, organization, project, config, context }
    }

    fn start(&self) -> JoinHandle<()> {
        let recorder = UsageRecorder::new(self.app.executor().clone());
        let queue = UsageQueue::new(recorder, self.config.clone());
        tokio::spawn(async move {
            queue.run(std::future::pending()).await.expect("the URL is one");
        })
    }

    fn record(&self, request_id: &str) -> Value {
        json!({"project_id": self.project, "provider": "openai", "model": "gpt-4o",
            "request_id": request_id, "occurred_at": "2026-05-01T12:00:00Z", "input_tokens": 5})
    }

    async fn stream(&self, suffix: &str) -> Stream {
        let name = format!("{}{suffix}", self.config.stream);
        eventually("the stream is there", async || self.context.get_stream(&name).await.ok()).await
    }

    async fn publish(&self, organization: &str, body: String) {
        let subject = format!("{}.usage.{organization}", self.config.subject_prefix);
        let stored = self.context.publish(subject, body.into()).await.expect("sent");
        stored.await.expect("stored");
    }

    /// The same, packed by a name of `Content-Encoding`, in this header.
    async fn publish_packed(&self, (header, encoding): (&str, &str), body: Vec<u8>) {
        let subject = format!("{}.usage.{}", self.config.subject_prefix, self.organization);
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(header, encoding);
        let stored = self.context.publish_with_headers(subject, headers, body.into()).await;
        stored.expect("sent").await.expect("stored");
    }

    /// Why what was rejected was.
    async fn reasons(&self) -> Vec<String> {
        let rejected = self.stream("-rejected").await;
        let consumer = rejected
            .create_consumer(jetstream::consumer::pull::Config::default())
            .await
            .expect("a consumer");
        let messages = consumer.fetch().max_messages(10).messages().await.expect("messages");
        let kept: Vec<_> = messages.map(|message| message.expect("one")).collect().await;
        let reason = |message: &jetstream::Message| {
            Some(message.headers.as_ref()?.get("Orgledger-Rejected")?.to_string())
        };
        kept.iter().filter_map(reason).collect()
    }

    async fn done(&self) {
        let mut queue = self.stream("").await;
        eventually("the queue is empty", async || {
            (queue.info().await.ok()?.state.messages == 0).then_some(())
        })
        .await;
    }

    async fn recorded(&self) -> Vec<String> {
        sqlx::query_scalar("select request_id from log.usage_records order by 1")
            .fetch_all(self.app.pool())
            .await
            .expect("the log answers")
    }
}

/// Asks again until there is an answer; the watchdog of the test run ends what never has one.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn what_is_published_is_recorded_once_however_often_it_comes() {
    let world = World::new().await;
    let running = world.start();
    world.stream("").await;
    let list = json!([world.record("a"), world.record("b")]).to_string();
    let lines = format!("{}\n{}\n", world.record("b"), world.record("c"));
    let mut said = world.record("d");
    said.as_object_mut().expect("a record").remove("input_tokens");
    said["usage"] = json!({"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 1});
    let object = json!({"records": [world.record("a"), said]}).to_string();
    for body in [&list, &lines, &object, &list, &lines] {
        world.publish(&world.organization, body.clone()).await;
    }
    world.done().await;
    assert_eq!(world.recorded().await, ["a", "b", "c", "d"]);
    let input: i64 =
        sqlx::query_scalar("select input_tokens from log.usage_records where request_id = 'd'")
            .fetch_one(world.app.pool())
            .await
            .expect("one");
    assert_eq!(input, 100, "as the provider counts");
    let actor: String = sqlx::query_scalar("select distinct actor from log.usage_batches")
        .fetch_one(world.app.pool())
        .await
        .expect("one");
    assert_eq!(actor, "system:nats");
    running.abort();
}

#[tokio::test]
async fn a_message_is_acknowledged_after_the_commit() {
    let world = World::new().await;
    let running = world.start();
    let mut queue = world.stream("").await;
    // Nobody can commit while somebody holds the head.
    let mut holder = world.app.pool().begin().await.expect("a connection");
    sqlx::query("select from log.head for update").execute(&mut *holder).await.expect("held");
    world.publish(&world.organization, world.record("a").to_string()).await;
    let waits = "select count(*) from pg_stat_activity where datname = current_database()
         and wait_event_type = 'Lock'";
    eventually("the writer waits for the head", async || {
        let waiting: i64 = sqlx::query_scalar(waits).fetch_one(world.app.pool()).await.ok()?;
        (waiting > 0).then_some(())
    })
    .await;
    assert_eq!(queue.info().await.expect("it is there").state.messages, 1);
    // The process ends in the middle; what it was about to write is not there, or once.
    running.abort();
    holder.rollback().await.expect("let go");
    let again = world.start();
    world.done().await;
    assert_eq!(world.recorded().await, ["a"]);
    again.abort();
}

#[tokio::test]
async fn what_cannot_be_recorded_is_kept_with_the_reason_and_stops_nobody() {
    let world = World::new().await;
    let running = world.start();
    world.stream("").await;
    let unknown = "00000000-0000-7000-8000-000000000000";
    world.publish("not-an-id", world.record("x").to_string()).await;
    world.publish(unknown, world.record("y").to_string()).await;
    world.publish(&world.organization, "{".to_owned()).await;
    let mut bad = world.record("z");
    bad["input_tokens"] = json!(-1);
    world.publish(&world.organization, json!([bad, world.record("a")]).to_string()).await;
    world.publish(&world.organization, world.record("b").to_string()).await;
    world.done().await;
    assert_eq!(world.recorded().await, ["a", "b"]);
    let reasons = world.reasons().await;
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    let has = |what: &str| reasons.iter().any(|reason| reason.contains(what));
    assert!(has("does not end in an organization's id") && has("input_tokens"), "{reasons:?}");
    running.abort();
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text).expect("it packs");
    packer.finish().expect("it packs")
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text).expect("it packs");
    packer.finish().expect("it packs")
}

#[tokio::test]
async fn what_is_packed_is_unpacked_within_bounds() {
    let world = World::new().await;
    let running = world.start();
    world.stream("").await;
    let text = |id: &str| world.record(id).to_string().into_bytes();
    let zstd = ruzstd::encoding::compress_to_vec(
        &*text("zstd"),
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    let name = "Content-Encoding";
    world.publish_packed((name, "gzip"), gzip(&text("gzip"))).await;
    world.publish_packed(("content-encoding", "GZIP"), gzip(&text("lower case"))).await;
    world.publish_packed((name, "deflate"), deflate(&text("deflate"))).await;
    world.publish_packed((name, "zstd"), zstd).await;
    world.publish_packed((name, "identity"), text("identity")).await;
    // None of these, and each is told why.
    world.publish_packed((name, "br"), text("br")).await;
    world.publish_packed((name, "gzip"), text("not packed")).await;
    let bomb = gzip(&vec![b' '; 8 * 1024 * 1024 + 1]);
    assert!(bomb.len() < 100_000, "it is small as it comes");
    world.publish_packed((name, "gzip"), bomb).await;
    world.done().await;
    let recorded = ["deflate", "gzip", "identity", "lower case", "zstd"];
    assert_eq!(world.recorded().await, recorded);
    let reasons = world.reasons().await;
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    for why in [
        "Of Content-Encoding, gzip, deflate, zstd and identity are understood.",
        "it is not what Content-Encoding says",
        "it unpacks to more than 8388608 bytes",
    ] {
        assert!(reasons.iter().any(|reason| reason.contains(why)), "{why}: {reasons:?}");
    }
    running.abort();
}

#[tokio::test]
async fn what_is_rejected_is_set_aside_however_much_there_is_to_say_of_it() {
    let mut world = World::new().await;
    world.config.bytes_max = 256 * 1024 * 1024;
    let running = world.start();
    world.stream("").await;
    let organization = &world.organization;
    // Two thousand records with something to say of each, headers that take nearly all the room there
    // is, and a message that is as large as messages may be.
    let wrong = |number| {
        let mut record = world.record(&format!("w-{number}"));
        record["input_tokens"] = json!(-1);
        record
    };
    let wrong: Vec<Value> = (0..2_000).map(wrong).collect();
    world.publish(organization, json!(wrong).to_string()).await;
    world.publish_packed(("x-sender", &"h".repeat(60_000)), b"[1]".to_vec()).await;
    let bytes_max = world.context.client().server_info().max_payload;
    world.publish(organization, format!("\"{}\"", "q".repeat(bytes_max - 2))).await;
    world.publish(organization, world.record("good").to_string()).await;
    world.done().await;
    assert_eq!(world.recorded().await, ["good"]);
    let reasons = world.reasons().await;
    assert_eq!(reasons.len(), 4, "the largest is kept in two parts");
    assert!(reasons.iter().all(|reason| reason.len() < 20_000));
    let said = reasons.iter().map(|reason| serde_json::from_str::<Value>(reason).expect("JSON"));
    let of_records = said.into_iter().find(|said| said["rejected"] == 2_000).expect("it says so");
    assert_eq!(of_records["records"][7]["index"], 7);
    running.abort();
}
