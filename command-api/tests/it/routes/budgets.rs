//! `/v1/organizations/{organization_id}/budgets`

use axum::http::Method;
use chrono::NaiveDate;
use command_api::CommandContext;
use command_api::budgets::RecordBudgetCrossing;
use domain::organization::Authority;
use serde_json::{Value, json};

use super::groups::Acme;
use crate::support::{Client, unlimited};

fn budget(scope: &Value) -> Value {
    json!({"name": "A budget", "scope": scope, "currency": "USD", "period": "monthly",
        "amount": "100", "thresholds": [80, 50, 80]})
}

fn organization() -> Value {
    json!({"kind": "organization"})
}

async fn payloads(acme: &Acme, event_type: &str) -> Vec<Value> {
    sqlx::query_scalar(
        "select payload::jsonb from log.events where event_type = $1 order by position",
    )
    .bind(event_type)
    .fetch_all(acme.app.pool())
    .await
    .expect("events")
}

#[tokio::test]
async fn a_budget_is_set_changed_and_removed() {
    let acme = Acme::new().await;
    let budgets = format!("{}/budgets", acme.path);
    let zone = json!({"default_role": "member", "default_project_role": "member",
        "invite_domains": [], "time_zone": "Europe/Berlin"});
    let set = acme.olga.post(&budgets, budget(&organization())).await;
    let (location, tag) = (set.header("location"), set.etag());
    let id = set.id("budget_id");
    assert_eq!(location, format!("{budgets}/{id}"));
    let event = &payloads(&acme, "budget.set").await[0];
    assert_eq!(event["thresholds"], json!([50, 80]));
    assert_eq!((&event["keeper"], &event["action"]), (&json!("organization"), &json!("alert")));
    assert_eq!(event["time_zone"], "UTC");

    // What is left out stays; with any change the organization's zone is taken over.
    acme.olga.replace(&format!("{}/settings", acme.path), zone).await.ok();
    let patch = acme.olga.ask(Method::PATCH, &location).if_match(&tag);
    patch.json(&json!({"amount": "150", "action": "block"})).await.ok();
    let event = &payloads(&acme, "budget.changed").await[0];
    assert_eq!(
        (&event["amount"], &event["name"]),
        (&json!("150.000000000000"), &json!("A budget"))
    );
    assert_eq!(
        (&event["thresholds"], &event["time_zone"]),
        (&json!([50, 80]), &json!("Europe/Berlin"))
    );
    acme.olga.patch(&location, json!({})).await.ok();
    assert_eq!(acme.app.count("budget.changed").await, 1, "nothing was to be done");
    let late = acme.olga.ask(Method::PATCH, &location).if_match(&tag);
    late.json(&json!({"amount": "1"})).await.refused(412, "precondition-failed");

    acme.olga.delete(&location).await.ok();
    acme.olga.delete(&location).await.ok();
    assert_eq!(acme.app.count("budget.removed").await, 1);
    acme.olga.patch(&location, json!({"amount": "1"})).await.refused(409, "budget-removed");
}

#[tokio::test]
async fn what_cannot_be_a_budget_is_named() {
    let acme = Acme::new().await;
    let budgets = format!("{}/budgets", acme.path);
    let cases = [
        ("amount", json!("0"), 422, "amount"),
        ("amount", json!("1000000000000.000000000001"), 422, "amount"),
        ("amount", json!(5), 400, "amount"),
        ("thresholds", json!([0]), 422, "thresholds"),
        ("thresholds", json!([1001]), 422, "thresholds"),
        ("thresholds", json!((1..=101).collect::<Vec<_>>()), 422, "thresholds"),
        ("name", json!(""), 422, "name"),
        ("period", json!("yearly"), 400, "period"),
        ("currency", json!("usd"), 400, "currency"),
        ("scope", json!({"kind": "feature", "feature": ""}), 422, "scope"),
    ];
    for (field, value, status, named) in cases {
        let mut body = budget(&organization());
        body[field] = value;
        let kind = if status == 422 { "invalid-value" } else { "invalid-request" };
        acme.olga.post(&budgets, body).await.refused_field(status, kind, named);
    }
    let nobody = uuid::Uuid::from_u128(7);
    for (kind, id) in
        [("project", "project_id"), ("api_key", "api_key_id"), ("member", "member_id")]
    {
        let scope = json!({"kind": kind, id: nobody});
        acme.olga.post(&budgets, budget(&scope)).await.refused(404, "not-found");
    }
    assert_eq!(acme.app.count("budget.set").await, 0);
}

