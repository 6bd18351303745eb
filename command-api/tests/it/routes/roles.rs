//! `/v1/organizations/{organization_id}/roles`

use serde_json::{Value, json};

use super::groups::Acme;

async fn define(acme: &Acme, name: &str, permissions: &[&str]) -> String {
    let body = json!({"name": name, "permissions": permissions});
    acme.olga.post(&format!("{}/roles", acme.path), body).await.id("role_id")
}

#[tokio::test]
async fn a_role_is_defined_changed_granted_withdrawn_and_removed() {
    let acme = Acme::new().await;
    let (bob, bobs) = acme.member("bob", "member", None).await;
    let role = define(&acme, "Purchasing", &["credits.read", "credits.update"]).await;
    let path = format!("{}/roles/{role}", acme.path);
    let buy = async || {
        let credits = json!({"amount": "5", "currency": "USD"});
        bobs.post(&format!("{}/credits/purchases", acme.path), credits).await
    };
    buy().await.refused(403, "forbidden");
    let grants = format!("{path}/grants");
    for _ in 0..2 {
        acme.olga.post(&grants, json!({"member_id": bob})).await.ok();
    }
    assert_eq!(acme.app.count("role.granted").await, 1);
    buy().await.ok();
    acme.olga
        .patch(&path, json!({"name": "Bookkeeping", "permissions": ["credits.read"]}))
        .await
        .ok();
    buy().await.refused(403, "forbidden");
    acme.olga.patch(&path, json!({"permissions": ["credits.update"]})).await.ok();
    buy().await.ok();
    let withdraw = format!("{grants}/withdraw");
    for _ in 0..2 {
        acme.olga.post(&withdraw, json!({"member_id": bob})).await.ok();
    }
    assert_eq!(acme.app.count("role.withdrawn").await, 1);
    buy().await.refused(403, "forbidden");
    // Through a group as well.
    let group = acme.group(json!({"name": "finance"})).await;
    let place = format!("{}/groups/{group}/members/{bob}", acme.path);
    acme.olga.ask(axum::http::Method::PUT, &place).empty().await.ok();
    acme.olga.post(&grants, json!({"group_id": group})).await.ok();
    buy().await.ok();
    acme.olga.delete(&path).await.ok();
    buy().await.refused(403, "forbidden");
    acme.olga.delete(&path).await.refused(404, "not-found");
    acme.olga.post(&grants, json!({"member_id": bob})).await.refused(404, "not-found");
}

#[tokio::test]
async fn within_a_project_a_role_counts_there_alone() {
    let acme = Acme::new().await;
    let alpha = acme.app.project(&acme.organization, "alpha").await;
    let beta = acme.app.project(&acme.organization, "beta").await;
    let (bob, bobs) = acme.member("bob", "member", None).await;
    let role = define(&acme, "Naming", &["projects.read", "projects.update"]).await;
    let grants = format!("{}/roles/{role}/grants", acme.path);
    let grant = json!({"member_id": bob, "project_id": alpha});
    acme.olga.post(&grants, grant.clone()).await.ok();
    let rename = async |project: &str| {
        bobs.patch(&format!("{}/projects/{project}", acme.path), json!({"name": "x"})).await
    };
    rename(&alpha).await.ok();
    rename(&beta).await.refused(404, "not-found");
    // Withdrawn is what was granted: everywhere is another grant.
    let withdraw = format!("{grants}/withdraw");
    acme.olga.post(&withdraw, json!({"member_id": bob})).await.ok();
    assert_eq!(acme.app.count("role.withdrawn").await, 0);
    acme.olga.post(&withdraw, grant.clone()).await.ok();
    rename(&alpha).await.refused(404, "not-found");
    // Another organization's project is none; what is archived takes no grants and gives them up.
    let other = acme.app.organization().await;
    let theirs = acme.app.project(&other, "theirs").await;
    let foreign = json!({"member_id": bob, "project_id": theirs});
    acme.olga.post(&grants, foreign.clone()).await.refused(404, "not-found");
    acme.olga.post(&withdraw, foreign).await.refused(404, "not-found");
    acme.olga.post(&format!("{}/projects/{alpha}/archive", acme.path), json!({})).await.ok();
    acme.olga.post(&grants, grant.clone()).await.refused(409, "project-archived");
    acme.olga.post(&withdraw, grant).await.ok();
}

#[tokio::test]
async fn wrong_values_of_roles_are_named() {
    let acme = Acme::new().await;
    let roles = format!("{}/roles", acme.path);
    let check = async |body: Value, status, kind: &str, field: &str| {
        acme.olga.post(&roles, body).await.refused_field(status, kind, field);
    };
    check(json!({"name": "", "permissions": ["usage.read"]}), 422, "invalid-value", "name").await;
    check(json!({"name": "r", "permissions": []}), 422, "invalid-value", "permissions").await;
    let above = json!({"name": "r", "permissions": ["roles.update"]});
    check(above, 422, "invalid-value", "permissions").await;
    check(json!({"name": "r"}), 400, "invalid-request", "permissions").await;
    let unknown = json!({"name": "r", "permissions": ["sudo"]});
    check(unknown, 400, "invalid-request", "permissions[0]").await;
    let role = define(&acme, "r", &["credits.read"]).await;
    check(json!({"name": "R", "permissions": ["usage.read"]}), 409, "name-taken", "name").await;
    let bob = acme.app.member(&acme.organization, "bob", "member").await;
    let project = acme.app.project(&acme.organization, "alpha").await;
    let group = acme.group(json!({"name": "g"})).await;
    let grants = format!("{roles}/{role}/grants");
    for path in [&grants, &format!("{grants}/withdraw")] {
        for body in [json!({}), json!({"member_id": bob, "group_id": group})] {
            let refused = acme.olga.post(path, body).await;
            refused.refused_field(422, "invalid-value", "member_id");
        }
        let nobody = json!({"member_id": "00000000-0000-7000-8000-000000000009"});
        acme.olga.post(path, nobody).await.refused(404, "not-found");
    }
    let within = json!({"member_id": bob, "project_id": project});
    let refused = acme.olga.post(&grants, within).await;
    refused.refused_field(422, "invalid-value", "project_id");
}

#[tokio::test]
async fn nobody_defines_or_grants_what_they_have_not() {
    let acme = Acme::new().await;
    let (_, adas) = acme.member("ada", "admin", None).await;
    let bob = acme.app.member(&acme.organization, "bob", "member").await;
    let roles = format!("{}/roles", acme.path);
    // An admin has all but billing.
    let body = json!({"name": "Purchasing", "permissions": ["credits.update"]});
    let refused = adas.post(&roles, body).await.refused(403, "permission-above-own");
    assert_eq!(refused["permission"], "credits.update");
    let role = define(&acme, "Purchasing", &["credits.update"]).await;
    let path = format!("{roles}/{role}");
    let grant = json!({"member_id": bob});
    adas.post(&format!("{path}/grants"), grant.clone()).await.refused(403, "permission-above-own");
    acme.olga.post(&format!("{path}/grants"), grant.clone()).await.ok();
    let withdraw = format!("{path}/grants/withdraw");
    adas.post(&withdraw, grant).await.refused(403, "permission-above-own");
    adas.delete(&path).await.refused(403, "permission-above-own");
    let less = json!({"permissions": ["credits.read"]});
    adas.patch(&path, less).await.refused(403, "permission-above-own");
}
