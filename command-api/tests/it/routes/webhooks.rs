//! `/v1/organizations/{organization_id}/webhooks`

use axum::http::Method;
use serde_json::{Value, json};

use super::groups::Acme;
use crate::support::Client;

fn webhook() -> Value {
    json!({"url": "https://alerts.example.com/in", "event_types": ["budget.*", "budget.*"]})
}

/// The payloads of all events of webhooks.
async fn payloads(acme: &Acme) -> Vec<Value> {
    sqlx::query_scalar(
        "select payload::jsonb from log.events where aggregate_type = 'webhook' order by position",
    )
    .fetch_all(acme.app.pool())
    .await
    .expect("events")
}

async fn act(client: &Client, location: &str, verb: &str, key: &str) -> Value {
    client.ask(Method::POST, &format!("{location}/{verb}")).key(key).empty().await.ok()
}

#[tokio::test]
async fn a_webhook_is_created_changed_disabled_enabled_and_removed() {
    let acme = Acme::new().await;
    let webhooks = format!("{}/webhooks", acme.path);
    let created = acme.olga.post(&webhooks, webhook()).await;
    let (location, tag) = (created.header("location"), created.etag());
    assert_eq!(created.header("cache-control"), "no-store");
    let created = created.ok();
    assert_eq!(location, format!("{webhooks}/{}", created["webhook_id"].as_str().expect("an id")));
    let secret = created["secret"].as_str().expect("a secret");
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    assert_eq!(payloads(&acme).await[0]["event_types"], json!(["budget.*"]));

    // What is left out stays; an empty description is none.
    let described = json!({"description": "on call"});
    acme.olga.ask(Method::PATCH, &location).if_match(&tag).json(&described).await.ok();
    acme.olga.patch(&location, json!({"event_types": ["*"], "description": " "})).await.ok();
    acme.olga.patch(&location, json!({"event_types": ["*"]})).await.ok();
    let late = acme.olga.ask(Method::PATCH, &location).if_match(&tag);
    late.json(&described).await.refused(412, "precondition-failed");
    let changes = payloads(&acme).await;
    assert_eq!(changes.len(), 3, "nothing was to be done: {changes:?}");
    assert_eq!(changes[1]["description"], "on call");
    assert_eq!(changes[2]["description"], Value::Null);
    assert_eq!(changes[2]["url"], "https://alerts.example.com/in");

    let rotated = act(&acme.olga, &location, "rotate-secret", "r").await;
    assert_ne!(rotated["secret"], created["secret"]);
    let again = acme.olga.ask(Method::POST, &format!("{location}/rotate-secret")).key("r");
    let again = again.empty().await;
    assert!(again.is_replayed());
    let again = again.ok();
    assert_eq!(again["previous_signs_until"], rotated["previous_signs_until"]);
    assert_eq!(again.get("secret"), None, "a secret is shown once");

    for (verb, key) in [("disable", "d1"), ("disable", "d2"), ("enable", "e1"), ("enable", "e2")] {
        act(&acme.olga, &location, verb, key).await;
    }
    acme.olga.delete(&location).await.ok();
    acme.olga.delete(&location).await.ok();
    acme.olga.patch(&location, json!({"event_types": ["*"]})).await.refused(404, "not-found");
    let types: Vec<Value> = payloads(&acme).await.iter().map(|one| one["type"].clone()).collect();
    let expected = [
        "webhook.created",
        "webhook.changed",
        "webhook.changed",
        "webhook.secret_rotated",
        "webhook.disabled",
        "webhook.enabled",
        "webhook.removed",
    ];
    assert_eq!(types, expected);
    let stored = format!("{:?}", payloads(&acme).await);
    assert!(!stored.contains("whsec_"), "{stored}");
}

