//! `/v1/organizations/{organization_id}/members`

use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn a_member_comes_changes_and_goes() {
    let app = App::new().await;
    let operator = app.admin();
    let organization = app.organization().await;
    app.member(&organization, "boss", "owner").await;
    let ada = app.member(&organization, "Ada", "member").await;
    let members = format!("/v1/organizations/{organization}/members");
    let path = format!("{members}/{ada}");

    operator.put(&format!("{path}/role"), json!({"role": "admin"})).await.ok();
    operator.put(&format!("{path}/login"), json!({"login": "ada2"})).await.ok();
    let taken = operator.put(&format!("{path}/login"), json!({"login": "BOSS"})).await;
    taken.refused_field(409, "login-taken", "login");
    operator.post(&format!("{path}/suspend"), json!({"reason": "on leave"})).await.ok();
    operator.post(&format!("{path}/reinstate"), json!({})).await.ok();
    // Without a body, too.
    let asking = operator.ask(axum::http::Method::POST, &format!("{path}/suspend")).key("k");
    asking.empty().await.ok();
    operator.delete(&format!("{path}?reason=left%20us")).await.ok();
    // Gone is gone: again changes nothing, and somebody of that login is somebody new.
    operator.delete(&path).await.ok();
    operator.put(&format!("{path}/role"), json!({"role": "owner"})).await.refused(404, "not-found");
    assert_ne!(app.member(&organization, "ada2", "member").await, ada);
    let reason: String = sqlx::query_scalar(
        "select payload->>'reason' from log.events where event_type = 'member.removed'",
    )
    .fetch_one(app.pool())
    .await
    .expect("one");
    assert_eq!(reason, "left us");
}

#[tokio::test]
async fn a_login_that_is_there_is_not_added_again() {
    let app = App::new().await;
    let organization = app.organization().await;
    app.member(&organization, "ada", "admin").await;
    let path = format!("/v1/organizations/{organization}/members");
    let again = app.admin().post(&path, json!({"login": "ADA", "role": "reader"})).await;
    again.refused_field(409, "login-taken", "login");
    assert_eq!(app.count("member.role_changed").await, 0);
}

#[tokio::test]
async fn an_owner_stays_whatever_is_asked() {
    let app = App::new().await;
    let operator = app.admin();
    let (organization, (ada, _)) = app.founded("ada").await;
    let path = format!("/v1/organizations/{organization}/members/{ada}");
    operator.delete(&path).await.refused(409, "last-owner");
    let suspend = operator.post(&format!("{path}/suspend"), json!({})).await;
    suspend.refused(409, "last-owner");
    let reader = operator.put(&format!("{path}/role"), json!({"role": "reader"})).await;
    reader.refused(409, "last-owner");
}

#[tokio::test]
async fn wrong_values_are_named() {
    let app = App::new().await;
    let organization = app.organization().await;
    let path = format!("/v1/organizations/{organization}/members");
    let cases = [
        (json!({"login": "a b", "role": "member"}), 422, "login"),
        (json!({"login": "", "role": "member"}), 422, "login"),
        (json!({"login": "a", "role": "member", "email": "nobody"}), 422, "email"),
        (json!({"login": "a", "role": "emperor"}), 400, "role"),
        (json!({"login": 7, "role": "member"}), 400, "login"),
        (json!({"role": "member"}), 400, "login"),
    ];
    for (body, status, field) in cases {
        let kind = if status == 400 { "invalid-request" } else { "invalid-value" };
        app.admin().post(&path, body).await.refused_field(status, kind, field);
    }
    let path = format!("{path}/00000000-0000-7000-8000-000000000000?because=x");
    let refused = app.admin().delete(&path).await;
    refused.refused_field(400, "invalid-request", "because");
}

#[tokio::test]
async fn seats_are_limited() {
    let app = App::new().await;
    let organization = app.organization().await;
    let path = format!("/v1/organizations/{organization}");
    app.admin().patch(&path, json!({"seat_limit": 2})).await.ok();
    app.member(&organization, "ada", "member").await;
    let members = format!("{path}/members");
    let bob = json!({"login": "bob", "role": "member"});
    app.admin().post(&members, bob).await.refused(409, "seat-limit-reached");
}
