//! `/v1/organizations/{organization_id}/invites`

use serde_json::json;

use super::groups::Acme;
use crate::support::App;

#[tokio::test]
async fn an_invite_becomes_a_member_with_its_projects() {
    let app = App::new().await;
    let operator = app.admin();
    let organization = app.organization().await;
    let alpha = app.project(&organization, "alpha").await;
    let beta = app.project(&organization, "beta").await;
    let invites = format!("/v1/organizations/{organization}/invites");
    let invite = json!({"email": "eve@example.com", "role": "member", "projects": [
        {"project_id": alpha, "role": "member"}, {"project_id": beta, "role": "owner"}]});
    let sent = operator.post(&invites, invite.clone()).await.ok();
    let invite_id = sent["invite_id"].as_str().expect("an id");
    let open = operator.post(&invites, invite).await.refused(409, "invite-already-open");
    assert_eq!(open["invite_id"], invite_id);
    // What was archived meanwhile gives no access any more.
    let archive = format!("/v1/organizations/{organization}/projects/{beta}/archive");
    operator.post(&archive, json!({})).await.ok();
    let accept = format!("{invites}/{invite_id}/accept");
    // Whoever runs orgledger cannot join in somebody's place.
    operator.post(&accept, json!({"login": "eve"})).await.refused(404, "not-found");
    let member = app.accept(&organization, &sent, "eve").await.id("member_id");
    assert_eq!(app.count("project_member.assigned").await, 1);
    app.accept(&organization, &sent, "eve2").await.refused(401, "unauthorized");
    let revoke = format!("{invites}/{invite_id}/revoke");
    operator.post(&revoke, json!({})).await.refused(409, "invite-already-accepted");
    let again = json!({"email": "EVE@example.com", "role": "member"});
    operator.post(&invites, again).await.refused_field(409, "already-member", "email");
    assert!(!member.is_empty());
}

#[tokio::test]
async fn an_invite_is_taken_back() {
    let app = App::new().await;
    let operator = app.admin();
    let organization = app.organization().await;
    let invites = format!("/v1/organizations/{organization}/invites");
    let invite = json!({"email": "eve@example.com", "role": "member"});
    let sent = operator.post(&invites, invite.clone()).await.ok();
    let invite_id = sent["invite_id"].as_str().expect("an id");
    let revoke = format!("{invites}/{invite_id}/revoke");
    operator.post(&revoke, json!({})).await.ok();
    operator.post(&revoke, json!({})).await.ok();
    app.accept(&organization, &sent, "eve").await.refused(401, "unauthorized");
    operator.post(&invites, invite).await.ok();
}

#[tokio::test]
async fn wrong_values_are_named() {
    let app = App::new().await;
    let operator = app.admin();
    let organization = app.organization().await;
    let invites = format!("/v1/organizations/{organization}/invites");
    let with = |field: &str, value: serde_json::Value| {
        let mut invite = json!({"email": "eve@example.com", "role": "member"});
        invite[field] = value;
        invite
    };
    let past = operator.post(&invites, with("expires_at", json!("2020-01-01T00:00:00Z"))).await;
    past.refused_field(422, "expiry-in-the-past", "expires_at");
    // A read model could not store it.
    let far = operator.post(&invites, with("expires_at", json!("+20000-01-01T00:00:00Z"))).await;
    far.refused_field(422, "invalid-value", "expires_at");
    let time = operator.post(&invites, with("expires_at", json!("tomorrow"))).await;
    time.refused_field(400, "invalid-request", "expires_at");
    let mut project = json!({"project_id": "x", "role": "member"});
    let id = operator.post(&invites, with("projects", json!([project]))).await;
    id.refused_field(400, "invalid-request", "projects[0].project_id");
    project["project_id"] = json!("00000000-0000-7000-8000-000000000000");
    let many = operator.post(&invites, with("projects", json!(vec![&project; 101]))).await;
    many.refused_field(422, "invalid-value", "projects");
    operator.post(&invites, with("projects", json!([project]))).await.refused(404, "not-found");
}

/// Ben owns a project when he invites; what he offers there counts as long as he could offer it.
#[tokio::test]
async fn an_invite_gives_no_project_role_that_who_sent_it_could_not_give_any_more() {
    let acme = Acme::new().await;
    let Acme { app, path, organization, olga } = &acme;
    let project = app.project(organization, "alpha").await;
    let (ben, bens) = app.joined(organization, "ben", "member").await;
    let inviting = json!({"name": "Inviting", "permissions": ["members.invite"]});
    let role = olga.post(&format!("{path}/roles"), inviting).await.id("role_id");
    let grants = format!("{path}/roles/{role}/grants");
    olga.post(&grants, json!({"member_id": ben})).await.ok();
    let place = format!("{path}/projects/{project}/members/{ben}");
    let gets = async |role: &str| olga.put(&place, json!({ "role": role })).await.ok();
    gets("owner").await;
    let invite = json!({"email": "eve@example.com",
        "projects": [{"project_id": project, "role": "owner"}]});
    let sent = bens.post(&format!("{path}/invites"), invite).await.ok();
    gets("member").await;
    let members = app.count("member.added").await;
    app.accept(organization, &sent, "eve").await.refused(409, "invite-not-offered");
    olga.delete(&place).await.ok();
    app.accept(organization, &sent, "eve").await.refused(409, "invite-not-offered");
    assert_eq!(app.count("member.added").await, members);
    gets("owner").await;
    app.accept(organization, &sent, "eve").await.id("member_id");
}
