//! Beginnings and departures: the first owner, leaving, ownership handed on, keys revoked together

use serde_json::json;

use super::groups::Acme;
use crate::support::App;

#[tokio::test]
async fn an_organization_begins_with_an_owner_who_has_a_key() {
    let app = App::new().await;
    let operator = app.admin();
    let body = json!({"name": "Acme", "owner": {"login": "olga", "email": "olga@example.com"}});
    let asking = || operator.ask(axum::http::Method::POST, "/v1/organizations").key("k");
    let created = asking().json(&body).await;
    assert_eq!(created.status.as_u16(), 201);
    let created = created.ok();
    assert!(created["secret"].as_str().expect("a secret").starts_with("olk_adm_"));
    let again = asking().json(&body).await.ok();
    assert_eq!(again["secret"], json!(null));
    assert_eq!(again["owner"], created["owner"]);
    let path = format!("/v1/organizations/{}", created["organization_id"].as_str().expect("an id"));
    let olga = app.first().presenting(&created);
    olga.post(&format!("{path}/members"), json!({"login": "bob", "role": "owner"})).await.ok();
    // Nothing is left of one whose owner cannot be.
    let before = app.changes().await;
    for (owner, status, field) in [
        (json!({"login": ""}), 422, "login"),
        (json!({"login": "a", "email": "nobody"}), 422, "email"),
        (json!({"login": "a", "mail": "x"}), 400, "owner.mail"),
        (json!({}), 400, "owner.login"),
    ] {
        let kind = if status == 400 { "invalid-request" } else { "invalid-value" };
        let refused =
            operator.post("/v1/organizations", json!({"name": "Zeta", "owner": owner})).await;
        refused.refused_field(status, kind, field);
    }
    assert_eq!(app.changes().await, before);
    operator.post("/v1/organizations", json!({"name": "Zeta"})).await.ok();
}

#[tokio::test]
async fn anybody_may_leave_but_the_last_owner() {
    let acme = Acme::new().await;
    let leave = format!("{}/leave", acme.path);
    acme.olga.post(&leave, json!({})).await.refused(409, "last-owner");
    acme.app.let_operator_in(&acme.organization).await;
    acme.app.operator().post(&leave, json!({})).await.refused(403, "forbidden");
    let (_, bobs) = acme.member("bob", "reader", None).await;
    let invites = format!("{}/invites", acme.path);
    let (_, adas) = acme.member("ada", "admin", None).await;
    let invite = adas.post(&invites, json!({"email": "eve@example.com"})).await.ok();
    bobs.post(&leave, json!({})).await.ok();
    bobs.post(&leave, json!({})).await.refused(401, "unauthorized");
    // What Ada has offered goes with her.
    adas.post(&leave, json!({})).await.ok();
    let accept = format!("{invites}/{}/accept", invite["invite_id"].as_str().expect("an id"));
    let eve = acme.app.first().presenting(&invite);
    eve.post(&accept, json!({"login": "eve"})).await.refused(401, "unauthorized");
    assert_eq!(acme.app.count("member.removed").await, 2);
}

/// A key that is for less than its owner may do is no way to throw the owner out.
#[tokio::test]
async fn nobody_leaves_with_a_limited_key() {
    let acme = Acme::new().await;
    let leave = format!("{}/leave", acme.path);
    let scopes = ["organization.read", "usage.read"];
    let (ada, adas) = acme.member("ada", "admin", Some(&scopes)).await;
    adas.post(&leave, json!({})).await.refused(403, "forbidden");
    adas.delete(&format!("{}/members/{ada}", acme.path)).await.refused(403, "forbidden");
    let project = acme.app.project(&acme.organization, "alpha").await;
    let place = format!("{}/projects/{project}/members/{ada}", acme.path);
    acme.olga.put(&place, json!({"role": "owner"})).await.ok();
    let key = acme.app.api_key(&acme.organization, &project, ("member_id", &ada)).await;
    let confined = acme.app.first().presenting(&key);
    confined.post(&leave, json!({})).await.refused(403, "forbidden");
    let account = acme.app.service_account(&acme.organization, &project).await;
    let key =
        acme.app.api_key(&acme.organization, &project, ("service_account_id", &account)).await;
    let robot = acme.app.first().presenting(&key);
    robot.post(&leave, json!({})).await.refused(403, "forbidden");
    assert_eq!(acme.app.count("member.removed").await, 0);
}

