//! From an invite to a credential of one's own, and what that opens.

use axum::http::Method;
use embedded::testing::unique_name;
use serde_json::{Value, json};

use crate::support::{App, Client};

fn path(organization: &str, rest: &str) -> String {
    format!("/v1/organizations/{organization}{rest}")
}

fn invite_path(organization: &str, invite: &Value, verb: &str) -> String {
    let id = invite["invite_id"].as_str().expect("an id");
    path(organization, &format!("/invites/{id}/{verb}"))
}

/// A key made by somebody, as it is answered.
async fn key(by: &Client, organization: &str, mut body: Value) -> Value {
    body["name"] = json!(unique_name());
    by.post(&path(organization, "/api-keys"), body).await.ok()
}

#[tokio::test]
async fn who_is_invited_joins_with_the_token_and_acts_with_their_own_key() {
    let app = App::new().await;
    let organization = app.organization().await;
    let (_, admin) = app.joined(&organization, "ada", "admin").await;
    let project = admin.post(&path(&organization, "/projects"), json!({"name": "chat"})).await;
    let project = project.id("project_id");
    let invite = json!({"email": "eve@example.com",
        "projects": [{"project_id": project, "role": "owner"}]});
    let invite = admin.post(&path(&organization, "/invites"), invite).await.ok();
    let token = invite["secret"].as_str().expect("shown once");
    assert!(token.starts_with("oli_"), "{token}");
    let accepted = app.accept(&organization, &invite, "eve").await;
    assert_eq!(accepted.header("cache-control"), "no-store");
    let accepted = accepted.ok();
    let eve = app.stranger(accepted["secret"].as_str());
    // What she may in her project, and in the organization nothing.
    let renamed = path(&organization, &format!("/projects/{project}"));
    eve.patch(&renamed, json!({"name": "talk"})).await.ok();
    let refused = eve.post(&path(&organization, "/projects"), json!({"name": "mine"})).await;
    assert_eq!(refused.refused(403, "forbidden")["permission"], "projects.create");
    // Her doing is hers, and the joining is the invite's.
    let actors: Vec<(String, String)> = sqlx::query_as(
        "select event_type, (metadata::jsonb ->> 'actor_kind') || ':' || (metadata::jsonb ->> 'actor_id')
         from log.events where event_type in ('invite.accepted', 'project.updated')
         order by position desc limit 2",
    )
    .fetch_all(app.pool())
    .await
    .expect("the log answers");
    let member = accepted["member_id"].as_str().expect("an id");
    let invite_id = invite["invite_id"].as_str().expect("an id");
    let expected = [
        ("project.updated".to_owned(), format!("member:{member}")),
        ("invite.accepted".to_owned(), format!("invite:{invite_id}")),
    ];
    assert_eq!(actors, expected);
    // She leaves, and the key is worth nothing.
    eve.delete(&path(&organization, &format!("/members/{member}"))).await.ok();
    eve.patch(&renamed, json!({"name": "x"})).await.refused(401, "unauthorized");
}

#[tokio::test]
async fn a_token_is_good_for_its_own_open_invite_alone() {
    let app = App::new().await;
    let organization = app.organization().await;
    let elsewhere = app.organization().await;
    let operator = app.admin();
    let bob = app.invite(&organization, "bob@example.com", "member").await;
    let eve = app.invite(&organization, "eve@example.com", "member").await;
    let (_, admin) = app.joined(&organization, "ada", "admin").await;
    let before = app.changes().await;
    let accept_with = async |token: &Value, organization: &str, invite: &Value| {
        let client = app.stranger(token["secret"].as_str());
        let login = json!({"login": unique_name()});
        client.post(&invite_path(organization, invite, "accept"), login).await
    };
    // Of another invite, and in another organization.
    accept_with(&eve, &organization, &bob).await.refused(401, "unauthorized");
    accept_with(&bob, &elsewhere, &bob).await.refused(401, "unauthorized");
    // For nothing else than accepting.
    let client = app.stranger(bob["secret"].as_str());
    let add = path(&organization, "/members");
    client.post(&add, json!({"login": "mallory"})).await.refused(401, "unauthorized");
    let revoke = invite_path(&organization, &bob, "revoke");
    client.post(&revoke, json!({})).await.refused(404, "not-found");
    // No credential of somebody else accepts.
    let accept = invite_path(&organization, &bob, "accept");
    admin.post(&accept, json!({"login": "x"})).await.refused(404, "not-found");
    assert_eq!(app.changes().await, before, "nothing was changed");
    // Not once it was revoked, or used.
    operator.post(&invite_path(&organization, &eve, "revoke"), json!({})).await.ok();
    accept_with(&eve, &organization, &eve).await.refused(401, "unauthorized");
    accept_with(&bob, &organization, &bob).await.id("member_id");
    accept_with(&bob, &organization, &bob).await.refused(401, "unauthorized");
}

