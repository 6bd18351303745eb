//! API keys as credentials: what they open, and that they end at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::Method;
use embedded::testing::unique_name;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{App, Client, Process};

/// An organization with two projects, and people in the first.
struct World {
    app: App,
    organization: String,
    project: String,
    other_project: String,
}

impl World {
    async fn new() -> Self {
        let app = App::new().await;
        let organization = app.organization().await;
        let project = app.project(&organization, "alpha").await;
        let other_project = app.project(&organization, "beta").await;
        Self { app, organization, project, other_project }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/organizations/{}{rest}", self.organization)
    }

    /// A member of the project with a key of theirs, and who presents it.
    async fn member(&self, role: &str, project_role: &str) -> (String, Value, Client) {
        let member = self.app.member(&self.organization, &unique_name(), role).await;
        let path = self.path(&format!("/projects/{}/members/{member}", self.project));
        self.app.admin().put(&path, json!({"role": project_role})).await.ok();
        let owner = ("member_id", member.as_str());
        let key = self.app.api_key(&self.organization, &self.project, owner).await;
        let client = self.presenting(&key);
        (member, key, client)
    }

    fn presenting(&self, key: &Value) -> Client {
        self.app.stranger(key["secret"].as_str())
    }

    /// Records usage in a project.
    async fn record(&self, client: &Client, project: &str) -> (u16, Value) {
        let record = json!({"project_id": project, "provider": "openai", "model": "gpt-4o",
            "request_id": unique_name(), "occurred_at": "2026-05-01T12:00:00Z",
            "input_tokens": 1});
        let reply = client.post(&self.path("/usage"), json!({"records": [record]})).await;
        (reply.status.as_u16(), reply.body["records"][0].clone())
    }

    async fn accepts(&self, client: &Client) -> bool {
        let (status, record) = self.record(client, &self.project).await;
        assert!(matches!(status, 200 | 401), "{status}");
        assert_eq!(status == 200, record["fate"] == "recorded", "{record}");
        status == 200
    }
}

#[tokio::test]
async fn a_key_opens_its_project_and_nothing_else() {
    let world = World::new().await;
    let (_, _, client) = world.member("owner", "member").await;
    assert!(world.accepts(&client).await);
    let (status, record) = world.record(&client, &world.other_project).await;
    assert_eq!((status, &record["fate"]), (200, &json!("invalid")), "{record}");
    assert_eq!(record["field"], "project_id");
    // An owner's key is still a project's key.
    let refused = client.post(&world.path("/projects"), json!({"name": "gamma"})).await;
    assert_eq!(refused.refused(403, "forbidden")["permission"], "projects.create");
    let other = world.path(&format!("/projects/{}", world.other_project));
    client.patch(&other, json!({"name": "x"})).await.refused(404, "not-found");
    let elsewhere = world.app.organization().await;
    let name = json!({"name": "x"});
    client
        .post(&format!("/v1/organizations/{elsewhere}/projects"), name.clone())
        .await
        .refused(404, "not-found");
    client.post("/v1/organizations", name).await.refused(403, "forbidden");
    // What it did is on record as its owner's doing.
    let actors: Vec<String> = sqlx::query_scalar("select distinct actor from log.usage_batches")
        .fetch_all(world.app.pool())
        .await
        .expect("the log answers");
    assert!(actors.len() == 1 && actors[0].starts_with("member:"), "{actors:?}");
}

#[tokio::test]
async fn a_service_accounts_key_records_usage_and_changes_nothing() {
    let world = World::new().await;
    let account = world.app.service_account(&world.organization, &world.project).await;
    let owner = ("service_account_id", account.as_str());
    let key = world.app.api_key(&world.organization, &world.project, owner).await;
    let client = world.presenting(&key);
    assert!(world.accepts(&client).await);
    let project = world.path(&format!("/projects/{}", world.project));
    let refused = client.patch(&project, json!({"name": "x"})).await;
    assert_eq!(refused.refused(403, "forbidden")["permission"], "projects.update");
    let disable = world.path(&format!("/service-accounts/{account}/disable"));
    client.post(&disable, json!({})).await.refused(403, "forbidden");
    world.app.admin().post(&disable, json!({})).await.ok();
    assert!(!world.accepts(&client).await, "it was disabled");
}