#[tokio::test]
async fn ownership_is_handed_on_by_an_owner() {
    let acme = Acme::new().await;
    let (ada, adas) = acme.app.joined(&acme.organization, "ada", "admin").await;
    let (_, known_to_olga) = acme.key_of(&ada).await;
    let (bob, _) = acme.member("bob", "member", None).await;
    let transfer = |member: &str| format!("{}/members/{member}/transfer-ownership", acme.path);
    adas.post(&transfer(&bob), json!({})).await.refused(403, "forbidden");
    acme.app.let_operator_in(&acme.organization).await;
    acme.app.operator().post(&transfer(&bob), json!({})).await.refused(403, "forbidden");
    let suspend = format!("{}/members/{bob}/suspend", acme.path);
    acme.olga.post(&suspend, json!({})).await.ok();
    acme.olga.post(&transfer(&bob), json!({})).await.refused(409, "member-suspended");
    acme.olga.post(&transfer(&ada), json!({})).await.ok();
    // Olga is an admin now, and the owner is above her.
    let demote = format!("{}/members/{ada}/role", acme.path);
    acme.olga.put(&demote, json!({"role": "member"})).await.refused(403, "member-above-own");
    acme.olga.post(&transfer(&ada), json!({})).await.refused(403, "forbidden");
    let security = format!("{}/security", acme.path);
    adas.replace(&security, json!({"approvals": []})).await.ok();
    // Nor does she own by a key that she has made for the owner.
    known_to_olga.replace(&security, json!({"approvals": []})).await.refused(403, "forbidden");
}

#[tokio::test]
async fn all_keys_of_a_member_are_revoked_together() {
    let acme = Acme::new().await;
    let (ada, adas) = acme.member("ada", "admin", None).await;
    let alpha = acme.app.project(&acme.organization, "alpha").await;
    let key = async |login: &str| {
        acme.app.api_key(&acme.organization, &alpha, ("member_id", login)).await
    };
    let (first, second) = (key(&ada).await, key(&ada).await);
    let (bob, bobs) = acme.member("bob", "member", None).await;
    let place = format!("{}/projects/{alpha}/members/{bob}", acme.path);
    acme.olga.put(&place, json!({"role": "member"})).await.ok();
    let one =
        format!("{}/api-keys/{}/revoke", acme.path, first["api_key_id"].as_str().expect("an id"));
    acme.olga.post(&one, json!({})).await.ok();
    let revoke = |member: &str| format!("{}/members/{member}/api-keys/revoke", acme.path);
    bobs.post(&revoke(&ada), json!({})).await.refused(403, "forbidden");
    let before = acme.app.head().await;
    let revoked = acme.olga.post(&revoke(&ada), json!({"reason": "a lost laptop"})).await.ok();
    // The admin key and the second one, in one append; the first was revoked before.
    assert_eq!((&revoked["revoked"], acme.app.head().await), (&json!(2), before + 2));
    adas.post(&format!("{}/leave", acme.path), json!({})).await.refused(401, "unauthorized");
    let rename = format!("{}/projects/{alpha}", acme.path);
    let with_second = acme.app.first().presenting(&second);
    with_second.patch(&rename, json!({"name": "x"})).await.refused(401, "unauthorized");
    let again = acme.olga.post(&revoke(&ada), json!({})).await.ok();
    assert_eq!(again["revoked"], 0);
    // Anybody may with their own: the key that asks is one of them.
    let own = bobs.post(&revoke(&bob), json!({})).await.ok();
    assert_eq!(own["revoked"], 1);
    bobs.post(&revoke(&bob), json!({})).await.refused(401, "unauthorized");
    let nobody = revoke("00000000-0000-7000-8000-000000000009");
    acme.olga.post(&nobody, json!({})).await.refused(404, "not-found");
}

#[tokio::test]
async fn an_admin_does_not_revoke_an_owners_keys() {
    let acme = Acme::new().await;
    let (_, adas) = acme.member("ada", "admin", None).await;
    let (owner, _) = acme.member("otto", "owner", None).await;
    let path = format!("{}/members/{owner}/api-keys/revoke", acme.path);
    adas.post(&path, json!({})).await.refused(403, "member-above-own");
    assert_eq!(acme.app.count("api_key.revoked").await, 0);
}

#[tokio::test]
async fn all_keys_of_a_project_are_revoked_together() {
    let acme = Acme::new().await;
    let alpha = acme.app.project(&acme.organization, "alpha").await;
    let beta = acme.app.project(&acme.organization, "beta").await;
    let ada = acme.app.member(&acme.organization, "ada", "member").await;
    let account = acme.app.service_account(&acme.organization, &alpha).await;
    let organization = acme.organization.as_str();
    acme.app.api_key(organization, &alpha, ("member_id", &ada)).await;
    acme.app.api_key(organization, &alpha, ("service_account_id", &account)).await;
    let other = acme.app.api_key(organization, &beta, ("member_id", &ada)).await;
    let revoke = |project: &str| format!("{}/projects/{project}/api-keys/revoke", acme.path);
    let revoked = acme.olga.post(&revoke(&alpha), json!({})).await.ok();
    assert_eq!(revoked["revoked"], 2);
    let rename = format!("{}/projects/{beta}", acme.path);
    let kept = acme.app.first().presenting(&other);
    kept.patch(&rename, json!({"name": "x"})).await.refused(404, "not-found");
    let theirs = acme.app.project(&acme.app.organization().await, "theirs").await;
    acme.olga.post(&revoke(&theirs), json!({})).await.refused(404, "not-found");
}
