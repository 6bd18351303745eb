//! `/v1/organizations/{organization_id}/invites/bulk` and `…/resend`

use axum::http::Method;
use serde_json::{Value, json};

use super::groups::Acme;
use crate::support::Reply;

async fn send(acme: &Acme, key: &str, invites: &Value) -> Reply {
    let path = format!("{}/invites/bulk", acme.path);
    acme.olga.ask(Method::POST, &path).key(key).json(&json!({ "invites": invites })).await
}

/// What became of each: `sent`, or why not.
fn results(body: &Value) -> Vec<String> {
    let invites = body["invites"].as_array().expect("a list").iter();
    let result = |invite: &Value| match invite["result"].as_str() {
        Some("refused") => invite["problem"]["type"].as_str().expect("a type").to_owned(),
        sent => sent.expect("a result").to_owned(),
    };
    invites.map(result).collect()
}

#[tokio::test]
async fn each_invite_is_sent_or_refused_by_itself() {
    let acme = Acme::new().await;
    let other = acme.app.organization().await;
    let theirs = acme.app.project(&other, "theirs").await;
    let invites = json!([
        {"email": "a@example.com"},
        {"email": "nobody"},
        {"email": "A@example.com", "role": "admin"},
        {"email": "b@example.com", "projects": [{"project_id": theirs, "role": "member"}]},
        {"email": "c@example.com", "expires_at": "2020-01-01T00:00:00Z"},
        {"email": "d@example.com", "role": "owner"},
    ]);
    let sent = send(&acme, "k", &invites).await;
    assert_eq!(sent.header("cache-control"), "no-store");
    let sent = sent.ok();
    let expected = [
        "sent",
        "/problems/invalid-value",
        "/problems/invite-already-open",
        "/problems/not-found",
        "/problems/expiry-in-the-past",
        "sent",
    ];
    assert_eq!(results(&sent), expected);
    assert_eq!(sent["invites"][1]["problem"]["field"], "email");
    assert_eq!(acme.app.count("invite.sent").await, 2);
    // Each token accepts its own invite, and no other.
    let tokens: Vec<_> = [0, 5].map(|n| acme.app.first().presenting(&sent["invites"][n])).into();
    let accept = |n: usize| {
        let id = sent["invites"][n]["invite_id"].as_str().expect("an id");
        format!("{}/invites/{id}/accept", acme.path)
    };
    tokens[0].post(&accept(5), json!({"login": "a"})).await.refused(401, "unauthorized");
    tokens[0].post(&accept(0), json!({"login": "a"})).await.ok();
    tokens[1].post(&accept(5), json!({"login": "d"})).await.ok();
}

#[tokio::test]
async fn sent_again_it_is_the_same_without_tokens() {
    let acme = Acme::new().await;
    let invites =
        json!([{"email": "a@example.com"}, {"email": "nobody"}, {"email": "b@example.com"}]);
    let first = send(&acme, "k", &invites).await.ok();
    let sent = acme.app.count("invite.sent").await;
    let again = send(&acme, "k", &invites).await;
    assert!(again.is_replayed(), "{again:?}");
    let again = again.ok();
    let mut without = first.clone();
    for invite in without["invites"].as_array_mut().expect("a list") {
        invite.as_object_mut().expect("an object").remove("secret");
    }
    assert_ne!(first, without, "the first time there were tokens");
    assert_eq!(again, without);
    let other = json!([{"email": "a@example.com"}, {"email": "nobody"}, {"email": "b@example.com"},
        {"email": "c@example.com"}]);
    send(&acme, "k", &other).await.refused(422, "idempotency-key-reused");
    assert_eq!(acme.app.count("invite.sent").await, sent, "nothing more was sent");
    // Where all are refused, that is the answer for good.
    let none = json!([{"email": "a@example.com"}]);
    let refused = send(&acme, "l", &none).await.ok();
    assert_eq!(results(&refused), ["/problems/invite-already-open"]);
    assert!(send(&acme, "l", &none).await.is_replayed());
}

