//! The forms in which `/v1/organizations/{organization_id}/usage` takes records.

use std::io::Write as _;

use axum::http::Method;
use serde_json::{Value, json};

use super::usage::{World, invalid};
use crate::support::{Asking, Reply};

impl World {
    fn asking(&self) -> Asking {
        self.app.admin().ask(Method::POST, &self.path("/usage"))
    }

    async fn text(&self, content_type: &str, text: &str) -> Vec<Value> {
        fates(self.asking().text(content_type, text.to_owned()).await)
    }
}

fn fates(reply: Reply) -> Vec<Value> {
    reply.ok()["records"].as_array().expect("fates").clone()
}

fn words(fates: &[Value]) -> Vec<&str> {
    fates.iter().filter_map(|fate| fate["fate"].as_str()).collect()
}

#[tokio::test]
async fn one_record_a_list_and_an_object_say_the_same() {
    let world = World::new().await;
    let record = world.record("a", json!({"input_tokens": 5}));
    for (body, expected) in [
        (record.clone(), vec!["recorded"]),
        (json!([record, world.record("b", json!({}))]), vec!["duplicate", "recorded"]),
        (json!({"records": [record]}), vec!["duplicate"]),
        (json!([]), vec![]),
        (json!([[], 7, record]), vec!["invalid", "invalid", "duplicate"]),
    ] {
        let fates = world.text("application/json", &body.to_string()).await;
        assert_eq!(words(&fates), expected, "{body}");
    }
    let one = world.asking().json(&world.record("c", json!({"input_tokens": -1}))).await;
    invalid(&fates(one)[0], "input_tokens");
}

#[tokio::test]
async fn a_bad_line_costs_no_other() {
    let world = World::new().await;
    let (a, b) = (world.record("a", json!({})), world.record("b", json!({})));
    let text = format!("{a}\n\n{{\"request_id\": \n  {b}\r\n[1]\nnull\n{a} {b}\n{a}");
    for content_type in ["application/x-ndjson", "application/jsonl", "application/x-ndjson; x=y"] {
        let fates = world.text(content_type, &text).await;
        assert_eq!(words(&fates)[1..2], ["invalid"], "{fates:?}");
        assert!(fates[1]["reason"].as_str().is_some_and(|why| why.starts_with("it is not JSON")));
        assert_eq!(words(&fates)[3..6], ["invalid"; 3], "{fates:?}");
        assert_eq!(fates.len(), 7);
    }
    let again = world.text("application/x-ndjson", &text).await;
    assert_eq!((&again[0]["fate"], &again[2]["fate"]), (&json!("duplicate"), &json!("duplicate")));
    assert_eq!(world.app.count("usage.recorded").await, 0, "usage is in its own lane");
    let many = "{}\n".repeat(command_api::usage::RECORDS_MAX + 1);
    let many = world.asking().text("application/x-ndjson", many).await;
    many.refused_field(400, "invalid-request", "records");
}

#[tokio::test]
async fn an_events_id_and_time_stand_in_for_the_records_own() {
    let world = World::new().await;
    let mut bare = world.record("x", json!({"input_tokens": 3}));
    let fields = bare.as_object_mut().expect("an object");
    fields.remove("request_id");
    fields.remove("occurred_at");
    let event = |id: &str, data: &Value| {
        json!({"specversion": "1.0", "id": id, "source": "/gateway", "type": "com.example.usage",
            "time": "2026-05-01T10:00:00Z", "datacontenttype": "application/json", "data": data})
    };
    let one = event("ce-1", &bare).to_string();
    assert_eq!(words(&world.text("application/cloudevents+json", &one).await), ["recorded"]);
    let time: String = world.column("/gateway#ce-1", "occurred_at::timestamp::text").await;
    assert_eq!(time, "2026-05-01 10:00:00");

    let mut old = event("ce-2", &bare);
    old["specversion"] = json!("0.3");
    let mut no_data = event("ce-3", &bare);
    no_data.as_object_mut().expect("an object").remove("data");
    let own = event("ce-4", &world.record("own", json!({})));
    let batch = json!([event("ce-1", &bare), old, no_data, own, event("ce-5", &json!({}))]);
    let fates = world.text("application/cloudevents-batch+json", &batch.to_string()).await;
    assert_eq!(words(&fates), ["duplicate", "invalid", "invalid", "recorded", "invalid"]);
    invalid(&fates[1], "specversion");
    invalid(&fates[2], "data");
    invalid(&fates[4], "project_id");
    assert_eq!(world.column::<i64>("own", "input_tokens").await, 0);
    // Ids are unique within their source alone.
    let mut elsewhere = event("ce-1", &bare);
    elsewhere["source"] = json!("/another");
    let fates = world.text("application/cloudevents+json", &elsewhere.to_string()).await;
    assert_eq!(words(&fates), ["recorded"]);
}