#[tokio::test]
async fn a_token_past_its_time_is_worth_nothing_though_nobody_has_recorded_that() {
    let app = App::new().await;
    let organization = app.organization().await;
    let soon = event_log::clock::now() + chrono::Duration::milliseconds(400);
    let invite = json!({"email": "bob@example.com", "role": "member", "expires_at": soon});
    let invite = app.admin().post(&path(&organization, "/invites"), invite).await.ok();
    while event_log::clock::now() <= soon {
        tokio::task::yield_now().await;
    }
    app.accept(&organization, &invite, "bob").await.refused(401, "unauthorized");
    assert_eq!(app.count("invite.expired").await, 0);
}

#[tokio::test]
async fn an_acceptance_sent_again_makes_nothing_again() {
    let app = App::new().await;
    let organization = app.organization().await;
    let invite = app.invite(&organization, "bob@example.com", "member").await;
    let client = app.stranger(invite["secret"].as_str());
    let accept = invite_path(&organization, &invite, "accept");
    let ask = async |login: &str| {
        client.ask(Method::POST, &accept).key("once").json(&json!({"login": login})).await
    };
    // A refusal leaves the token as it was.
    app.member(&organization, "bob", "member").await;
    ask("bob").await.refused_field(409, "login-taken", "login");
    ask("bobby").await.id("member_id");
    // The token has been used: to whoever has it, what came of it is not told again.
    ask("bobby").await.refused(401, "unauthorized");
    assert_eq!(app.count("invite.accepted").await, 1);
    assert_eq!(app.count("api_key.created").await, 2, "with the owner's");
}

#[tokio::test]
async fn a_key_opens_no_more_than_its_scopes() {
    let app = App::new().await;
    let organization = app.organization().await;
    let (ada, owner) = app.joined(&organization, "ada", "owner").await;
    let scopes = json!(["members.invite", "organization.read", "api_keys.own"]);
    let made = key(&owner, &organization, json!({"member_id": ada, "scopes": scopes})).await;
    let inviter = app.stranger(made["secret"].as_str());
    let invites = path(&organization, "/invites");
    let invite = |email: &str, role: &str| json!({"email": email, "role": role});
    inviter.post(&invites, invite("a@example.com", "member")).await.ok();
    // Its owner could; but who finds the key would be an owner then.
    let above = inviter.post(&invites, invite("b@example.com", "owner")).await;
    above.refused(403, "permission-above-own");
    let refused = inviter.post(&path(&organization, "/projects"), json!({"name": "x"})).await;
    assert_eq!(refused.refused(403, "forbidden")["permission"], "projects.create");
    // Nor does it make a key that opens more, or leave for its owner.
    let keys = path(&organization, "/api-keys");
    let wider = json!({"member_id": ada, "name": "wider"});
    inviter.post(&keys, wider).await.refused(403, "permission-above-own");
    let same = json!({"member_id": ada, "name": "same", "scopes": ["members.invite"]});
    inviter.post(&keys, same).await.ok();
    let myself = path(&organization, &format!("/members/{ada}"));
    assert_eq!(
        inviter.delete(&myself).await.refused(403, "forbidden")["permission"],
        "members.remove"
    );
}

