//! `/v1/usage/litellm`

use axum::http::Method;
use serde_json::{Value, json};

use super::usage::{World, invalid};
use crate::support::{Client, Reply};

const PATH: &str = "/v1/usage/litellm";

impl World {
    /// The gateway: a service account's key, which opens its project.
    async fn gateway(&self) -> Client {
        let owner = ("service_account_id", self.service_account.as_str());
        let key = self.app.api_key(&self.organization, &self.project, owner).await;
        self.app.stranger(key["secret"].as_str())
    }

    /// An admin's key, which opens the organization.
    async fn admin(&self) -> Client {
        let admin = self.app.member(&self.organization, "root", "admin").await;
        let path = self.path("/api-keys");
        let body = json!({"member_id": admin, "name": "admin"});
        let key = self.app.admin().post(&path, body).await.ok();
        self.app.stranger(key["secret"].as_str())
    }
}

async fn post(client: &Client, events: &Value) -> Vec<Value> {
    fates(client.ask(Method::POST, PATH).json(events).await)
}

fn fates(reply: Reply) -> Vec<Value> {
    reply.ok()["records"].as_array().expect("fates").clone()
}

fn words(fates: &[Value]) -> Vec<&str> {
    fates.iter().filter_map(|fate| fate["fate"].as_str()).collect()
}

/// An event with what the gateway says of every call, and some fields of its own.
fn event(id: &str, fields: Value) -> Value {
    let mut event = json!({"id": id, "litellm_call_id": format!("call-{id}"), "call_type": "acompletion",
        "status": "success", "cache_hit": null, "custom_llm_provider": "openai", "model": "gpt-4o",
        "startTime": 1_777_636_800.123_457, "endTime": 1_777_636_801.5, "response_cost": 0.1,
        "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
        "request_tags": ["t1"], "end_user": null, "metadata": {}, "model_parameters": {},
        "messages": [{"role": "user", "content": "hello"}]});
    let Value::Object(fields) = fields else { panic!("{fields} are no fields") };
    event.as_object_mut().expect("an event").extend(fields);
    event
}

#[tokio::test]
async fn a_projects_key_records_all_in_its_project() {
    let world = World::new().await;
    let gateway = world.gateway().await;
    let usage = json!({"prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 10},
        "completion_tokens_details": {"reasoning_tokens": 5}, "cache_creation_input_tokens": 20,
        "server_tool_use": {"web_search_requests": 2}, "service_tier": "priority"});
    let events = json!([
        event(
            "a",
            json!({"request_tags": ["feature:search", "team:blue", "t1"],
            "model_parameters": {"user": "u-1"},
            "metadata": {"user_api_key_team_id": "unheard-of", "user_api_key_user_id": "ada",
                "user_api_key_alias": "laptop", "usage_object": usage}})
        ),
        event(
            "b",
            json!({"status": "failure", "prompt_tokens": 0, "completion_tokens": 0,
            "error_information": {"error_code": "429", "error_class": "RateLimitError"}})
        ),
        event("c", json!({"custom_llm_provider": null})),
        event("d", json!({"startTime": null})),
        event("e", json!({"prompt_tokens": "many"})),
        7,
        event("a", json!({"cache_hit": true, "litellm_call_id": "cached-a"})),
    ]);
    let fates = post(&gateway, &events).await;
    assert_eq!(
        words(&fates),
        ["recorded", "recorded", "invalid", "invalid", "invalid", "invalid", "recorded"],
        "{fates:?}"
    );
    invalid(&fates[2], "custom_llm_provider");
    invalid(&fates[3], "startTime");
    invalid(&fates[4], "prompt_tokens");
    let row: String = world
        .column(
            "a",
            "concat_ws('/', project_id, member_id, feature, end_user, input_tokens,
                 cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, units,
                 service_tier, duration_ms, occurred_at at time zone 'UTC')",
        )
        .await;
    let expected = format!(
        "{}/{}/search/u-1/100/40/20/20/5/{}/priority/1377/2026-05-01 12:00:00.123457",
        world.project, world.member, r#"{"audio_input_tokens":10,"web_searches":2}"#
    );
    assert_eq!(row, expected);
    let tags: Value = world.column("a", "tags").await;
    assert_eq!(
        tags,
        json!({"team": "blue", "t1": "true", "litellm_key": "laptop",
            "litellm_team": "unheard-of", "litellm_user": "ada"})
    );
    let failed = "call-b/1777636800123457";
    let row: String =
        world.column(failed, "concat_ws('/', error_type, input_tokens, cost_pico)").await;
    assert_eq!(row, "429/0");
    // Posted again, as LiteLLM does where it got no answer, all of it counts once.
    let again = post(&gateway, &events).await;
    assert_eq!(again.iter().filter(|fate| fate["fate"] == "duplicate").count(), 3);
    // A second attempt of the same call that failed, too.
    let retried = event("b", json!({"status": "failure", "startTime": 1_777_636_802.0}));
    assert_eq!(words(&post(&gateway, &json!([retried])).await), ["recorded"]);
}

