//! `/v1/organizations/{organization_id}/usage/{request_id}/explanation`, and an organization's own
//! prices, `/v1/organizations/{organization_id}/price-lists`

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{App, Client, Reply};

struct World {
    app: App,
    organization: String,
    project: String,
}

impl World {
    /// An organization with a project, and prices of all.
    async fn new() -> Self {
        let app = App::new().await;
        let organization = app.organization().await;
        let project = app.project(&organization, "alpha").await;
        let list = json!({"catalogue": "c", "provider": "openai", "currency": "USD",
            "effective_from": "2026-01-01T00:00:00Z",
            "models": [{"model": "gpt", "matches": {"starts_with": "gpt-"},
                "rates": {"input_tokens": "3", "output_tokens": "15", "web_searches": "10"},
                "above": [{"input_tokens": 1000, "rates": {"input_tokens": "6"}}],
                "service_tiers": [{"tier": "batch", "percent": "50"}]}]});
        app.admin().post("/v1/price-lists", list).await.ok();
        Self { app, organization, project }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/organizations/{}{rest}", self.organization)
    }

    async fn send(&self, request_id: &str, fields: Value) -> Value {
        let mut record = json!({"project_id": self.project, "provider": "openai",
            "model": "gpt-5", "request_id": request_id, "occurred_at": "2026-05-01T12:00:00Z",
            "output_tokens": 0});
        let Value::Object(fields) = fields else { panic!("{fields} are no fields") };
        record.as_object_mut().expect("a record").extend(fields);
        let asking = self.app.admin().ask(Method::POST, &self.path("/usage"));
        asking.json(&json!({"records": [record]})).await.ok()["records"][0].clone()
    }

    async fn explained_to(&self, client: &Client, request_id: &str) -> Reply {
        let path = self.path(&format!("/usage/{request_id}/explanation"));
        client.ask(Method::GET, &path).empty().await
    }

    async fn explained(&self, request_id: &str) -> Value {
        let reply = self.explained_to(&self.app.admin(), request_id).await;
        assert_eq!(reply.status.as_u16(), 200, "{reply:?}");
        let explained = reply.body;
        assert_eq!(explained["agrees"], true, "{explained}");
        explained
    }

    /// Publishes the organization's own prices.
    async fn own(&self, fields: Value) -> Reply {
        let mut own = json!({"provider": "*", "currency": "USD"});
        let Value::Object(fields) = fields else { panic!("{fields} are no fields") };
        own.as_object_mut().expect("a list").extend(fields);
        self.app.admin().post(&self.path("/price-lists"), own).await
    }
}

