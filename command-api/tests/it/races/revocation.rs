//! Something is withdrawn while 64 callers, of two processes, use it: by the log, none of what they
//! asked was accepted at a position after the withdrawal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::Method;
use embedded::testing::unique_name;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::log;
use crate::support::{App, Client, Process, Reply};

const CALLERS: usize = 64;
/// What is withdrawn has been used so often, by so many at once, before it is.
const USED_MIN: usize = 32;

/// An organization, served by two processes.
struct Stage {
    app: App,
    there: Process,
    organization: String,
    project: String,
}

/// A member who has something that is about to be withdrawn, and their admin key.
struct Holder {
    member: String,
    key_id: String,
    key: Value,
    uses: Use,
}

/// What a holder uses it for. Each makes something new, so that callers do not hinder each other.
#[derive(Clone, Copy)]
enum Use {
    CreateProjects,
    CreateServiceAccounts,
    RecordUsage,
}

/// One record of usage, which wants a request's id.
fn record(project: &str) -> Value {
    json!({"project_id": project, "provider": "openai", "model": "gpt-4o",
        "occurred_at": "2026-05-01T12:00:00Z", "input_tokens": 1})
}

/// How it is withdrawn.
type Withdrawal = (Method, String, Value);

impl Stage {
    async fn new() -> Self {
        let app = App::new().await;
        let there = app.process().await;
        let organization = app.organization().await;
        let project = app.project(&organization, "alpha").await;
        Self { app, there, organization, project }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/organizations/{}{rest}", self.organization)
    }

    async fn holder(&self, role: &str, uses: Use) -> Holder {
        let member = self.app.member(&self.organization, &unique_name(), role).await;
        let body = json!({"member_id": member, "name": "admin-key"});
        let key = self.app.admin().post(&self.path("/api-keys"), body).await.ok();
        let key_id = key["api_key_id"].as_str().expect("an id").to_owned();
        Holder { member, key_id, key, uses }
    }

    async fn put(&self, rest: &str, body: Value) {
        self.app.admin().put(&self.path(rest), body).await.ok();
    }

    async fn made(&self, rest: &str, body: Value, id: &str) -> String {
        self.app.admin().post(&self.path(rest), body).await.id(id)
    }

    fn used_by(&self, holder: &Holder) -> (String, Value) {
        match holder.uses {
            Use::CreateProjects => (self.path("/projects"), json!({})),
            Use::CreateServiceAccounts => {
                (self.path("/service-accounts"), json!({"project_id": self.project}))
            }
            Use::RecordUsage => (self.path("/usage"), json!({"records": [record(&self.project)]})),
        }
    }

    /// Lets all callers use it, withdraws it, and looks into the log.
    async fn race(&self, what: &str, holder: &Holder, withdrawal: Withdrawal) {
        let before = self.app.head().await;
        let (used, mut uses) = unbounded_channel();
        let withdrawn = Arc::new(AtomicBool::new(false));
        let (path, body) = self.used_by(holder);
        let callers: Vec<_> = (0..CALLERS)
            .map(|n| {
                let process = if n % 2 == 0 { self.app.first() } else { &self.there };
                let caller = Caller {
                    client: process.presenting(&holder.key),
                    path: path.clone(),
                    body: body.clone(),
                    used: used.clone(),
                    withdrawn: Arc::clone(&withdrawn),
                };
                tokio::spawn(caller.use_until_refused())
            })
            .collect();
        for _ in 0..USED_MIN {
            uses.recv().await.expect("the callers go on");
        }
        let position = withdraw(&self.app.admin(), &withdrawal).await;
        withdrawn.store(true, Ordering::SeqCst);
        for caller in join_all(callers).await {
            caller.expect("the caller ends");
        }
        let accepted = self.accepted(holder, before).await;
        assert!(accepted.len() >= USED_MIN, "{what}: used {} times", accepted.len());
        let late: Vec<_> = accepted.iter().filter(|used_at| **used_at > position).collect();
        assert!(late.is_empty(), "{what} at {position}, and used at {late:?}");
    }

