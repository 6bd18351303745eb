//! `/v1/organizations/{organization_id}/usage`

use axum::http::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::{App, Client};

/// An organization with a project, in which a member and a service account have keys.
pub(super) struct World {
    pub(super) app: App,
    pub(super) organization: String,
    pub(super) project: String,
    pub(super) member: String,
    pub(super) service_account: String,
}

impl World {
    pub(super) async fn new() -> Self {
        let app = App::new().await;
        let organization = app.organization().await;
        let project = app.project(&organization, "alpha").await;
        let member = app.member(&organization, "ada", "member").await;
        let service_account = app.service_account(&organization, &project).await;
        Self { app, organization, project, member, service_account }
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("/v1/organizations/{}{rest}", self.organization)
    }

    /// A record of a request, with some fields of its own.
    /// A record with these fields; where none of them says what was used, a count of nothing does.
    pub(super) fn record(&self, request_id: &str, fields: Value) -> Value {
        let mut record = json!({"project_id": self.project, "provider": "openai",
            "model": "gpt-4o", "request_id": request_id, "occurred_at": "2026-05-01T12:00:00Z"});
        let Value::Object(fields) = fields else { panic!("{fields} are no fields") };
        let record_fields = record.as_object_mut().expect("a record");
        let says = ["tokens", "units", "usage", "usageMetadata", "error"];
        if !fields.keys().any(|field| says.iter().any(|word| field.contains(word))) {
            record_fields.insert("output_tokens".to_owned(), json!(0));
        }
        record_fields.extend(fields);
        record
    }

    async fn send(&self, records: &[Value]) -> Vec<Value> {
        self.send_as(&self.app.admin(), records).await
    }

    async fn send_as(&self, client: &Client, records: &[Value]) -> Vec<Value> {
        let asking = client.ask(Method::POST, &self.path("/usage"));
        let answer = asking.json(&json!({"records": records})).await.ok();
        answer["records"].as_array().expect("fates").clone()
    }

    async fn publish(&self, input: &str) -> i64 {
        let list = json!({"catalogue": "c", "provider": "OpenAI", "currency": "USD",
            "effective_from": "2026-01-01T00:00:00Z",
            "models": [{"model": "gpt-4o", "matches": {"equals": "gpt-4o"},
                "rates": {"input_tokens": input, "cached_input_tokens": "1.25",
                    "output_tokens": "10"}}]});
        self.app.admin().post("/v1/price-lists", list).await.position()
    }

    pub(super) async fn column<T>(&self, request_id: &str, expression: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let query = format!("select {expression} from log.usage_records where request_id = $1");
        let row = sqlx::query(&query).bind(request_id).fetch_one(self.app.pool()).await;
        row.expect("one record").get(0)
    }
}

pub(super) fn invalid(fate: &Value, field: &str) {
    assert_eq!((&fate["fate"], &fate["field"]), (&json!("invalid"), &json!(field)), "{fate}");
    assert!(fate["reason"].as_str().is_some_and(|reason| reason.len() > 5), "{fate}");
}