fn lines(explained: &Value) -> Vec<(&str, i64, &str, &str)> {
    let lines = explained["lines"].as_array().expect("lines").iter();
    lines
        .map(|line| {
            (
                line["unit"].as_str().expect("a unit"),
                line["units"].as_i64().expect("a count"),
                line["unit_price"].as_str().unwrap_or("none"),
                line["amount"].as_str().unwrap_or("none"),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_cost_is_explained_line_by_line() {
    let world = World::new().await;
    let fields = json!({"input_tokens": 2000, "output_tokens": 100, "service_tier": "batch",
        "units": {"web_searches": 2}, "duration_ms": 900});
    assert_eq!(world.send("r/1", fields).await["fate"], "recorded");
    let explained = world.explained("r%2F1").await;
    assert_eq!(
        lines(&explained),
        [
            ("input_tokens", 2000, "6", "0.006"),
            ("output_tokens", 100, "15", "0.00075"),
            ("web_searches", 2, "10", "0.01"),
        ]
    );
    let price = &explained["price"];
    assert_eq!((&price["model"], &price["service_tier"]), (&json!("gpt"), &json!("batch")));
    assert_eq!((&price["above_input_tokens"], &price["own"]), (&json!(1000), &json!(false)));
    assert_eq!(price["price_list_id"], "c/openai");
    assert_eq!(explained["subtotal"], "0.01675");
    assert_eq!(explained["cost"], "0.016750000000");
}

#[tokio::test]
async fn an_explanation_is_of_what_was_known_then() {
    let world = World::new().await;
    world.send("before", json!({"input_tokens": 100})).await;
    world
        .own(json!({"mark_up_percent": "12.5", "effective_from": "2026-01-01T00:00:00Z"}))
        .await
        .ok();
    world.send("after", json!({"input_tokens": 100})).await;
    let before = world.explained("before").await;
    assert_eq!((&before["cost"], &before["mark_up"]), (&json!("0.000300000000"), &Value::Null));
    let after = world.explained("after").await;
    assert_eq!((&after["subtotal"], &after["cost"]), (&json!("0.0003"), &json!("0.000337500000")));
    assert_eq!(after["mark_up"]["percent"], "12.5");
    // Its own prices are another price, with nothing on top; and nobody else's.
    let models = json!([{"model": "gpt-5", "matches": {"equals": "gpt-5"},
        "rates": {"input_tokens": "1"}}]);
    let own = json!({"provider": "openai", "models": models,
        "effective_from": "2026-01-01T00:00:00Z"});
    world.own(own).await.ok();
    world.send("own", json!({"input_tokens": 100})).await;
    let own = world.explained("own").await;
    assert_eq!((&own["cost"], &own["price"]["own"]), (&json!("0.000100000000"), &json!(true)));
    assert_eq!(own["mark_up"], Value::Null);
    let other = World { organization: world.app.organization().await, ..world };
    let other = World { project: other.app.project(&other.organization, "beta").await, ..other };
    other.send("theirs", json!({"input_tokens": 100})).await;
    assert_eq!(other.explained("theirs").await["cost"], "0.000300000000");
    other.explained_to(&other.app.admin(), "own").await.refused(404, "not-found");
}

#[tokio::test]
async fn what_is_unpriced_is_told_why() {
    let world = World::new().await;
    world.send("model", json!({"model": "other", "input_tokens": 1})).await;
    world.send("unit", json!({"units": {"map_searches": 1}})).await;
    world.send("failed", json!({"error_type": "429", "model": "other"})).await;
    let model = world.explained("model").await;
    assert_eq!(model["unpriced"], "the lists in force do not have the model");
    assert_eq!((&model["price_status"], &model["cost"]), (&json!("unpriced"), &Value::Null));
    let unit = world.explained("unit").await;
    assert_eq!(unit["unpriced"], "the model has no price for map_searches");
    assert_eq!(lines(&unit), [("map_searches", 1, "none", "none")]);
    assert_eq!(world.explained("failed").await["price_status"], "not_billed");
}

#[tokio::test]
async fn what_is_unpriced_is_told_of_own_prices_that_began_later() {
    let world = World::new().await;
    let publish = async |provider: &str, model: &str, from: &str| {
        let models = json!([{"model": model, "matches": {"equals": model},
            "rates": {"input_tokens": "1"}}]);
        let own = json!({"provider": provider, "effective_from": from, "models": models});
        world.own(own).await.ok();
    };
    publish("house", "ours", "2026-06-02T00:00:00Z").await;
    publish("*", "ours", "2026-06-01T12:00:00Z").await;
    publish("elsewhere", "ours", "2026-05-02T00:00:00Z").await;
    let of = |request_id: &'static str, provider: &str, model: &str| {
        (request_id, json!({"provider": provider, "model": model, "input_tokens": 1}))
    };
    for (request_id, fields) in
        [of("ours", "house", "ours"), of("all", "openai", "ours"), of("no", "house", "theirs")]
    {
        world.send(request_id, fields).await;
    }
    let id = &world.organization;
    let later = format!(
        "the organization's own list organization:{id}/* has it from 2026-06-01T12:00:00Z on, \
         which is after it happened"
    );
    let ours = world.explained("ours").await;
    assert_eq!(ours["unpriced"], format!("no list for all prices the provider; {later}"));
    let all = world.explained("all").await;
    assert_eq!(all["unpriced"], format!("the lists in force do not have the model; {later}"));
    let no = world.explained("no").await;
    let said =
        "no list for all prices the provider, and none of the organization's own has the model";
    assert_eq!(no["unpriced"], said);
    // From then on it is priced by it, and says so.
    let after = json!({"provider": "house", "model": "ours", "input_tokens": 1,
        "occurred_at": "2026-06-01T12:00:00Z"});
    world.send("after", after).await;
    assert_eq!(world.explained("after").await["price"]["own"], true);
}

#[tokio::test]
async fn units_that_cannot_be_are_refused() {
    let world = World::new().await;
    for (number, (fields, field)) in [
        (json!({"units": {"smells": 1}}), "units"),
        (json!({"units": {"pages": -1}}), "pages"),
        (json!({"units": {"audio_input_tokens": 1}}), "audio_input_tokens"),
        (json!({"service_tier": ""}), "service_tier"),
        (json!({"error_type": "x".repeat(201)}), "error_type"),
        (json!({"duration_ms": -1}), "duration_ms"),
    ]
    .into_iter()
    .enumerate()
    {
        let fate = world.send(&format!("r{number}"), fields).await;
        assert_eq!((&fate["fate"], &fate["field"]), (&json!("invalid"), &json!(field)), "{fate}");
    }
}

#[tokio::test]
async fn who_may_not_see_usage_is_explained_nothing() {
    let world = World::new().await;
    world.send("r", json!({"input_tokens": 1})).await;
    let (app, organization) = (&world.app, &world.organization);
    let as_member = async |login: &str, role: &str| {
        let member = app.member(organization, login, role).await;
        let key = app.api_key(organization, &world.project, ("member_id", &member)).await;
        app.stranger(key["secret"].as_str())
    };
    let auditor = as_member("ada", "auditor").await;
    assert_eq!(world.explained_to(&auditor, "r").await.status.as_u16(), 200);
    let member = as_member("bob", "member").await;
    world.explained_to(&member, "r").await.refused(404, "not-found");
    world.explained_to(&auditor, "another").await.refused(404, "not-found");
    world.explained_to(&app.stranger(None), "r").await.refused(401, "unauthorized");
    let own = json!({"provider": "*", "currency": "USD", "mark_up_percent": "1"});
    auditor.post(&world.path("/price-lists"), own).await.refused(403, "forbidden");
}

#[tokio::test]
async fn own_prices_that_cannot_be_are_refused() {
    let world = World::new().await;
    for (fields, status, kind, field) in [
        (json!({}), 422, "invalid-value", "models"),
        (json!({"provider": " ", "mark_up_percent": "1"}), 422, "invalid-value", "provider"),
        (json!({"mark_up_percent": "1.001"}), 400, "invalid-request", "mark_up_percent"),
        (json!({"mark_up_percent": "-101"}), 400, "invalid-request", "mark_up_percent"),
    ] {
        world.own(fields).await.refused_field(status, kind, field);
    }
    let again = async || world.own(json!({"mark_up_percent": "1"})).await.ok();
    assert_eq!(
        (&again().await["version"], &again().await["published"]),
        (&json!(1), &json!(false))
    );
}

/// A request's id may come again after a day: each of its records is explained by its position.
#[tokio::test]
async fn a_position_says_which_of_a_requests_records_is_meant() {
    let world = World::new().await;
    let first = world.send("again", json!({"input_tokens": 100})).await;
    let later = json!({"input_tokens": 7, "occurred_at": "2026-05-03T12:00:00Z"});
    let second = world.send("again", later).await;
    assert_eq!((&first["fate"], &second["fate"]), (&json!("recorded"), &json!("recorded")));
    let explained = async |query: String| {
        let path = world.path(&format!("/usage/again/explanation{query}"));
        world.app.admin().ask(Method::GET, &path).empty().await
    };
    assert_eq!(explained(String::new()).await.body["position"], second["position"]);
    for sent in [&first, &second] {
        let of = explained(format!("?position={}", sent["position"])).await.body;
        assert_eq!(of["position"], sent["position"]);
    }
    assert_eq!(explained("?position=1".to_owned()).await.status.as_u16(), 404);
    assert_eq!(explained("?occurred_at=2026-05-03".to_owned()).await.status.as_u16(), 400);
}
