//! `/v1/organizations/{organization_id}/api-keys`

use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn a_key_is_created_renamed_rotated_and_revoked() {
    let app = App::new().await;
    let operator = app.admin();
    let organization = app.organization().await;
    let project = app.project(&organization, "alpha").await;
    let account = app.service_account(&organization, &project).await;
    let key = app.api_key(&organization, &project, ("service_account_id", &account)).await;
    let path = format!(
        "/v1/organizations/{organization}/api-keys/{}",
        key["api_key_id"].as_str().expect("an id")
    );
    let secret = key["secret"].as_str().expect("a secret");
    assert!(secret.starts_with("olk_any_"), "of a project without a stage");

    operator.patch(&path, json!({"name": "production-chat"})).await.ok();
    let rotated = operator.post(&format!("{path}/rotate"), json!({"grace_seconds": 60})).await;
    assert_eq!(rotated.etag(), "\"3\"");
    let rotated = rotated.ok();
    assert_ne!(rotated["secret"], key["secret"]);
    assert!(rotated["previous_valid_until"].is_string(), "{rotated}");
    let long = operator.post(&format!("{path}/rotate"), json!({"grace_seconds": 2_592_001})).await;
    long.refused_field(422, "invalid-value", "grace_seconds");

    operator.post(&format!("{path}/revoke"), json!({"reason": "leaked"})).await.ok();
    operator.post(&format!("{path}/revoke"), json!({})).await.ok();
    operator.post(&format!("{path}/rotate"), json!({})).await.refused(409, "api-key-revoked");
    operator.patch(&path, json!({"name": "x"})).await.refused(409, "api-key-revoked");
}

#[tokio::test]
async fn a_key_has_one_owner_of_its_project() {
    let app = App::new().await;
    let operator = app.admin();
    let organization = app.organization().await;
    let alpha = app.project(&organization, "alpha").await;
    let beta = app.project(&organization, "beta").await;
    let ada = app.member(&organization, "ada", "member").await;
    let account = app.service_account(&organization, &beta).await;
    let keys = format!("/v1/organizations/{organization}/api-keys");
    let post = async |body| operator.post(&keys, body).await;

    let nobody = post(json!({"project_id": alpha, "name": "k"})).await;
    nobody.refused_field(422, "invalid-value", "member_id");
    let both = json!({"project_id": alpha, "name": "k", "member_id": ada,
        "service_account_id": account});
    post(both).await.refused_field(422, "invalid-value", "member_id");
    let elsewhere = json!({"project_id": alpha, "name": "k", "service_account_id": account});
    post(elsewhere).await.refused_field(422, "invalid-value", "service_account_id");
    let past = json!({"project_id": alpha, "name": "k", "member_id": ada,
        "expires_at": "2020-01-01T00:00:00Z"});
    post(past).await.refused_field(422, "expiry-in-the-past", "expires_at");
    let far = json!({"project_id": alpha, "name": "k", "member_id": ada,
        "rotation_due_at": "+20000-01-01T00:00:00Z"});
    post(far).await.refused_field(422, "invalid-value", "rotation_due_at");
    operator
        .post(&format!("/v1/organizations/{organization}/projects/{alpha}/archive"), json!({}))
        .await
        .ok();
    let late = json!({"project_id": alpha, "name": "k", "member_id": ada});
    post(late).await.refused(409, "project-archived");
}

/// Once they are reinstated, whoever has the secret has what they may do.
#[tokio::test]
async fn nobody_rotates_a_suspended_members_key_that_opens_more_than_they_may() {
    let app = App::new().await;
    let organization = app.organization().await;
    let (_, ada) = app.joined(&organization, "ada", "admin").await;
    let (bill, bills) = app.joined(&organization, "bill", "billing").await;
    let of = format!("/v1/organizations/{organization}");
    let key: String = sqlx::query_scalar(
        "select payload ->> 'api_key_id' from log.events where event_type = 'api_key.created'
         order by position desc limit 1",
    )
    .fetch_one(app.pool())
    .await
    .expect("his first");
    let rotate = format!("{of}/api-keys/{key}/rotate");
    let above = ada.post(&rotate, json!({})).await.refused(403, "permission-above-own");
    assert_eq!(above["permission"], "credits.update");
    app.admin().post(&format!("{of}/members/{bill}/suspend"), json!({})).await.ok();
    ada.post(&rotate, json!({})).await.refused(403, "permission-above-own");
    app.admin().post(&format!("{of}/members/{bill}/reinstate"), json!({})).await.ok();
    bills.post(&rotate, json!({})).await.ok();
}