#[tokio::test]
async fn every_record_has_a_fate_of_its_own() {
    let world = World::new().await;
    let head = world.app.head().await;
    let fates = world
        .send(&[
            world.record("a", json!({"input_tokens": 5})),
            world.record("b", json!({"input_tokens": -5})),
            world.record("a", json!({"input_tokens": 5})),
            world.record("a", json!({"input_tokens": 6})),
            world.record("c", json!({"unheard_of": 1})),
            json!(7),
            world.record("d", json!({"project_id": "x"})),
            json!({"request_id": "e"}),
            world.record("f", json!({"occurred_at": "2999-01-01T00:00:00Z"})),
            world.record("g", json!({"tags": {"team": "search"}, "end_user": "u-1"})),
        ])
        .await;
    assert_eq!(fates[2], json!({"fate": "duplicate"}));
    assert_eq!(fates[3], json!({"fate": "conflict"}));
    invalid(&fates[1], "input_tokens");
    invalid(&fates[4], "unheard_of");
    assert_eq!(fates[5]["fate"], "invalid");
    invalid(&fates[6], "project_id");
    invalid(&fates[7], "project_id");
    invalid(&fates[8], "occurred_at");
    // Two were recorded, at the next positions of the same log.
    let mut positions = [&fates[0], &fates[9]].map(|fate| fate["position"].as_i64());
    positions.sort_unstable();
    assert_eq!(positions, [Some(head + 1), Some(head + 2)]);
    assert_eq!(world.app.head().await, head + 2);

    // Sent again, nothing is counted twice.
    let again = world.send(&[world.record("a", json!({"input_tokens": 5}))]).await;
    assert_eq!(again, [json!({"fate": "duplicate"})]);
    assert_eq!(world.app.head().await, head + 2);
    assert_eq!(world.send(&[]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_key_says_whose_usage_it_is() {
    let world = World::new().await;
    let of_member =
        world.app.api_key(&world.organization, &world.project, ("member_id", &world.member)).await;
    let owner = ("service_account_id", world.service_account.as_str());
    let of_account = world.app.api_key(&world.organization, &world.project, owner).await;
    let fates = world
        .send(&[
            world.record("a", json!({"api_key_id": of_member["api_key_id"]})),
            // Whoever else is named.
            world.record(
                "b",
                json!({"api_key_id": of_account["api_key_id"], "member_id": world.member}),
            ),
            world.record("c", json!({"member_id": world.member})),
            world.record("d", json!({"service_account_id": world.service_account})),
            world.record("e", json!({})),
            world.record(
                "f",
                json!({"member_id": world.member, "service_account_id": world.service_account}),
            ),
        ])
        .await;
    invalid(&fates[5], "member_id");
    let owners = "concat(member_id, '/', service_account_id)";
    let expected = [
        ("a", format!("{}/", world.member)),
        ("b", format!("/{}", world.service_account)),
        ("c", format!("{}/", world.member)),
        ("d", format!("/{}", world.service_account)),
        ("e", "/".to_owned()),
    ];
    for (request_id, expected) in expected {
        assert_eq!(world.column::<String>(request_id, owners).await, expected, "{request_id}");
    }
    // Whose it is belongs to what was said, but where the key says it.
    let again = world
        .send(&[
            world.record(
                "b",
                json!({"api_key_id": of_account["api_key_id"], "member_id": world.member}),
            ),
            world.record("b", json!({"api_key_id": of_account["api_key_id"]})),
            world.record("c", json!({"member_id": world.member})),
            world.record("c", json!({"service_account_id": world.service_account})),
            world.record("c", json!({})),
        ])
        .await;
    let again: Vec<&str> = again.iter().filter_map(|fate| fate["fate"].as_str()).collect();
    assert_eq!(again, ["duplicate", "duplicate", "duplicate", "conflict", "conflict"]);
}

#[tokio::test]
async fn what_is_unknown_or_anothers_is_named_and_the_rest_recorded() {
    let world = World::new().await;
    let (app, here) = (&world.app, &world.organization);
    let other = app.organization().await;
    let foreign_project = app.project(&other, "theirs").await;
    let foreign_member = app.member(&other, "eve", "member").await;
    let foreign_account = app.service_account(&other, &foreign_project).await;
    let owner = ("member_id", foreign_member.as_str());
    let foreign_key = app.api_key(&other, &foreign_project, owner).await;
    let second = app.project(here, "second").await;
    let account_of_second = app.service_account(here, &second).await;
    let key_of_second = app.api_key(here, &second, ("member_id", &world.member)).await;
    let archived = app.project(here, "archived").await;
    let archive = world.path(&format!("/projects/{archived}/archive"));
    app.admin().post(&archive, json!({})).await.ok();

    let unknown = "00000000-0000-7000-8000-000000000000";
    let cases = [
        ("project_id", json!(unknown)),
        ("project_id", json!(foreign_project)),
        ("project_id", json!(archived)),
        ("api_key_id", json!(unknown)),
        ("api_key_id", foreign_key["api_key_id"].clone()),
        ("api_key_id", key_of_second["api_key_id"].clone()),
        ("member_id", json!(unknown)),
        ("member_id", json!(foreign_member)),
        ("service_account_id", json!(unknown)),
        ("service_account_id", json!(foreign_account)),
        ("service_account_id", json!(account_of_second)),
    ];
    let mut records = vec![world.record("first", json!({}))];
    for (n, (field, value)) in cases.iter().enumerate() {
        let mut fields = json!({});
        fields[field] = value.clone();
        records.push(world.record(&format!("bad-{n}"), fields));
    }
    records.push(world.record("last", json!({})));
    let fates = world.send(&records).await;
    for (fate, (field, _)) in fates[1..].iter().zip(&cases) {
        invalid(fate, field);
    }
    // What is another organization's reads as what is not there.
    for (unknown, foreign) in [(1, 2), (4, 5), (9, 10)] {
        assert_eq!(fates[unknown], fates[foreign]);
    }
    for place in [0, fates.len() - 1] {
        assert_eq!(fates[place]["fate"], "recorded");
    }
}

#[tokio::test]
async fn usage_is_priced_exactly_by_the_version_in_force() {
    let world = World::new().await;
    let there = world.app.process().await.admin();
    let tokens = |n: i64| {
        json!({"input_tokens": n, "cached_input_tokens": 400,
        "output_tokens": 7, "reasoning_tokens": 3})
    };
    let usage = |id: &str| world.record(id, tokens(1_000));
    let cost = "(cost_pico, price_version, currency)::text";
    world.send_as(&there, &[usage("before")]).await;
    assert_eq!(world.column::<String>("before", cost).await, "(,,)", "unpriced, not 0");

    let first = world.publish("2.5").await;
    // 600 plain at 2.5, 400 cached at 1.25 and 7 out at 10 a million: 0.00207.
    world.send_as(&there, &[usage("first")]).await;
    let expected = format!("(2070000000,{first},USD)");
    assert_eq!(world.column::<String>("first", cost).await, expected);

    // Published through one process, used by the other at once.
    let second = world.publish("3.000001").await;
    world.send_as(&there, &[usage("second")]).await;
    let expected = format!("(2370000600,{second},USD)");
    assert_eq!(world.column::<String>("second", cost).await, expected);

    let other = json!({"model": "another", "input_tokens": 1});
    let earlier = json!({"occurred_at": "2025-12-31T23:59:59Z", "input_tokens": 1});
    world.send(&[world.record("model", other), world.record("earlier", earlier)]).await;
    for unpriced in ["model", "earlier"] {
        assert_eq!(world.column::<String>(unpriced, cost).await, "(,,)", "{unpriced}");
    }
}

#[tokio::test]
async fn an_organization_that_is_not_open_takes_none() {
    let world = World::new().await;
    let there = world.app.process().await.admin();
    world.send_as(&there, &[world.record("a", json!({}))]).await;
    world.app.admin().post(&world.path("/archive"), json!({})).await.ok();
    let records = json!({"records": [world.record("b", json!({}))]});
    for client in [there, world.app.admin()] {
        let asking = client.ask(Method::POST, &world.path("/usage"));
        asking.json(&records).await.refused(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_project_archived_elsewhere_takes_none_at_once() {
    let world = World::new().await;
    let there = world.app.process().await.admin();
    world.send_as(&there, &[world.record("a", json!({}))]).await;
    let archive = world.path(&format!("/projects/{}/archive", world.project));
    world.app.admin().post(&archive, json!({})).await.ok();
    let fates = world.send_as(&there, &[world.record("b", json!({}))]).await;
    invalid(&fates[0], "project_id");
}

#[tokio::test]
async fn a_request_has_so_many_records_and_no_more() {
    let world = World::new().await;
    let records_max = command_api::usage::RECORDS_MAX;
    let mut records: Vec<Value> =
        (0..records_max).map(|n| world.record(&format!("r-{n}"), json!({}))).collect();
    let fates = world.send(&records).await;
    assert!(fates.iter().all(|fate| fate["fate"] == "recorded"));
    records.push(json!(1));
    let asking = world.app.admin().ask(Method::POST, &world.path("/usage"));
    let many = asking.json(&json!({"records": records})).await;
    many.refused_field(400, "invalid-request", "records");
    for wrong in [json!({}), json!({"records": {}}), json!({"records": 7})] {
        let asking = world.app.admin().ask(Method::POST, &world.path("/usage"));
        asking.json(&wrong).await.refused_field(400, "invalid-request", "records");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_records_from_everywhere_at_once_count_once() {
    let world = World::new().await;
    let other = world.app.process().await;
    let head = world.app.head().await;
    let records: Vec<Value> = (0..50).map(|n| world.record(&format!("r-{n}"), json!({}))).collect();
    let body = json!({"records": records});
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let client = if n % 2 == 0 { world.app.admin() } else { other.admin() };
            let (path, body) = (world.path("/usage"), body.clone());
            tokio::spawn(async move { client.ask(Method::POST, &path).json(&body).await.ok() })
        })
        .collect();
    let mut recorded = 0;
    for task in tasks {
        let answer = task.await.expect("no panic");
        assert_eq!(answer["position"], head + 50);
        let fates = answer["records"].as_array().expect("fates").clone();
        recorded += fates.iter().filter(|fate| fate["fate"] == "recorded").count();
    }
    assert_eq!(recorded, 50);
    assert_eq!(world.app.head().await, head + 50);
}