    /// The positions at which the log has what a holder did with their key.
    async fn accepted(&self, holder: &Holder, after: i64) -> Vec<i64> {
        if let Use::RecordUsage = holder.uses {
            let batches = "select first_position + count - 1 from log.usage_batches
                where first_position > $1 and metadata ->> 'credential' = $2";
            let batches = sqlx::query_scalar(batches).bind(after);
            let batches = batches.bind(format!("api_key:{}", holder.key_id));
            return batches.fetch_all(self.app.pool()).await.expect("the log answers");
        }
        let entries = log::read(&self.app, after).await;
        let its = entries.iter().filter(|entry| {
            entry.actor_id == holder.member
                && entry.api_key.as_ref() == Some(&holder.key_id)
                && entry.event_type != "refusal.recorded"
        });
        its.map(|entry| entry.position).collect()
    }
}

/// Withdraws; answers the position at which that happened. Others may overtake it.
async fn withdraw(operator: &Client, (method, path, body): &Withdrawal) -> i64 {
    loop {
        let asking = operator.ask(method.clone(), path);
        let asking = if method == Method::POST { asking.key(&unique_name()) } else { asking };
        let reply = asking.json(body).await;
        if reply.status.as_u16() != 409 {
            return reply.ok()["position"].as_i64().expect("a position");
        }
    }
}

struct Caller {
    client: Client,
    path: String,
    body: Value,
    used: UnboundedSender<()>,
    withdrawn: Arc<AtomicBool>,
}

impl Caller {
    async fn use_until_refused(self) {
        loop {
            // What begins after the withdrawal was answered must be refused.
            let late = self.withdrawn.load(Ordering::SeqCst);
            let reply = self.use_once().await;
            match reply.status.as_u16() {
                200 | 201 => {
                    // A record is answered for by itself.
                    if let Some(record) = reply.body["records"].get(0) {
                        assert_eq!(record["fate"], "recorded");
                    }
                    assert!(!late, "accepted after the withdrawal was answered");
                    // Nobody counts any more once it is withdrawn.
                    self.used.send(()).ok();
                }
                401 | 403 | 404 => return,
                409 if reply.body["type"] == "/problems/concurrent-change" => {}
                // What is closed takes nothing new.
                409 => return assert_eq!(reply.body["type"], "/problems/project-archived"),
                _ => panic!("{reply:?}"),
            }
        }
    }