#[tokio::test]
async fn what_stands_against_all_is_said_of_the_request() {
    let acme = Acme::new().await;
    let invite = json!({"email": "a@example.com"});
    send(&acme, "none", &json!([])).await.refused_field(422, "invalid-value", "invites");
    let invites: Vec<Value> =
        (0..501).map(|n| json!({"email": format!("a{n}@example.com")})).collect();
    send(&acme, "many", &json!(invites)).await.refused_field(422, "invalid-value", "invites");
    let (_, ruths) = acme.member("ruth", "reader", None).await;
    let path = format!("{}/invites/bulk", acme.path);
    let refused = ruths.post(&path, json!({"invites": [invite]})).await.refused(403, "forbidden");
    assert_eq!(refused["permission"], "members.invite");
    let wrong =
        acme.olga.post(&path, json!({"invites": [invite, {"mail": "b@example.com"}]})).await;
    wrong.refused_field(400, "invalid-request", "invites[1].mail");
    assert_eq!(acme.app.count("invite.sent").await, 0);
    let most = send(&acme, "most", &json!(invites[..500])).await.ok();
    assert!(results(&most).iter().all(|result| result == "sent"));
}

#[tokio::test]
async fn seats_are_given_until_there_are_none() {
    let acme = Acme::new().await;
    acme.olga.patch(&acme.path, json!({"seat_limit": 3})).await.ok();
    let invites = json!([{"email": "a@example.com"}, {"email": "b@example.com"},
        {"email": "c@example.com"}]);
    let sent = send(&acme, "k", &invites).await.ok();
    assert_eq!(results(&sent), ["sent", "sent", "/problems/seat-limit-reached"]);
}

#[tokio::test]
async fn sent_again_an_invite_has_another_token() {
    let acme = Acme::new().await;
    let invites = format!("{}/invites", acme.path);
    let first = acme.olga.post(&invites, json!({"email": "eve@example.com"})).await.ok();
    let invite = format!("{invites}/{}", first["invite_id"].as_str().expect("an id"));
    let resend = format!("{invite}/resend");
    let past = acme.olga.post(&resend, json!({"expires_at": "2020-01-01T00:00:00Z"})).await;
    past.refused_field(422, "expiry-in-the-past", "expires_at");
    let second = acme.olga.post(&resend, json!({})).await.ok();
    assert_ne!(first["secret"], second["secret"]);
    assert_eq!(first["invite_id"], second["invite_id"]);
    let accept = format!("{invite}/accept");
    let with = |sent: &Value| acme.app.first().presenting(sent);
    with(&first).post(&accept, json!({"login": "eve"})).await.refused(401, "unauthorized");
    with(&second).post(&accept, json!({"login": "eve"})).await.ok();
    acme.olga.post(&resend, json!({})).await.refused(409, "invite-already-accepted");
}

/// Who sends an invite again gets its token, and could accept it.
#[tokio::test]
async fn nobody_sends_again_what_they_could_not_offer() {
    let acme = Acme::new().await;
    let project = acme.app.project(&acme.organization, "alpha").await;
    let invites = format!("{}/invites", acme.path);
    let invite = async |email: &str, role: &str, projects: Value| {
        let body = json!({"email": email, "role": role, "projects": projects});
        let id = acme.olga.post(&invites, body).await.id("invite_id");
        format!("{invites}/{id}/resend")
    };
    let (_, adas) = acme.member("ada", "admin", None).await;
    let (_, ivos) =
        acme.member("ivo", "admin", Some(&["members.invite", "organization.read"])).await;
    let owner = invite("a@example.com", "owner", json!([])).await;
    adas.post(&owner, json!({})).await.refused(403, "role-above-own");
    let with_project = json!([{"project_id": project, "role": "owner"}]);
    let member = invite("b@example.com", "member", with_project).await;
    adas.post(&member, json!({})).await.ok();
    ivos.post(&member, json!({})).await.refused(403, "forbidden");
    acme.olga.post(&format!("{}/projects/{project}/archive", acme.path), json!({})).await.ok();
    ivos.post(&member, json!({})).await.ok();
}