#[tokio::test]
async fn what_cannot_be_a_webhook_is_named() {
    let acme = Acme::new().await;
    let webhooks = format!("{}/webhooks", acme.path);
    let cases = [
        ("url", json!("http://alerts.example.com/in")),
        ("url", json!("https://127.0.0.1/in")),
        ("url", json!("https://ada:secret@alerts.example.com/in")),
        ("url", json!("nowhere")),
        ("event_types", json!([])),
        ("event_types", json!(["budget.reached"])),
        ("event_types", json!(["usage.recorded"])),
        ("description", json!("x".repeat(1_001))),
    ];
    for (field, value) in cases {
        let mut body = webhook();
        body[field] = value;
        acme.olga.post(&webhooks, body).await.refused_field(422, "invalid-value", field);
    }
    assert_eq!(acme.app.count("webhook.created").await, 0);
    let made = acme.olga.post(&webhooks, webhook()).await;
    let (location, created) = (made.header("location"), made.position());
    let replay = format!("{location}/replay");
    for body in
        [json!({}), json!({"after_position": 1, "position": 2}), json!({"after_position": -1})]
    {
        let refused = acme.olga.post(&replay, body).await;
        refused.refused_field(422, "invalid-value", "after_position");
    }
    for position in [0, created + 1_000, i64::MAX] {
        let refused = acme.olga.post(&replay, json!({ "position": position })).await;
        refused.refused_field(422, "invalid-value", "position");
    }
    acme.olga.post(&replay, json!({ "position": created })).await.ok();
    let asked = &payloads(&acme).await[1];
    assert_eq!(asked["after_position"], created - 1);
    assert_eq!(asked["upto_position"], created);
}

#[tokio::test]
async fn a_test_is_an_event_whether_the_webhook_is_disabled_or_not() {
    let acme = Acme::new().await;
    let webhooks = format!("{}/webhooks", acme.path);
    let location = acme.olga.post(&webhooks, webhook()).await.header("location");
    let test = format!("{location}/test");
    acme.olga.post(&test, json!({})).await.ok();
    acme.olga.post(&format!("{location}/disable"), json!({})).await.ok();
    acme.olga.post(&test, json!({})).await.ok();
    assert_eq!(acme.app.count("webhook.test_requested").await, 2);
    let (_, mia) = acme.member("mia", "member", None).await;
    mia.post(&test, json!({})).await.refused(403, "forbidden");
    acme.olga.delete(&location).await.ok();
    acme.olga.post(&test, json!({})).await.refused(404, "not-found");
    assert_eq!(acme.app.count("webhook.test_requested").await, 2);
}

#[tokio::test]
async fn an_organization_has_so_many_webhooks_and_no_more() {
    let acme = Acme::new().await;
    let webhooks = format!("{}/webhooks", acme.path);
    let mut last = String::new();
    for _ in 0..20 {
        last = acme.olga.post(&webhooks, webhook()).await.header("location");
    }
    let refused = acme.olga.post(&webhooks, webhook()).await.refused(409, "too-many");
    assert_eq!(refused["max"], 20);
    acme.olga.delete(&last).await.ok();
    acme.olga.post(&webhooks, webhook()).await.ok();
}

#[tokio::test]
async fn a_webhook_needs_the_permission_and_a_custom_role_cannot_give_it() {
    let acme = Acme::new().await;
    let webhooks = format!("{}/webhooks", acme.path);
    let (_, ada) = acme.member("ada", "admin", None).await;
    ada.post(&webhooks, webhook()).await.ok();
    let (_, limited) = acme.member("lim", "admin", Some(&["budgets.update"])).await;
    let refused = limited.post(&webhooks, webhook()).await.refused(403, "forbidden");
    assert_eq!(refused["permission"], "webhooks.update");
    let role = json!({"name": "hooks", "permissions": ["webhooks.update"]});
    let roles = format!("{}/roles", acme.path);
    acme.olga.post(&roles, role).await.refused_field(422, "invalid-value", "permissions");
    let role = json!({"name": "watchers", "permissions": ["webhooks.read"]});
    acme.olga.post(&roles, role).await.ok();
}
