//! `/v1/organizations`

use serde_json::json;

use crate::support::App;

const PATH: &str = "/v1/organizations";

#[tokio::test]
async fn an_organization_is_created_changed_and_archived() {
    let app = App::new().await;
    let operator = app.operator();
    let created = operator.post(PATH, json!({"name": " Acme ", "seat_limit": 2})).await;
    assert_eq!((created.status.as_u16(), created.etag()), (201, "\"1\"".to_owned()));
    let location = created.header("location");
    let id = created.id("organization_id");
    assert_eq!(location, format!("{PATH}/{id}"));

    // To whoever runs it, it is closed until they are let in.
    let renamed = operator.patch(&location, json!({"name": "Acme Corp"})).await;
    renamed.refused(403, "break-glass-needed");
    app.let_operator_in(&id).await;

    let renamed = operator.patch(&location, json!({"name": "Acme Corp", "seat_limit": 3})).await;
    assert_eq!((renamed.status.as_u16(), renamed.etag()), (200, "\"4\"".to_owned()));
    // Its old name is free, its new one is not, whatever the case.
    operator.post(PATH, json!({"name": "ACME"})).await.ok();
    operator.post(PATH, json!({"name": "acme corp"})).await.refused(409, "name-taken");
    operator.patch(&location, json!({"name": "acme"})).await.refused(409, "name-taken");
    operator.patch(&location, json!({})).await.ok();
    operator.patch(&location, json!({"name": "ACME CORP"})).await.ok();

    // What is for good is no operator's.
    let archive = format!("{location}/archive");
    operator.post(&archive, json!({})).await.refused(403, "not-for-emergencies");
    app.with_owner(&id).await;
    let owner = app.admin();
    owner.post(&archive, json!({})).await.ok();
    // With that everybody's access has ended.
    let refused = owner.post(&archive, json!({})).await.refused(401, "unauthorized");
    assert_eq!(refused["detail"], "The organization is archived: nothing in it opens any more.");
    operator.post(&archive, json!({})).await.refused(403, "break-glass-needed");
    let renamed = operator.patch(&location, json!({"name": "x"})).await;
    renamed.refused(403, "break-glass-needed");
    operator.post(PATH, json!({"name": "Acme Corp"})).await.ok();
}

#[tokio::test]
async fn what_cannot_be_a_name_or_a_limit_is_refused() {
    let app = App::new().await;
    let operator = app.admin();
    let post = async |name: &str| operator.post(PATH, json!({"name": name})).await;
    for name in ["", "   ", "two\nlines", "nul\u{0}", &"x".repeat(101)] {
        post(name).await.refused_field(422, "invalid-value", "name");
    }
    let limit = json!({"name": "a", "seat_limit": -1});
    operator.post(PATH, limit).await.refused_field(400, "invalid-request", "seat_limit");
    operator.post(PATH, json!({})).await.refused_field(400, "invalid-request", "name");

    let organization = app.organization().await;
    app.member(&organization, "ada", "owner").await;
    let limit = json!({"seat_limit": 0});
    let path = format!("{PATH}/{organization}");
    let refused = operator.patch(&path, limit).await;
    refused.refused_field(409, "seat-limit-below-members", "seat_limit");
}

#[tokio::test]
async fn who_did_it_from_where_is_recorded() {
    let app = App::new().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let asking = app.admin().ask(axum::http::Method::POST, PATH).key("k");
    let asking = asking.header("traceparent", trace).header("x-request-id", "request-7");
    asking.json(&json!({"name": "Acme"})).await.ok();
    let metadata: Vec<serde_json::Value> =
        sqlx::query_scalar("select metadata from log.events order by position")
            .fetch_all(app.pool())
            .await
            .expect("events");
    let expected = json!({"actor_kind": "operator", "actor_id": "ops",
        "correlation_id": "request-7", "traceparent": trace});
    assert_eq!(metadata, [expected.clone(), expected]);
}