/// What succeeded used something: a stream without its counts is not free. One that failed may have
/// used nothing, and a zero that is said is a count.
#[tokio::test]
async fn a_request_says_what_it_used() {
    let world = World::new().await;
    let silent = |id: &str, fields: Value| {
        let mut record = world.record(id, fields);
        record.as_object_mut().expect("an object").remove("output_tokens");
        record
    };
    let sent = json!([
        silent("silent", json!({})),
        silent("null", json!({"usage": null})),
        silent("failed", json!({"error_type": "timeout"})),
        silent("seconds", json!({"units": {"input_audio_ms": 60}})),
        world.record("zero", json!({"input_tokens": 0})),
    ]);
    let answered = fates(world.asking().json(&sent).await);
    assert_eq!(words(&answered), ["invalid", "invalid", "recorded", "recorded", "recorded"]);
    invalid(&answered[0], "input_tokens");
    invalid(&answered[1], "input_tokens");
    // One alone is told what it lacks, as in a list.
    let mut nameless = world.record("x", json!({}));
    nameless.as_object_mut().expect("an object").remove("request_id");
    let answered = fates(world.asking().json(&nameless).await);
    invalid(&answered[0], "request_id");
}

#[tokio::test]
async fn opentelemetrys_names_are_ours() {
    let world = World::new().await;
    let record = json!({"project_id": world.project, "occurred_at": "2026-05-01T12:00:00Z",
        "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-asked",
        "gen_ai.response.model": "claude-answered", "gen_ai.response.id": "msg_1",
        "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 30, "gen_ai.usage.cache_creation.input_tokens": 10,
        "gen_ai.usage.reasoning.output_tokens": 5, "error.type": "timeout", "user.id": "u-1"});
    assert_eq!(words(&fates(world.asking().json(&record).await)), ["recorded"]);
    let row: String = world
        .column(
            "msg_1",
            "concat_ws('/', provider, model, input_tokens, cached_input_tokens,
                 cache_write_tokens, output_tokens, reasoning_tokens, error_type, end_user)",
        )
        .await;
    assert_eq!(row, "anthropic/claude-answered/100/30/10/20/5/timeout/u-1");
    // The same thing said twice is not guessed at.
    let twice = world.record("b", json!({"gen_ai.usage.input_tokens": 1, "input_tokens": 1}));
    invalid(&fates(world.asking().json(&json!([twice])).await)[0], "input_tokens");
}

const COUNTS: &str = "concat_ws('/', input_tokens, cached_input_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, units, service_tier)";

#[tokio::test]
async fn a_providers_own_usage_object_is_taken_in_every_form() {
    let world = World::new().await;
    // Anthropic counts what was cached and written beside the input.
    let object = json!({"input_tokens": 10, "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 30, "output_tokens": 50, "service_tier": "priority",
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "server_tool_use": {"web_search_requests": 2}});
    let said = |id: &str| world.record(id, json!({"provider": "anthropic", "usage": object}));
    let event = json!({"specversion": "1.0", "id": "e", "source": "/gateway", "type": "usage",
        "data": said("event")});
    let lines = format!("{}\n{}\n", said("line"), said("line"));
    for (content_type, body, expected) in [
        ("application/json", said("one").to_string(), vec!["recorded"]),
        ("application/json", json!([said("list")]).to_string(), vec!["recorded"]),
        ("application/json", json!({"records": [said("among")]}).to_string(), vec!["recorded"]),
        ("application/x-ndjson", lines, vec!["recorded", "duplicate"]),
        ("application/cloudevents+json", event.to_string(), vec!["recorded"]),
    ] {
        assert_eq!(words(&world.text(content_type, &body).await), expected, "{body}");
    }
    let units = r#"{"cache_write_1h_tokens":20,"web_searches":2}"#;
    for id in ["one", "list", "among", "line", "event"] {
        let row: String = world.column(id, COUNTS).await;
        assert_eq!(row, format!("100/60/30/50/0/{units}/priority"), "{id}");
    }
    // Google calls it otherwise. What no object of its says stands beside it.
    let google = json!({"provider": "google", "units": {"map_searches": 1}, "service_tier": "batch",
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}});
    let google = world.asking().json(&world.record("google", google)).await;
    assert_eq!(words(&fates(google)), ["recorded"]);
    let row: String = world.column("google", COUNTS).await;
    assert_eq!(row, r#"7/0/0/5/3/{"map_searches":1}/batch"#);
    // The same counts by hand are the same request.
    let counts = json!({"provider": "google", "units": {"map_searches": 1}, "service_tier": "batch",
        "input_tokens": 7, "output_tokens": 5, "reasoning_tokens": 3});
    let again = world.asking().json(&world.record("google", counts)).await;
    assert_eq!(words(&fates(again)), ["duplicate"]);
}