#[tokio::test]
async fn nobody_has_a_key_of_a_member_who_may_do_more() {
    let app = App::new().await;
    let organization = app.organization().await;
    let (ada, owner) = app.joined(&organization, "ada", "owner").await;
    let (ben, admin) = app.joined(&organization, "ben", "admin").await;
    let (cyd, billing) = app.joined(&organization, "cyd", "billing").await;
    let (_, member) = app.joined(&organization, "dan", "member").await;
    let keys = path(&organization, "/api-keys");
    let body = |of: &str| json!({"member_id": of, "name": unique_name()});
    admin.post(&keys, body(&ada)).await.refused(403, "member-above-own");
    // Of no higher rank, but with permissions that an admin does not have.
    let credits = admin.post(&keys, body(&cyd)).await.refused(403, "permission-above-own");
    assert_eq!(credits["permission"], "credits.update");
    let narrow = json!({"member_id": cyd, "name": "narrow", "scopes": ["usage.read"]});
    admin.post(&keys, narrow).await.ok();
    owner.post(&keys, body(&ben)).await.ok();
    for (who, name) in [(&billing, "billing"), (&member, "member")] {
        let refused = who.post(&keys, body(&ben)).await.refused(403, "forbidden");
        assert_eq!(refused["permission"], "api_keys.update", "{name}");
    }
    // An owner's key is not an admin's to rotate, and with that to have.
    let of_ada = key(&owner, &organization, json!({"member_id": ada})).await;
    let id = of_ada["api_key_id"].as_str().expect("an id");
    let rotate = path(&organization, &format!("/api-keys/{id}/rotate"));
    admin.post(&rotate, json!({})).await.refused(403, "member-above-own");
    owner.post(&rotate, json!({})).await.ok();
    // A leaked key of somebody with other permissions can be ended, not had.
    let of_cyd = key(&owner, &organization, json!({"member_id": cyd})).await;
    let id = of_cyd["api_key_id"].as_str().expect("an id");
    let on = |verb: &str| path(&organization, &format!("/api-keys/{id}/{verb}"));
    admin.post(&on("rotate"), json!({})).await.refused(403, "permission-above-own");
    admin.post(&on("revoke"), json!({})).await.ok();
}

#[tokio::test]
async fn who_lost_the_answer_to_accepting_is_told_what_to_do() {
    let app = App::new().await;
    let organization = app.organization().await;
    let invite = app.invite(&organization, "eve@example.com", "member").await;
    app.accept(&organization, &invite, "eve").await.ok();
    let detail = |reply: crate::support::Reply| {
        let body = reply.refused(401, "unauthorized");
        body["detail"].as_str().expect("a text").to_owned()
    };
    // Another process has heard of it from the log.
    let there = app.process().await.presenting(&invite);
    let accept = invite_path(&organization, &invite, "accept");
    for client in [app.stranger(invite["secret"].as_str()), there] {
        let told = detail(client.post(&accept, json!({"login": "eve"})).await);
        assert!(told.contains("has been accepted") && told.contains("api-keys create"), "{told}");
    }
    // Who does not hold its token learns nothing, of this invite or of another.
    let revoked = app.invite(&organization, "dan@example.com", "member").await;
    app.admin().post(&invite_path(&organization, &revoked, "revoke"), json!({})).await.ok();
    let holder = app.stranger(revoked["secret"].as_str());
    let unknown = detail(app.stranger(Some("nothing")).post(&accept, json!({"login": "x"})).await);
    assert_eq!(detail(holder.post(&accept, json!({"login": "x"})).await), unknown);
    let revoked = invite_path(&organization, &revoked, "accept");
    assert_eq!(detail(holder.post(&revoked, json!({"login": "x"})).await), unknown);
    let elsewhere = app.organization().await;
    let elsewhere = invite_path(&elsewhere, &invite, "accept");
    let client = app.stranger(invite["secret"].as_str());
    assert_eq!(detail(client.post(&elsewhere, json!({"login": "x"})).await), unknown);
}
