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
