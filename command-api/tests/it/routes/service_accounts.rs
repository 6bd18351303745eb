//! `/v1/organizations/{organization_id}/service-accounts`

use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn a_service_account_is_created_disabled_and_removed() {
    let app = App::new().await;
    let operator = app.admin();
    let organization = app.organization().await;
    let project = app.project(&organization, "alpha").await;
    let accounts = format!("/v1/organizations/{organization}/service-accounts");
    let create = json!({"project_id": project, "name": "indexer", "purpose": "fills the index"});
    let created = operator.post(&accounts, create.clone()).await;
    let path = created.header("location");
    assert_eq!(path, format!("{accounts}/{}", created.id("service_account_id")));
    operator.post(&accounts, create.clone()).await.refused(409, "name-taken");

    operator.post(&format!("{path}/disable"), json!({"reason": "unused"})).await.ok();
    let account = path.rsplit('/').next().expect("an id");
    let key = json!({"project_id": project, "service_account_id": account, "name": "k"});
    let keys = format!("/v1/organizations/{organization}/api-keys");
    operator.post(&keys, key.clone()).await.refused(409, "service-account-disabled");

    operator.delete(&path).await.ok();
    operator.delete(&path).await.ok();
    operator.post(&keys, key).await.refused(409, "service-account-removed");
    let disable = operator.post(&format!("{path}/disable"), json!({})).await;
    disable.refused(409, "service-account-removed");
    operator.post(&accounts, create).await.ok();
}

/// Closed with their project: they are not changed, and their keys open nothing of the rest either.
#[tokio::test]
async fn with_the_project_its_accounts_and_keys_are_closed() {
    let app = App::new().await;
    let organization = app.organization().await;
    let project = app.project(&organization, "alpha").await;
    let account = app.service_account(&organization, &project).await;
    let member = app.member(&organization, "ada", "admin").await;
    let path = format!("/v1/organizations/{organization}");
    let mut clients = Vec::new();
    for owner in [("service_account_id", account.as_str()), ("member_id", member.as_str())] {
        let key = app.api_key(&organization, &project, owner).await;
        clients.push(app.stranger(key["secret"].as_str()));
    }
    let leave = format!("{path}/leave");
    for client in &clients {
        assert_ne!(client.post(&leave, json!({})).await.status.as_u16(), 401);
    }
    app.admin().post(&format!("{path}/projects/{project}/archive"), json!({})).await.ok();
    for client in &clients {
        let refused = client.post(&leave, json!({})).await.refused(401, "unauthorized");
        assert!(refused["detail"].as_str().unwrap().contains("project is closed"), "{refused}");
    }
    let account = format!("{path}/service-accounts/{account}");
    app.admin().patch(&account, json!({"name": "x"})).await.refused(409, "project-archived");
}

#[tokio::test]
async fn a_name_that_was_changed_is_free_again() {
    let app = App::new().await;
    let operator = app.admin();
    let organization = app.organization().await;
    let project = app.project(&organization, "alpha").await;
    let accounts = format!("/v1/organizations/{organization}/service-accounts");
    let create = json!({"project_id": project, "name": "indexer"});
    let path = operator.post(&accounts, create.clone()).await.header("location");
    let other = json!({"project_id": project, "name": "crawler"});
    operator.post(&accounts, other).await.ok();
    operator.patch(&path, json!({"name": "Crawler"})).await.refused(409, "name-taken");
    operator.patch(&path, json!({"name": "ranker", "purpose": "ranks"})).await.ok();
    operator.post(&accounts, create.clone()).await.ok();
    let ranker = json!({"project_id": project, "name": "ranker"});
    operator.post(&accounts, ranker.clone()).await.refused(409, "name-taken");
    operator.delete(&path).await.ok();
    operator.patch(&path, json!({"name": "x"})).await.refused(409, "service-account-removed");
    operator.post(&accounts, ranker).await.ok();
}

#[tokio::test]
async fn a_purpose_that_is_too_long_is_named_as_such() {
    let app = App::new().await;
    let organization = app.organization().await;
    let project = app.project(&organization, "alpha").await;
    let accounts = format!("/v1/organizations/{organization}/service-accounts");
    let create = json!({"project_id": project, "name": "n", "purpose": "x".repeat(1001)});
    let refused = app.admin().post(&accounts, create).await;
    refused.refused_field(422, "invalid-value", "purpose");
}