    async fn use_once(&self) -> Reply {
        let mut body = self.body.clone();
        match body.get_mut("records") {
            Some(records) => records[0]["request_id"] = json!(unique_name()),
            None => body["name"] = json!(unique_name()),
        }
        self.client.post(&self.path, body).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_that_is_revoked_or_rotated() {
    let stage = Stage::new().await;
    for ending in ["revoke", "rotate"] {
        let holder = stage.holder("admin", Use::CreateProjects).await;
        let path = stage.path(&format!("/api-keys/{}/{ending}", holder.key_id));
        stage.race(ending, &holder, (Method::POST, path, json!({}))).await;
    }
    let holder = stage.holder("admin", Use::CreateProjects).await;
    let path = stage.path(&format!("/members/{}/api-keys/revoke", holder.member));
    stage.race("revoke all", &holder, (Method::POST, path, json!({}))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_that_usage_is_recorded_with() {
    let stage = Stage::new().await;
    let holder = stage.holder("admin", Use::RecordUsage).await;
    let path = stage.path(&format!("/api-keys/{}/revoke", holder.key_id));
    stage.race("the key", &holder, (Method::POST, path, json!({}))).await;
    let holder = stage.holder("admin", Use::RecordUsage).await;
    let path = stage.path(&format!("/members/{}/suspend", holder.member));
    stage.race("its owner", &holder, (Method::POST, path, json!({}))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_role_that_is_changed() {
    let stage = Stage::new().await;
    for role in ["member", "auditor"] {
        let holder = stage.holder("admin", Use::CreateProjects).await;
        let path = stage.path(&format!("/members/{}/role", holder.member));
        stage.race(role, &holder, (Method::PUT, path, json!({ "role": role }))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_place_in_a_group_that_is_withdrawn() {
    let stage = Stage::new().await;
    let endings = [
        ("out of the group", Method::DELETE, "/members", Value::Null),
        ("the group's role", Method::PATCH, "", json!({"role": "reader"})),
        ("the group", Method::DELETE, "", Value::Null),
    ];
    for (what, method, rest, body) in endings {
        let holder = stage.holder("member", Use::CreateProjects).await;
        let group = json!({"name": unique_name(), "role": "admin"});
        let group = stage.made("/groups", group, "group_id").await;
        let place = format!("/groups/{group}/members/{}", holder.member);
        stage.put(&place, json!({})).await;
        let path = match rest {
            "/members" => place,
            _ => format!("/groups/{group}"),
        };
        let body = if body.is_null() { json!({}) } else { body };
        stage.race(what, &holder, (method, stage.path(&path), body)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_custom_role_that_is_withdrawn_narrowed_or_removed() {
    let stage = Stage::new().await;
    for what in ["withdrawn", "narrowed", "removed"] {
        let holder = stage.holder("member", Use::CreateProjects).await;
        let role = json!({"name": unique_name(),
            "permissions": ["projects.create", "projects.read"]});
        let role = stage.made("/roles", role, "role_id").await;
        let path = stage.path(&format!("/roles/{role}"));
        let grantee = json!({"member_id": holder.member});
        let grants = format!("{path}/grants");
        stage.app.admin().post(&grants, grantee.clone()).await.ok();
        let withdrawal = match what {
            "withdrawn" => (Method::POST, format!("{grants}/withdraw"), grantee),
            "narrowed" => (Method::PATCH, path, json!({"permissions": ["projects.read"]})),
            _ => (Method::DELETE, path, json!({})),
        };
        stage.race(what, &holder, withdrawal).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_member_who_is_suspended_or_removed() {
    let stage = Stage::new().await;
    let holder = stage.holder("admin", Use::CreateProjects).await;
    let path = stage.path(&format!("/members/{}/suspend", holder.member));
    stage.race("suspended", &holder, (Method::POST, path, json!({}))).await;
    let holder = stage.holder("admin", Use::CreateProjects).await;
    let path = stage.path(&format!("/members/{}", holder.member));
    stage.race("removed", &holder, (Method::DELETE, path, json!({}))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_role_in_a_project_that_is_withdrawn() {
    let stage = Stage::new().await;
    let project = format!("/projects/{}", stage.project);
    for what in ["changed", "withdrawn"] {
        let holder = stage.holder("member", Use::CreateServiceAccounts).await;
        let place = format!("{project}/members/{}", holder.member);
        stage.put(&place, json!({"role": "owner"})).await;
        let path = stage.path(&place);
        let withdrawal = match what {
            "changed" => (Method::PUT, path, json!({"role": "member"})),
            _ => (Method::DELETE, path, json!({})),
        };
        stage.race(what, &holder, withdrawal).await;
    }
    // By a group of the project, and at last with the project itself.
    for what in ["of the group", "with the project"] {
        let holder = stage.holder("member", Use::CreateServiceAccounts).await;
        let group = stage.made("/groups", json!({"name": unique_name()}), "group_id").await;
        stage.put(&format!("/groups/{group}/members/{}", holder.member), json!({})).await;
        let place = format!("{project}/groups/{group}");
        stage.put(&place, json!({"role": "owner"})).await;
        let withdrawal = match what {
            "of the group" => (Method::DELETE, stage.path(&place), json!({})),
            _ => (Method::POST, stage.path(&format!("{project}/archive")), json!({})),
        };
        stage.race(what, &holder, withdrawal).await;
    }
}