#[tokio::test]
async fn what_is_not_a_key_is_unknown() {
    let world = World::new().await;
    let (_, key, _) = world.member("member", "member").await;
    let secret = key["secret"].as_str().expect("shown once");
    let stranger = "olk_any_0123456789012345678901234567890123456789012000000";
    let cut = &secret[..secret.len() - 1];
    let changed = format!("{cut}{}", if secret.ends_with('x') { 'y' } else { 'x' });
    let redacted = key["redacted"].as_str().expect("shown always");
    for wrong in ["olk_", stranger, cut, &changed, redacted, &secret.to_uppercase(), "' or 1=1"] {
        let refused = world.app.stranger(Some(wrong)).post("/v1/organizations", json!({})).await;
        let body = refused.refused(401, "unauthorized").to_string();
        assert!(!body.contains(wrong), "{body}");
    }
}

#[tokio::test]
async fn who_signs_in_is_told_to_name_an_organization() {
    let app = App::new().await;
    let told = async |credential: &str| {
        let asked = app.stranger(Some(credential)).post("/v1/organizations", json!({})).await;
        let refused = asked.refused(401, "unauthorized");
        refused["detail"].as_str().expect("a text").to_owned()
    };
    assert!(told("e30.e30.AA").await.contains("/v1/organizations/{organization_id}"));
    assert!(!told("nobody").await.contains("organization_id"));
}

#[tokio::test]
async fn whatever_ends_a_keys_access_ends_it_on_the_next_request_everywhere() {
    let world = World::new().await;
    let operator = world.app.admin();
    let there = world.app.process().await;
    for ending in ["revoke", "rotate", "suspend", "remove", "archive"] {
        let (member, key, here) = world.member("member", "member").await;
        let elsewhere = there.presenting(&key);
        assert!(world.accepts(&here).await && world.accepts(&elsewhere).await, "{ending}");
        let id = key["api_key_id"].as_str().expect("an id");
        let (path, body) = match ending {
            "revoke" => (format!("/api-keys/{id}/revoke"), json!({})),
            "rotate" => (format!("/api-keys/{id}/rotate"), json!({"grace_seconds": 0})),
            "suspend" => (format!("/members/{member}/suspend"), json!({})),
            _ => ("/archive".to_owned(), json!({})),
        };
        let ended = if ending == "remove" {
            operator.delete(&world.path(&format!("/members/{member}"))).await.ok()
        } else {
            operator.post(&world.path(&path), body).await.ok()
        };
        assert!(!world.accepts(&elsewhere).await, "{ending}: the other process");
        assert!(!world.accepts(&here).await, "{ending}: this process");
        if ending == "rotate" {
            assert!(world.accepts(&there.presenting(&ended)).await, "the new secret");
        }
    }
}

#[tokio::test]
async fn a_rotated_keys_old_secret_is_accepted_in_its_grace() {
    let world = World::new().await;
    let (_, key, old) = world.member("member", "member").await;
    let rotate = world.path(&format!("/api-keys/{}/rotate", key["api_key_id"].as_str().unwrap()));
    let rotated = world.app.admin().post(&rotate, json!({"grace_seconds": 3600})).await.ok();
    let new = world.presenting(&rotated);
    assert!(world.accepts(&old).await && world.accepts(&new).await);
    let again = world.app.admin().post(&rotate, json!({"grace_seconds": 3600})).await.ok();
    assert!(!world.accepts(&old).await, "two rotations ago");
    assert!(world.accepts(&new).await && world.accepts(&world.presenting(&again)).await);
}