#[tokio::test]
async fn an_organizations_key_records_in_the_project_that_is_named() {
    let world = World::new().await;
    let admin = world.admin().await;
    let named = |id: &str, field: &str, name: &str| event(id, json!({"metadata": {field: name}}));
    let lines = [
        named("a", "user_api_key_team_alias", "ALPHA"),
        named("b", "user_api_key_team_id", &world.project),
        named("c", "user_api_key_team_id", "unheard-of"),
        event("d", json!({})),
        named("e", "user_api_key_project_id", "00000000-0000-7000-8000-000000000000"),
    ];
    let text = lines.iter().map(|line| line.to_string() + "\n").collect();
    let reply = admin.ask(Method::POST, PATH).text("application/x-ndjson", text).await;
    let fates = fates(reply);
    assert_eq!(words(&fates), ["recorded", "recorded", "invalid", "invalid", "invalid"]);
    invalid(&fates[2], "metadata.user_api_key_team_id");
    assert!(fates[2]["reason"].as_str().is_some_and(|why| why.contains("'unheard-of'")));
    invalid(&fates[3], "metadata.user_api_key_team_id");
    invalid(&fates[4], "project_id");
    for id in ["a", "b"] {
        assert_eq!(world.column::<String>(id, "project_id::text").await, world.project);
    }
}

#[tokio::test]
async fn without_an_organizations_key_there_is_nobody_to_record_for() {
    let world = World::new().await;
    let asking = world.app.operator().ask(Method::POST, PATH);
    asking.json(&json!([])).await.refused(403, "forbidden");
    // A reader may not record.
    let reader = world.app.member(&world.organization, "reader", "reader").await;
    let body = json!({"member_id": reader, "name": "reader"});
    let key = world.app.admin().post(&world.path("/api-keys"), body).await;
    if let Some(secret) = key.body["secret"].as_str() {
        let reader = world.app.stranger(Some(secret));
        let in_alpha = event("a", json!({"metadata": {"user_api_key_team_alias": "alpha"}}));
        assert_eq!(words(&post(&reader, &json!([in_alpha])).await), ["invalid"]);
    }
}

/// What a gateway of version 1.106 really posts.
#[tokio::test]
async fn what_litellm_really_posts_is_recorded() {
    let Some(data) = std::env::var_os("ORGLEDGER_REAL_DATA") else {
        eprintln!("skipped: ORGLEDGER_REAL_DATA is not set");
        return;
    };
    let file = std::path::Path::new(&data).join("litellm/capture.jsonl");
    let text = std::fs::read_to_string(&file).expect("the capture");
    let world = World::new().await;
    let gateway = world.gateway().await;
    let (mut posted, mut recorded) = (0, 0);
    for line in text.lines() {
        let request: Value = serde_json::from_str(line).expect("a request");
        let content_type = request["headers"]["content-type"].as_str().expect("a media type");
        let body = match &request["body"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let reply = gateway.ask(Method::POST, PATH).text(content_type, body.clone()).await;
        let fates = fates(reply);
        assert!(fates.iter().all(|fate| fate["fate"] == "recorded"), "{fates:?}");
        posted += fates.len();
        recorded += fates.iter().filter(|fate| fate["fate"] == "recorded").count();
    }
    assert!(posted >= 12 && posted == recorded, "{posted} {recorded}");
    let failed: i64 = sqlx::query_scalar(
        "select count(*) from log.usage_records where error_type = '500' and input_tokens = 0
             and cost_pico is null",
    )
    .fetch_one(world.app.pool())
    .await
    .expect("the log answers");
    assert_eq!(failed, 2);
}

/// Its NDJSON comes with the media type of JSON. What is neither is told what JSON lacks.
#[tokio::test]
async fn lines_are_read_whatever_they_are_called() {
    let world = World::new().await;
    let gateway = world.gateway().await;
    let lines = format!("{}\n{}\n", event("a", json!({})), event("b", json!({})));
    let reply = gateway.ask(Method::POST, PATH).text("application/json", lines).await;
    assert_eq!(words(&fates(reply)), ["recorded", "recorded"]);
    let broken = format!("{}\n{{\"id\": ", event("c", json!({})));
    let reply = gateway.ask(Method::POST, PATH).text("application/json", broken).await;
    assert_eq!(reply.status.as_u16(), 400);
}

/// What LiteLLM passes through has the provider's own object; in what it counts itself, cached audio
/// is not said, though some must have been.
#[tokio::test]
async fn a_providers_own_object_is_read_as_the_provider_means_it() {
    let world = World::new().await;
    let gateway = world.gateway().await;
    let own = json!({"input_tokens": 10, "cache_read_input_tokens": 60, "output_tokens": 50,
        "cache_creation_input_tokens": 30});
    let audio = json!({"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details":
        {"cached_tokens": 60, "audio_tokens": 80}});
    let absurd = json!({"prompt_tokens": i64::MIN, "prompt_tokens_details":
        {"cached_tokens": i64::MAX, "audio_tokens": i64::MAX}});
    let events = json!([
        event(
            "own",
            json!({"custom_llm_provider": "anthropic", "prompt_tokens": 10,
            "completion_tokens": 50, "metadata": {"usage_object": own}})
        ),
        event("audio", json!({"metadata": {"usage_object": audio}})),
        event("absurd", json!({"prompt_tokens": i64::MIN, "metadata": {"usage_object": absurd}})),
    ]);
    let fates = post(&gateway, &events).await;
    assert_eq!(words(&fates), ["recorded", "recorded", "invalid"], "{fates:?}");
    invalid(&fates[2], "input_tokens");
    let counts = "concat_ws('/', input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, units)";
    assert_eq!(world.column::<String>("own", counts).await, "100/60/30/50");
    assert_eq!(
        world.column::<String>("audio", counts).await,
        r#"100/60/0/20/{"audio_input_tokens":80,"cached_audio_input_tokens":40}"#
    );
}