#[tokio::test]
async fn a_usage_object_that_cannot_be_read_is_named() {
    let world = World::new().await;
    for (fields, field) in [
        (json!({"usage": {"prompt_tokens": 1.5}}), "usage.prompt_tokens"),
        (json!({"usage": {"prompt_tokens": -1}}), "usage.prompt_tokens"),
        (
            json!({"usage": {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": "x"}}}),
            "usage.prompt_tokens_details.cached_tokens",
        ),
        (
            json!({"usage": {"input_tokens": i64::MAX, "output_tokens": 1,
                "cache_read_input_tokens": i64::MAX}}),
            "usage.cache_read_input_tokens",
        ),
        (json!({"usage": {"input_tokens": 5}}), "usage.output_tokens"),
        (json!({"usage": {}}), "usage"),
        (json!({"usage": [1]}), "usage"),
        (json!({"usage": {"prompt_tokens": 5}, "output_tokens": 7}), "output_tokens"),
        (
            json!({"usage": {"input_tokens": 5, "output_tokens": 1,
                "server_tool_use": {"web_search_requests": 2}}, "units": {"web_searches": 2}}),
            "units.web_searches",
        ),
        (
            json!({"usage": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 6}}}),
            "cached_input_tokens",
        ),
    ] {
        let body = json!([world.record("a", fields.clone()), world.record("b", json!({}))]);
        let fates = fates(world.asking().json(&body).await);
        assert_eq!(fates[0]["field"], field, "{fields}: {fates:?}");
        invalid(&fates[0], field);
        assert_ne!(fates[1]["fate"], "invalid", "{fates:?}");
    }
}

type Pack = fn(&[u8]) -> Vec<u8>;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
}

#[tokio::test]
async fn a_packed_body_is_unpacked_as_far_as_it_may_be() {
    let world = World::new().await;
    let record = world.record("a", json!({"input_tokens": 5})).to_string();
    let packings: [(&str, Pack); 3] = [("gzip", gzip), ("deflate", zlib), ("zstd", zstd)];
    for (n, (encoding, pack)) in packings.into_iter().enumerate() {
        let asking = || world.asking().header("content-encoding", encoding);
        let reply = asking().bytes("application/x-ndjson", pack(record.as_bytes())).await;
        let expected = if n == 0 { "recorded" } else { "duplicate" };
        assert_eq!(words(&fates(reply)), [expected], "{encoding}");
        // A bomb: far more than may be taken, in a few kilobytes.
        let bomb = pack(&vec![b' '; 4 * command_api::USAGE_BODY_BYTES_MAX]);
        assert!(bomb.len() < command_api::USAGE_BODY_BYTES_MAX / 8, "{}", bomb.len());
        let reply = asking().bytes("application/json", bomb).await;
        reply.refused(413, "body-too-large");
        let mut broken = pack(record.as_bytes());
        broken.truncate(broken.len() / 2);
        let reply = asking().bytes("application/json", broken).await;
        reply.refused_field(400, "invalid-request", "body");
    }
    let unknown = world.asking().header("content-encoding", "br");
    let unknown = unknown.bytes("application/json", record.into_bytes()).await;
    unknown.refused(415, "unsupported-media-type");
}

#[tokio::test]
async fn every_part_of_a_packed_body_counts_or_the_body_is_refused() {
    let world = World::new().await;
    let line = |id: &str| format!("{}\n", world.record(id, json!({"input_tokens": 5})));
    let post = async |encoding: &str, body: Vec<u8>| {
        let asking = world.asking().header("content-encoding", encoding);
        asking.bytes("application/x-ndjson", body).await
    };
    for (encoding, pack) in [("gzip", gzip as Pack), ("zstd", zstd)] {
        let [first, second] = ["first", "second"].map(|id| line(&format!("{encoding}-{id}")));
        let mut both = pack(first.as_bytes());
        if encoding == "zstd" {
            // A frame to be skipped, of three bytes.
            both.extend_from_slice(b"\x50\x2a\x4d\x18\x03\0\0\0abc");
        }
        both.extend(pack(second.as_bytes()));
        let fates = fates(post(encoding, both).await);
        assert_eq!(words(&fates), ["recorded", "recorded"], "{encoding}");
    }
    let twice = [zlib(line("deflate-1").as_bytes()), zlib(line("deflate-2").as_bytes())].concat();
    post("deflate", twice).await.refused_field(400, "invalid-request", "body");
    let skipped = b"\x50\x2a\x4d\x18\xff\xff\xff\xffabc".to_vec();
    post("zstd", skipped).await.refused_field(400, "invalid-request", "body");
    for (encoding, pack) in [("gzip", gzip as Pack), ("deflate", zlib), ("zstd", zstd)] {
        let mut more = pack(line(&format!("{encoding}-more")).as_bytes());
        more.extend_from_slice(b"garbage");
        post(encoding, more).await.refused_field(400, "invalid-request", "body");
    }
}

#[tokio::test]
async fn what_was_sent_is_said_back_only_so_far_that_it_is_known() {
    let world = World::new().await;
    let long = "Q".repeat(100_000);
    let mut strange = world.record("a", json!({}));
    strange[long.as_str()] = json!(1);
    let bodies = [
        json!(long),
        json!([long]),
        json!([world.record("b", json!({ "input_tokens": long }))]),
        json!([strange]),
        json!({ "records": long }),
    ];
    for body in bodies {
        let body = body.to_string().into_bytes();
        let said = world.asking().bytes("application/json", body).await.body.to_string();
        assert!(said.len() < 5_000, "{said}");
    }
}