/// A project with its owner.
async fn project(acme: &Acme, name: &str) -> (String, Client) {
    let project = acme.app.project(&acme.organization, name).await;
    let (member, client) = acme.member(name, "member", None).await;
    let path = format!("{}/projects/{project}/members/{member}", acme.path);
    acme.olga.put(&path, json!({"role": "owner"})).await.ok();
    (project, client)
}

#[tokio::test]
async fn who_owns_a_project_sets_its_budgets_and_changes_none_from_above() {
    let acme = Acme::new().await;
    let budgets = format!("{}/budgets", acme.path);
    let (alpha, pam) = project(&acme, "pam").await;
    let (beta, _) = project(&acme, "ben").await;
    let on = |id: &str| budget(&json!({"kind": "project", "project_id": id}));
    let own = pam.post(&budgets, on(&alpha)).await.header("location");
    assert_eq!(payloads(&acme, "budget.set").await[0]["keeper"], "project");
    pam.patch(&own, json!({"amount": "7"})).await.ok();
    // Another's project is not there for her, and the rest is not hers to limit.
    pam.post(&budgets, on(&beta)).await.refused(404, "not-found");
    for scope in [organization(), json!({"kind": "feature", "feature": "search"})] {
        pam.post(&budgets, budget(&scope)).await.refused(403, "forbidden");
    }
    let from_above = acme.olga.post(&budgets, on(&alpha)).await.header("location");
    pam.patch(&from_above, json!({"amount": "1000000"})).await.refused(403, "forbidden");
    pam.delete(&from_above).await.refused(403, "forbidden");
    // Who may set budgets everywhere may change hers.
    acme.olga.patch(&own, json!({"amount": "6"})).await.ok();
    // A key of her project, too, and one that is revoked no more.
    let (member, _) = acme.member("kim", "member", None).await;
    let path = format!("{}/projects/{alpha}/members/{member}", acme.path);
    acme.olga.put(&path, json!({"role": "member"})).await.ok();
    let key = acme.app.api_key(&acme.organization, &alpha, ("member_id", &member)).await;
    let key = key["api_key_id"].as_str().expect("an id");
    let on_key = budget(&json!({"kind": "api_key", "api_key_id": key}));
    pam.post(&budgets, on_key.clone()).await.ok();
    let revoke = format!("{}/api-keys/{key}/revoke", acme.path);
    acme.olga.post(&revoke, json!({"reason": "gone"})).await.ok();
    pam.post(&budgets, on_key).await.refused(409, "api-key-revoked");
    // And nothing on what is closed.
    acme.olga
        .ask(Method::POST, &format!("{}/projects/{alpha}/archive", acme.path))
        .key("archive")
        .empty()
        .await
        .ok();
    acme.olga.post(&budgets, on(&alpha)).await.refused(409, "project-archived");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crossing_is_on_record_once_whoever_finds_it() {
    let acme = Acme::new().await;
    let set = acme.olga.post(&format!("{}/budgets", acme.path), budget(&organization())).await;
    let budget_id = set.id("budget_id").parse().expect("an id");
    let (one, two) = (acme.app.process().await, acme.app.process().await);
    let context = CommandContext { authority: Authority::System, ..unlimited(None) };
    for month in 1..=12 {
        for threshold in [Some(50), Some(80), None] {
            let crossing = RecordBudgetCrossing {
                organization_id: acme.organization.parse().expect("an id"),
                budget_id,
                period: NaiveDate::from_ymd_opt(2026, month, 1),
                period_start: None,
                period_end: None,
                amount: "100".parse().expect("an amount"),
                threshold,
                spent: "123".parse().expect("an amount"),
                crossed_at: i64::from(month),
            };
            let found =
                [&one, &two, &one].map(|process| process.executor.execute(&context, &crossing));
            for done in futures::future::join_all(found).await {
                done.expect("it is on record");
            }
        }
    }
    assert_eq!(acme.app.count("budget.threshold_reached").await, 24);
    assert_eq!(acme.app.count("budget.exhausted").await, 12);
}