#[tokio::test]
async fn who_presents_a_key_that_has_ended_is_not_even_told_again() {
    let world = World::new().await;
    let (_, key, _) = world.member("member", "owner").await;
    let elsewhere = world.app.process().await.presenting(&key);
    let path = world.path("/service-accounts");
    let body = json!({"project_id": world.project, "name": "indexer"});
    let ask = async || elsewhere.ask(Method::POST, &path).key("once").json(&body).await;
    let made = ask().await.id("service_account_id");
    assert_eq!(ask().await.id("service_account_id"), made, "the answer of then");
    // The process that is asked again has not heard of it.
    let id = key["api_key_id"].as_str().expect("an id");
    let revoke = world.path(&format!("/api-keys/{id}/revoke"));
    world.app.admin().post(&revoke, json!({})).await.ok();
    ask().await.refused(401, "unauthorized");
}

/// Renames the key by itself until it is refused; answers the positions at which it was accepted.
async fn use_until_refused(client: Client, path: String, revoked: Arc<AtomicBool>) -> Vec<i64> {
    let mut accepted = Vec::new();
    loop {
        // What begins after the revocation was answered must be refused.
        let late = revoked.load(Ordering::SeqCst);
        let reply = client.patch(&path, json!({"name": unique_name()})).await;
        match reply.status.as_u16() {
            200 => {
                assert!(!late, "accepted after the revocation was answered");
                accepted.push(reply.position());
            }
            401 => return accepted,
            // Others use the same key at the same time.
            409 => {}
            _ => panic!("{reply:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_command_is_accepted_on_a_key_after_the_position_that_revoked_it() {
    let world = World::new().await;
    let there: Process = world.app.process().await;
    for round in 0..4 {
        let (_, key, here) = world.member("member", "member").await;
        // Each caller renames a key of their own member's with the key that is being revoked.
        let id = key["api_key_id"].as_str().expect("an id");
        let path = world.path(&format!("/api-keys/{id}"));
        let revoked = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..64)
            .map(|caller| {
                let client = if caller % 2 == 0 { here.clone() } else { there.presenting(&key) };
                tokio::spawn(use_until_refused(client, path.clone(), Arc::clone(&revoked)))
            })
            .collect();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let revoke = format!("{path}/revoke");
        let position = loop {
            let reply = world.app.admin().post(&revoke, json!({})).await;
            if reply.status.as_u16() != 409 {
                break reply.ok()["position"].as_i64().expect("a position");
            }
        };
        revoked.store(true, Ordering::SeqCst);
        for accepted in join_all(callers).await {
            let accepted = accepted.expect("the caller ends");
            assert!(accepted.iter().all(|at| *at < position), "{accepted:?} after {position}");
        }
    }
}

/// Else whoever has an old secret would take the key over, or have another when its grace ends.
#[tokio::test]
async fn a_secret_that_was_rotated_out_makes_no_new_ones() {
    let app = App::new().await;
    let (organization, (olga, _)) = app.founded("olga").await;
    let keys = format!("/v1/organizations/{organization}/api-keys");
    let body = || json!({"member_id": olga, "name": unique_name()});
    let key = app.admin().post(&keys, body()).await.ok();
    let other = app.admin().post(&keys, body()).await.ok();
    let rotate = |key: &Value| format!("{keys}/{}/rotate", key["api_key_id"].as_str().unwrap());
    let old = app.stranger(key["secret"].as_str());
    let with_old = || old.ask(Method::POST, &rotate(&key)).key("once");
    let rotated = with_old().json(&json!({"grace_seconds": 600})).await.ok();
    // Sent again it is the same rotation, as ever without its secret.
    let again = with_old().json(&json!({"grace_seconds": 600})).await;
    assert!(again.is_replayed() && again.ok()["secret"].is_null());
    for target in [&key, &other] {
        let refused = old.post(&rotate(target), json!({"grace_seconds": 600})).await;
        refused.refused(403, "secret-rotated-out");
    }
    old.post(&keys, body()).await.refused(403, "secret-rotated-out");
    // In its grace it opens all the rest.
    let projects = format!("/v1/organizations/{organization}/projects");
    old.post(&projects, json!({"name": "alpha"})).await.ok();
    let new = app.stranger(rotated["secret"].as_str());
    new.post(&keys, body()).await.ok();
    new.post(&rotate(&key), json!({})).await.ok();
}
